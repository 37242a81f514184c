"""Tests of an account's rights before its address is confirmed, with ``SIGN_UP=confirmed``."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import services
from accounts.models import User
from accounts.tests.factories import UserFactory
from live.chat import stored
from live.chat.tickets import Visitor
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def attempts(user: User) -> dict[str, Any]:
    """Return the API's answers to an upload, a comment, danmaku and a stream key."""
    video = VideoFactory(visibility="public")
    client = APIClient()
    client.force_authenticate(user)
    upload = {"title": "A clip", "filename": "clip.mp4", "size_bytes": 0}
    return {
        "upload": client.post("/api/v1/videos/", upload),
        "comment": client.post(f"/api/v1/videos/{video.public_id}/comments/", {"text": "Hello"}),
        "danmaku": client.post(f"/api/v1/videos/{video.public_id}/danmaku/", {"text": "Hi", "offset_ms": 0}),
        "stream key": client.post(f"/api/v1/live/{user.username}/stream-key/"),
    }


@pytest.mark.redis
def test_unconfirmed_account_cannot_upload_write_or_stream(settings: Settings) -> None:
    settings.SIGN_UP = "confirmed"
    user = UserFactory()

    answers = attempts(user)

    refused = {name: answer.status_code for name, answer in answers.items()}
    codes = {answer.json()["errors"][0]["code"] for answer in answers.values()}
    assert refused == dict.fromkeys(answers, 403)
    assert codes == {"email_not_confirmed"}
    assert stored.silence(Visitor(user.pk, user.username, "")) == "email_not_confirmed"


@pytest.mark.redis
@pytest.mark.storage
def test_confirmed_account_can_write(settings: Settings, bucket: str) -> None:
    settings.SIGN_UP = "confirmed"
    user = UserFactory()
    services.confirm_email(user=user)

    assert attempts(user)["comment"].status_code == 201
    assert stored.silence(Visitor(user.pk, user.username, "")) == ""
