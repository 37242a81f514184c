"""Tests of ``manage.py reconcile``: on a real bucket, it names exactly the misfits."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client

from accounts.tests.factories import UserFactory
from common import deletion, reconciliation, storage
from common.models import Discrepancy
from live.tests.factories import BroadcastFactory
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture(autouse=True)
def old_objects(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an object settle at once: no test can wait for a day."""
    monkeypatch.setattr(reconciliation, "SETTLED_AFTER", timedelta(days=-1))


def stored(*keys: str) -> None:
    for key in keys:
        storage.client().put_object(Bucket=settings.S3_BUCKET, Key=key, Body=b"1234")


def stored_video() -> Video:
    """Return a ready video with every object that its rows name."""
    video = VideoFactory()
    for name in ("720p", "360p"):
        for position in (0, 1):
            folder = f"{video.encode_prefix}{name}/{position}-1/"
            stored(f"{folder}init.mp4", f"{folder}{position}.m4s")
    track = f"{video.encode_prefix}audio-0/0-1/"
    stored(video.source_key, f"{track}init.mp4", f"{track}0.m4s", f"{track}1.m4s")
    return video


def objects() -> set[str]:
    return set(storage.keys_under(""))


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("reconcile", *arguments, stdout=output)
    return output.getvalue()


def found() -> list[tuple[str, str, int, int]]:
    return list(Discrepancy.objects.values_list("kind", "path", "objects_count", "size_bytes"))


def test_complete_bucket_has_no_discrepancies() -> None:
    video = stored_video()
    stored(f"{video.encode_prefix}multivariant.m3u8", f"{video.encode_prefix}720p.m3u8")
    broadcast = BroadcastFactory()
    broadcast.poster_key = f"live/{broadcast.public_id}/poster-1.jpg"
    broadcast.save()
    stored(broadcast.poster_key)
    UserFactory().channel.avatar.save("face.webp", ContentFile(b"1234"))

    assert run() == "The bucket and the database agree.\n"
    assert found() == []


def test_missing_objects_are_named() -> None:
    video, gone = stored_video(), VideoFactory(encoded=False)
    lost = f"{video.encode_prefix}360p/1-1/1.m4s"
    storage.delete_keys([lost])

    output = run()

    assert output.splitlines() == [f"Missing object: {path}" for path in sorted([lost, gone.source_key])]
    assert found() == [("no_object", path, 1, 0) for path in sorted([lost, gone.source_key])]


def test_objects_of_nothing_are_named_by_their_longest_common_folder() -> None:
    video = stored_video()
    lost_attempt = f"{video.encode_prefix}720p/1-7/"
    old_encode = f"{video.prefix}oldencode/360p/0-1/"
    stray = f"{video.prefix}captions-of-nobody.vtt"
    nobody = "videos/nobody/"
    stored(f"{lost_attempt}init.mp4", f"{lost_attempt}1.m4s", f"{old_encode}0.m4s", stray)
    stored(f"{nobody}source", f"{nobody}abc/720p/0-1/0.m4s", "avatars/gone.webp", "live/none/poster.jpg")

    run()

    assert found() == [
        ("no_row", path, count, 4 * count)
        for path, count in sorted(
            [
                (lost_attempt, 2), (old_encode, 1), (stray, 1), (nobody, 2),
                ("avatars/gone.webp", 1), ("live/none/", 1),
            ]
        )
    ]  # fmt: skip


def test_only_the_current_mp4_of_a_video_belongs_to_it() -> None:
    video = stored_video()
    current, lost = (f"{video.encode_prefix}download-{name}.mp4" for name in ("9-1", "8-1"))
    Video.objects.filter(pk=video.pk).update(mp4_key=current)
    stored(current, lost)

    run()

    assert found() == [("no_row", lost, 1, 4)]


def test_only_the_current_storyboard_of_a_video_belongs_to_it() -> None:
    video = stored_video()
    current, lost = (f"{video.encode_prefix}storyboard-{name}/" for name in ("9-2", "9-1"))
    Video.objects.filter(pk=video.pk).update(storyboard_key=f"{current}index.vtt")
    video.renditions.filter(name="360p").update(keyframes_peak_bps=1000)
    stored(f"{current}0.jpg", f"{current}index.vtt", f"{lost}0.jpg")

    run()

    assert found() == [
        ("no_object", f"{current}keyframes.json", 1, 0),
        ("no_row", lost, 1, 4),
    ]


def test_young_objects_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_AFTER", timedelta(days=1))
    stored("videos/nobody/source")

    run()

    assert found() == []


def test_objects_that_wait_for_deletion_are_left_out() -> None:
    stored("videos/nobody/source", "videos/nobody/abc/720p/0-1/0.m4s")
    deletion.delete_later("videos/nobody/")

    run()

    assert found() == []


def test_deletion_leaves_exactly_the_named_objects() -> None:
    video = stored_video()
    before = objects()
    stored(f"{video.encode_prefix}720p/1-7/1.m4s", f"{video.prefix}stray.vtt", "videos/nobody/source")
    storage.delete_keys([f"{video.encode_prefix}360p/1-1/1.m4s"])

    output = run("--delete")
    deletion.delete_pending()

    assert output.splitlines()[-1] == "Deleting 3 of 3."
    assert objects() == before - {f"{video.encode_prefix}360p/1-1/1.m4s"}
    assert [row[0] for row in found()] == ["no_object"]


def test_objects_that_got_a_row_are_not_deleted() -> None:
    video = stored_video()
    later = f"{video.prefix}{'x' * 12}.jpg"
    stored(later)
    run()
    Video.objects.filter(pk=video.pk).update(poster_key=later)

    administrator = Client()
    administrator.force_login(UserFactory(is_superuser=True, is_staff=True))
    row = Discrepancy.objects.get()
    answer = administrator.post(
        "/admin/common/discrepancy/",
        {"action": "delete_objects", "_selected_action": [row.pk]},
        follow=True,
    )
    deletion.delete_pending()

    assert "Deleting 0 entries." in answer.content.decode()
    assert storage.size_of(later) == 4
    assert found() == []


def test_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "MAX_ROWS", 2)
    stored(*(f"videos/nobody-{number}/source" for number in range(3)))

    assert run().splitlines()[-1] == "1 more are left out: solve these first, and run it again."
    assert len(found()) == 2
