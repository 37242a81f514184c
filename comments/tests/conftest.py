"""Fixtures: a video, its creator, and a commenter."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from accounts.models import User
from accounts.services import Role, grant_role
from accounts.tests.factories import UserFactory
from videoplatform.tests.conftest import chromium, visitor
from videos.models import Video
from videos.tests.factories import VideoFactory

__all__ = ["chromium", "visitor"]  # fixtures for journeys


def long_ago() -> dict[str, object]:
    """Return the fields of an account that is old enough for links."""
    return {"date_joined": timezone.now() - timedelta(days=30)}


@pytest.fixture
def creator(db: None) -> User:
    # Loads the content type, which is cached, so that no query count includes it.
    ContentType.objects.get_for_model(Video)
    return UserFactory(username="creator", **long_ago())


@pytest.fixture
def video(creator: User) -> Video:
    return VideoFactory(channel=creator.channel, encoded=False, duration_s=120.0)


@pytest.fixture
def alice(db: None) -> User:
    return UserFactory(username="Alice", **long_ago())


@pytest.fixture
def moderator(db: None) -> User:
    user = UserFactory(username="warden")
    grant_role(user=user, role=Role.MODERATOR)
    return user
