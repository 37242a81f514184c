"""Tests that the clean-up handles each row by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SweepFailure
from common import deletion
from common.models import PendingDeletion
from videos import cleaning
from videos.models import Rendition, VideoFolder
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def test_folder_that_cannot_be_deleted_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = VideoFactory(), VideoFactory()
    prefixes = [bad.prefix, good.prefix]
    for video, prefix in zip((bad, good), prefixes, strict=True):
        VideoFolder.objects.filter(video=video).delete()
        VideoFolder.objects.create(prefix=prefix)
        video.delete()
    delete = deletion.delete_later

    def delete_later(prefix: str) -> None:
        if prefix == prefixes[0]:
            raise ValueError("broken row")
        delete(prefix)

    monkeypatch.setattr(deletion, "delete_later", delete_later)

    cleaning.clean_up()

    assert list(PendingDeletion.objects.values_list("path", flat=True)) == [prefixes[1]]
    assert SweepFailure.objects.get().sweep == "delete folders"


def retired(hours_ago: float, duration_s: float | None) -> Rendition:
    """Return a rendition of a new video that was retired ``hours_ago``."""
    rendition = Rendition.objects.get(video=VideoFactory(duration_s=duration_s), name="720p")
    rendition.retired_at = timezone.now() - timedelta(hours=hours_ago)
    rendition.save()
    return rendition


def test_retired_rendition_of_a_long_film_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "ROWS_AT_ONCE", 1)
    film, short = retired(8.5, 4 * 3600), retired(8, 60)

    cleaning.delete_retired_renditions()

    assert list(Rendition.objects.exclude(retired_at=None)) == [film]
    assert not Rendition.objects.filter(pk=short.pk).exists()


@pytest.mark.parametrize(
    ("duration_s", "is_kept_until_h"), [(None, 7), (60, 7), (4 * 3600, 9), (100 * 3600, 7 * 24)]
)
def test_retired_rendition_is_deleted_after_the_last_signed_url(
    duration_s: float | None, is_kept_until_h: float
) -> None:
    kept, due = retired(is_kept_until_h - 0.1, duration_s), retired(is_kept_until_h + 0.1, duration_s)

    cleaning.delete_retired_renditions()

    assert list(Rendition.objects.exclude(retired_at=None)) == [kept]
    assert not Rendition.objects.filter(pk=due.pk).exists()
