"""Changes by creators to a video after its upload."""

from __future__ import annotations

import pytest

from videos import services
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def test_private_video_is_dated_at_its_first_publication() -> None:
    video = VideoFactory(visibility="private", published_at=None, encoded=False)

    services.edit_video(video, title="Still private")
    video.refresh_from_db()
    assert video.published_at is None

    services.edit_video(video, visibility="public")
    video.refresh_from_db()
    first = video.published_at
    assert first is not None

    services.edit_video(video, visibility="private")
    services.edit_video(video, visibility="unlisted")
    video.refresh_from_db()
    assert video.published_at == first


@pytest.mark.parametrize("code", Video.Failure.values)
def test_only_platform_failures_can_be_retried(code: str) -> None:
    video = VideoFactory(status="failed", failure_code=code, encoded=False)
    assert video.can_retry == (code in {"storage_failed", "encode_failed", "import_failed"})
