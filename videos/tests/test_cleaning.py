"""Tests that the clean-up handles each row by itself."""

from __future__ import annotations

import pytest

from accounts.models import SweepFailure
from common import deletion
from common.models import PendingDeletion
from videos import cleaning
from videos.models import VideoFolder
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
