"""What outside programs rely on: paths, fields and codes never change; more may be added.

Grows with every issue; the OpenAPI document must agree with it.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.tests.factories import PASSWORD, UserFactory
from videos.models import Video
from videos.tests.factories import VideoFactory

ENDPOINTS = {
    ("post", "/api/v1/accounts/register/"),
    ("post", "/api/v1/accounts/token/"),
    ("get", "/api/v1/accounts/me/"),
    ("patch", "/api/v1/accounts/me/"),
    ("get", "/api/v1/channels/{username}/"),
    ("put", "/api/v1/channels/{username}/follow/"),
    ("delete", "/api/v1/channels/{username}/follow/"),
    ("post", "/api/v1/videos/"),
    ("get", "/api/v1/videos/"),
    ("get", "/api/v1/videos/{id}/"),
    ("patch", "/api/v1/videos/{id}/"),
    ("delete", "/api/v1/videos/{id}/"),
    ("get", "/api/v1/videos/{id}/upload/"),
    ("delete", "/api/v1/videos/{id}/upload/"),
    ("post", "/api/v1/videos/{id}/upload/parts/"),
    ("post", "/api/v1/videos/{id}/upload/complete/"),
    ("put", "/api/v1/videos/{id}/like/"),
    ("delete", "/api/v1/videos/{id}/like/"),
    ("post", "/api/v1/videos/{id}/views/"),
    ("get", "/api/v1/live/"),
    ("get", "/api/v1/live/{username}/"),
    ("patch", "/api/v1/live/{username}/"),
    ("post", "/api/v1/live/{username}/stream-key/"),
    ("post", "/api/v1/live/{username}/end/"),
    ("post", "/api/v1/live/{username}/heartbeat/"),
    ("post", "/api/v1/live/{username}/chat/ticket/"),
    ("get", "/api/v1/live/{username}/health/"),
    ("get", "/api/v1/live/{username}/chat/"),
}
PAGES = {
    "/": 200,
    "/search/": 200,
    "/accounts/login/": 200,
    "/accounts/signup/": 200,
    "/upload/": 302,
    "/studio/": 302,
    "/live/": 200,
    "/admin/": 302,
    "/api/schema/": 200,
    "/api/docs/": 200,
    "/healthz": 200,
}
VISIBILITIES = {"public", "unlisted", "private"}
STATUSES = {"uploading", "processing", "ready", "failed"}
FAILURES = {
    "empty_file", "not_media", "no_streams", "unsupported_codec", "encrypted", "limits_exceeded",
    "references_outside", "decode_failed", "storage_failed", "encode_failed",
}  # fmt: skip


def keys(body: dict[str, Any]) -> set[str]:
    return set(body)


def test_the_openapi_document_has_every_endpoint() -> None:
    schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]

    documented = {(method, path) for path, methods in schema["paths"].items() for method in methods}

    assert ENDPOINTS - documented == set()


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), PAGES.items())
def test_every_page_has_its_address(path: str, status: int) -> None:
    assert APIClient().get(path).status_code == status


@pytest.mark.django_db
def test_pages_of_a_video_and_of_a_channel_have_their_addresses() -> None:
    video = VideoFactory()

    answers = {
        path: APIClient().get(path).status_code
        for path in (
            f"/watch/{video.public_id}/",
            f"/@{video.channel.username}/",
            f"/embed/{video.public_id}/",
            f"/oembed/?url=http://testserver/watch/{video.public_id}/",
        )
    }

    assert set(answers.values()) == {200}, answers


def test_the_words_of_a_video_are_the_contract_s() -> None:
    assert {value for value, _ in Video.Visibility.choices} >= VISIBILITIES
    assert {value for value, _ in Video.Status.choices} == STATUSES
    assert {value for value, _ in Video.Failure.choices} == FAILURES


@pytest.mark.django_db
@pytest.mark.redis
def test_a_person_registers_signs_in_and_finds_themselves() -> None:
    client = APIClient()
    registered = client.post(
        "/api/v1/accounts/register/",
        {"username": "alice", "email": "alice@example.org", "password": PASSWORD},
        format="json",
    )
    token = client.post("/api/v1/accounts/token/", {"username": "alice", "password": PASSWORD}, format="json")
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.json()['token']}")
    me = client.get("/api/v1/accounts/me/")

    assert (registered.status_code, token.status_code, me.status_code) == (201, 200, 200)
    assert keys(registered.json()) >= {"username", "token"}
    assert keys(me.json()) >= {"username", "email", "display_name", "bio", "avatar_url", "is_moderator"}


@pytest.mark.django_db
@pytest.mark.redis
def test_a_channel_is_followed_and_left() -> None:
    UserFactory(username="alice")
    client = APIClient()
    client.force_authenticate(UserFactory())
    path = "/api/v1/channels/alice/"

    followed = client.put(f"{path}follow/").status_code
    channel = client.get(path).json()
    left = client.delete(f"{path}follow/").status_code

    assert (followed, left) == (204, 204)
    assert keys(channel) >= {"username", "display_name", "bio", "follower_count", "is_following", "live"}
    assert (channel["follower_count"], channel["is_following"]) == (1, True)


@pytest.mark.django_db
@pytest.mark.redis
def test_lists_and_errors_have_one_shape() -> None:
    VideoFactory()
    client = APIClient()

    listed = client.get("/api/v1/videos/").json()
    missing = client.get("/api/v1/videos/nothing/")
    refused = client.post("/api/v1/videos/", {}, format="json")

    assert keys(listed) == {"results", "next", "previous"}
    assert (missing.status_code, refused.status_code) == (404, 401)
    for answer in (missing.json(), refused.json()):
        assert answer["type"] in {"validation_error", "client_error", "server_error"}
        assert keys(answer["errors"][0]) == {"code", "detail", "attr"}


@pytest.mark.django_db
def test_a_player_is_an_element_that_contains_its_video() -> None:
    video = VideoFactory()

    page = APIClient().get(reverse("watch", args=[video.public_id])).content.decode()

    assert "data-player" in page
    assert "<video" in page
