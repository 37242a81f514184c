"""New versions of videos, with real FFmpeg and real S3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from common import reconciliation, storage
from videos import pipeline, services
from videos.models import Job, Video
from videos.publishing import Encode
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import Uploaded, uploaded, work_until_idle

__all__ = ["uploaded"]  # a fixture
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]


def objects_of(video: Video) -> list[str]:
    """Return the keys of the segments in all playlists of the current encode."""
    encode = Encode.of(video)
    return [
        f"{video.encode_prefix}{segment.name}"
        for rendition in encode.renditions
        for segment in encode.segments(rendition)
    ]


@pytest.fixture
def ready(uploaded: Uploaded, clips: Path) -> Callable[[], Video]:
    """Return a function that encodes a short clip in one rung."""

    def make() -> Video:
        video = uploaded(make_clip("landscape", clips, seconds=9, size="426x240"))
        work_until_idle()
        video.refresh_from_db()
        return video

    return make


def test_reencode_keeps_the_old_encode_watchable_until_it_is_complete(
    ready: Callable[[], Video], client: Client
) -> None:
    video = ready()
    old, source_key, poster = objects_of(video), video.source_key, video.poster_key
    services.reencode(video)

    while Video.objects.filter(edition_of=video).exists():
        assert pipeline.work(Job.Lane.BULK)
        address = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
        assert client.get(address).status_code == 200
    work_until_idle()

    stored = set(storage.keys_under(video.prefix))
    video.refresh_from_db()
    assert set(objects_of(video)).isdisjoint(old)
    assert {*objects_of(video), *old} <= stored
    assert video.source_key == source_key
    assert poster != video.poster_key
    assert video.poster_key in stored
    assert video.has_storyboard
    assert video.duration_s == pytest.approx(9, abs=0.1)
    multivariant = client.get(reverse("hls-multivariant", args=[video.public_id, video.encode_key]))
    assert b"240p" in multivariant.content


def test_every_object_of_both_encodes_belongs_to_a_row(
    ready: Callable[[], Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_AFTER", timedelta(days=-1))
    video = ready()
    services.reencode(video)
    for _ in range(2):
        pipeline.work(Job.Lane.BULK)

    during = reconciliation.reconcile()
    work_until_idle()

    assert (during, reconciliation.reconcile()) == (0, 0)
