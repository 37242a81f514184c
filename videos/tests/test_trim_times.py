"""Times that move with a trim and back with the original, and refusals, on rows alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import UserFactory
from comments.models import Danmaku
from comments.tests.factories import CommentFactory, DanmakuFactory
from common import storage
from common.models import PendingDeletion
from videos import caption_tracks, clip_posters, editions, embedded_captions, ends, services
from videos.models import CaptionTrack, Clip, Job, RetiredEncode, Video
from videos.moved_times import MovedCaptions
from videos.publishing import Encode
from videos.services.errors import (
    BadParts,
    CannotTrim,
    EditionRuns,
    IsTrimmed,
    NothingCut,
    NotReadyYet,
    NotTrimmed,
    TooManyTrims,
    UnderModeration,
    VersionChanged,
)
from videos.tests.factories import VideoFactory, make_encode, make_run
from videos.tests.kills import after_the_sweep, killed_at_every_write
from videos.transcoding import caption_conversion, captions
from videos.transcoding.source import SourceInfo
from videos.transcoding.subtitles import SubtitleStream

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.usefixtures("bucket"),
]

WEBVTT = b"""WEBVTT

00:00:00.500 --> 00:00:01.500
Cut

00:00:03.000 --> 00:00:04.000
Moved

00:00:29.000 --> 00:00:41.000 align:left
Across the seam
"""


@pytest.fixture(autouse=True)
def storage_answers() -> Iterator[mock.Mock]:
    with (
        mock.patch("common.storage.put_text") as put_text,
        mock.patch("common.storage.size_of", return_value=1),
    ):
        yield put_text


def long_video(**fields: Any) -> Video:
    return VideoFactory(duration_s=100.0, **fields)


def begun(video: Video, *parts: tuple[float, float]) -> Video:
    """Return an edition whose jobs are done, as a worker leaves it."""
    edition = services.trim(video, parts=parts)
    edition.jobs.all().delete()
    Video.objects.filter(pk=edition.pk).update(width_px=1280, height_px=720)
    make_encode(edition)
    return edition


def trimmed(video: Video, *parts: tuple[float, float]) -> Video:
    ends.complete(begun(video, *parts).pk)
    # The rows of the encode say nothing of this length.
    length_s = sum(end_s - start_s for start_s, end_s in parts)
    Video.objects.filter(pk=video.pk).update(duration_s=length_s)
    return Video.objects.get(pk=video.pk)


def restored(video: Video) -> Video:
    edition = services.restore_original(video)
    edition.jobs.all().delete()
    Video.objects.filter(pk=edition.pk).update(width_px=1280, height_px=720)
    make_encode(edition)
    ends.complete(edition.pk)
    return Video.objects.get(pk=video.pk)


def links(page: bytes) -> list[tuple[str, str]]:
    """Return the times that a page links to, and their words."""
    return re.findall(r'data-seek="(\d+)">([\d:]+)<', page.decode())


def danmaku_of(video: Video) -> list[tuple[str, int]]:
    rows = Danmaku.objects.of(video).spoken().order_by("offset_ms")
    return list(rows.values_list("text", "offset_ms"))


def test_danmaku_moves_with_its_part_and_comes_back_with_the_original() -> None:
    video = long_video()
    for second in (1, 5, 35, 45, 99):
        DanmakuFactory(target=video, offset_ms=second * 1000, text=str(second))

    video = trimmed(video, (2, 30), (40, 100))
    assert danmaku_of(video) == [("5", 3000), ("45", 33_000), ("99", 87_000)]

    video = trimmed(video, (10, 60))
    assert danmaku_of(video) == [("45", 23_000)]

    video = restored(video)
    assert danmaku_of(video) == [(str(second), second * 1000) for second in (1, 5, 35, 45, 99)]
    assert video.kept_parts is None


def test_clip_moves_shrinks_or_is_set_aside_and_comes_back() -> None:
    video = long_video()
    maker = UserFactory()

    def clip(start_s: float, end_s: float) -> Clip:
        return Clip.objects.create(video=video, maker=maker, title="x", start_s=start_s, end_s=end_s)

    whole, across, cut = clip(50, 60), clip(20, 50), clip(31, 42)
    video = trimmed(video, (2, 30), (40, 100))

    def times(one: Clip) -> tuple[float, float, bool]:
        one.refresh_from_db()
        return one.start_s, one.end_s, one.is_cut

    assert times(whole) == (38, 48, False)
    assert times(across) == (18, 38, False)
    assert times(cut) == (31, 42, True)
    assert list(Clip.objects.shown().order_by("pk")) == [whole, across]

    restored(video)
    assert times(whole) == (50, 60, False)
    assert times(across) == (20, 50, False)
    assert times(cut) == (31, 42, False)


def test_posters_of_cut_frames_are_deleted_and_drawn_anew() -> None:
    video, maker = long_video(), UserFactory()

    def clip(start_s: float, end_s: float, name: str) -> Clip:
        key = f"{video.prefix}clips/{name}.jpg" if name else ""
        times = {"start_s": start_s, "end_s": end_s}
        return Clip.objects.create(video=video, maker=maker, title="x", poster_key=key, **times)

    kept, moved, cut = clip(50, 60, "kept"), clip(31, 60, "moved"), clip(29, 42, "cut")
    undrawn = clip(60, 70, "")

    video = trimmed(video, (2, 30), (40, 100))

    def drawn_next() -> set[int]:
        jobs = Job.objects.filter(video=video, encode_key=video.encode_key, kind=Job.Kind.CLIP)
        return set(jobs.values_list("position", flat=True))

    keys = dict(Clip.objects.values_list("pk", "poster_key"))
    assert keys == {kept.pk: kept.poster_key, moved.pk: "", cut.pk: "", undrawn.pk: ""}
    gone = {moved.poster_key, cut.poster_key}
    assert gone <= set(PendingDeletion.objects.values_list("path", flat=True))
    assert drawn_next() == {moved.pk, undrawn.pk}

    video = restored(video)
    assert drawn_next() == {moved.pk, undrawn.pk, cut.pk}


def test_poster_that_was_drawn_during_the_take_over_is_dropped() -> None:
    video = long_video()
    clip = Clip.objects.create(video=video, maker=UserFactory(), title="x", start_s=31, end_s=60)
    clip_posters.queue_for(clip)
    job = Job.objects.get(video=video, kind=Job.Kind.CLIP)

    trimmed(video, (2, 30), (40, 100))
    clip_posters.publish(job, "videos/old.jpg")

    clip.refresh_from_db()
    assert clip.poster_key == ""
    assert PendingDeletion.objects.filter(path="videos/old.jpg").exists()


def test_page_of_a_cut_clip_answers_410(client: Client) -> None:
    video = long_video()
    clip = Clip.objects.create(video=video, maker=UserFactory(), title="x", start_s=31, end_s=38)
    trimmed(video, (2, 30), (40, 100))

    assert client.get(clip.get_absolute_url()).status_code == 410


def test_encodes_with_cut_parts_answer_for_minutes_only(client: Client) -> None:
    video = long_video()
    RetiredEncode.objects.create(
        video=video, encode_key="earlier", duration_s=100, due_at=timezone.now() + timedelta(days=1)
    )
    clip = Clip.objects.create(video=video, maker=UserFactory(), title="x", start_s=0, end_s=7)
    old = reverse("hls-media", args=[video.public_id, video.encode_key, "720p"])
    of_clip = reverse("clip-media", args=[clip.public_id, video.encode_key, "720p"])
    assert client.get(of_clip).status_code == 200

    trimmed(video, (0, 30), (40, 100))

    retired = RetiredEncode.objects.get(encode_key=video.encode_key)
    assert retired.due_at > timezone.now() + timedelta(hours=6)
    assert client.get(of_clip).status_code == 404
    assert client.get(old).status_code == 200
    soon = timezone.now() + timedelta(minutes=6)
    assert RetiredEncode.objects.filter(playable_until__lt=soon).count() == 2
    RetiredEncode.objects.update(playable_until=timezone.now() - timedelta(seconds=1))
    assert client.get(old).status_code == 404
    for name in ("hls-multivariant", "hls-storyboard"):
        assert client.get(reverse(name, args=[video.public_id, video.encode_key])).status_code == 404


def test_captions_are_cut_and_moved() -> None:
    video = long_video()
    key = caption_tracks.put(video, "en", WEBVTT)
    track = CaptionTrack.objects.create(video=video, language="en", key=key, cue_count=3)

    trimmed(video, (2, 30), (40, 100))

    track.refresh_from_db()
    assert track.key != key
    assert track.cue_count == 2
    assert storage.read_range(track.key, 0, 1000).decode() == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
        "00:00:01.000 --> 00:00:02.000\nMoved\n\n"
        "00:00:27.000 --> 00:00:29.000 align:left\nAcross the seam\n"
    )


def test_captions_of_the_file_that_are_late_are_made_again_and_moved(tmp_path: Path) -> None:
    stream = SubtitleStream(index=2, codec="subrip", language="eng")
    video = long_video(source_json=SourceInfo("mov", 100.0, 1, subtitles=(stream,)).to_json())
    embedded_captions.queue_for(video)
    late = Job.objects.select_related("video").get(video=video, kind=Job.Kind.SUBTITLES)
    file = tmp_path / "en.vtt"
    file.write_bytes(WEBVTT)
    edition = begun(video, (2, 30), (40, 100))
    Video.objects.filter(pk=edition.pk).update(source_json=video.source_json)
    assert ends.complete(edition.pk)

    assert embedded_captions.store(late, [(stream, file)]) == 0
    assert not CaptionTrack.objects.exists()
    video.refresh_from_db()
    again = Job.objects.select_related("video").get(encode_key=video.encode_key, kind=Job.Kind.SUBTITLES)
    assert embedded_captions.store(again, [(stream, file)]) == 1
    track = CaptionTrack.objects.get()
    text = storage.read_range(track.key, 0, 1000).decode()
    assert track.cue_count == 2
    assert "00:00:01.000 --> 00:00:02.000\nMoved" in text
    assert "Cut" not in text


def test_long_captions_are_moved_whole() -> None:
    cue = "\n00:01:{:02}.000 --> 00:01:{:02}.500\n" + "字" * 35_000 + "\n"
    text = "WEBVTT\n" + "".join(cue.format(second, second) for second in range(55))
    assert captions.MAX_BYTES < len(text.encode()) < caption_conversion.MAX_CONVERTED_BYTES
    video = long_video()
    key = caption_tracks.put(video, "zh", text.encode())
    track = CaptionTrack.objects.create(video=video, language="zh", key=key, cue_count=55)

    trimmed(video, (2, 30), (40, 100))

    track.refresh_from_db()
    assert track.cue_count == 40


def test_captions_that_change_during_the_take_over_are_moved_again() -> None:
    video = long_video()
    track = CaptionTrack.objects.create(
        video=video, language="en", key=caption_tracks.put(video, "en", WEBVTT), cue_count=3
    )
    edition = begun(video, (2, 30), (40, 100))
    edited = caption_tracks.put(video, "en", WEBVTT.replace(b"Moved", b"Edited"))

    prepare = editions.prepare

    def prepare_and_edit(encode: Encode) -> MovedCaptions:
        prepared = prepare(encode)
        CaptionTrack.objects.filter(pk=track.pk).update(key=edited)
        return prepared

    with mock.patch("videos.editions.prepare", side_effect=prepare_and_edit):
        assert not ends.complete(edition.pk)
    assert ends.complete(edition.pk)

    track.refresh_from_db()
    assert b"Edited" in storage.read_range(track.key, 0, 1000)


def test_chapters_of_the_description_move_and_come_back() -> None:
    text = "Hello 1:00\n\n0:00 Intro\n0:30 Cut\n0:40 Middle\n1:10 End\n"
    video = long_video(description=text)

    video = trimmed(video, (2, 30), (40, 100))
    assert video.description == "Hello 1:00\n\n0:00 Intro\n0:28 Middle\n0:58 End\n"
    assert [chapter.title for chapter in video.chapters] == ["Intro", "Middle", "End"]

    assert restored(video).description == text


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_trim_that_is_killed_at_any_write_moves_every_time_once(storage_answers: mock.Mock) -> None:
    def make() -> Callable[[], object]:
        Video.objects.all().delete()
        video = long_video(description="0:00 A\n0:40 B\n1:10 C")
        DanmakuFactory(target=video, offset_ms=45_000)
        edition = begun(video, (2, 30), (40, 100))
        return lambda: ends.complete(edition.pk)

    for _ in killed_at_every_write(make, storage_answers):
        after_the_sweep()
        video = Video.objects.get()
        assert video.kept_parts == [[2, 30], [40, 100]]
        assert Danmaku.objects.get().offset_ms == 33_000
        assert video.timeline_changes.count() == 1
        assert RetiredEncode.objects.count() == 1


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ([], BadParts),
        ([(5, 3)], BadParts),
        ([(3, 6), (5, 9)], BadParts),
        ([(-1, 6)], BadParts),
        ([(3, 3.05), (4, 9)], BadParts),
        ([(1, 1.5)], BadParts),
        ([(float("nan"), 5)], BadParts),
        ([(200, 300)], BadParts),
        ([(number, number + 0.5) for number in range(51)], BadParts),
        ([(0, 100)], NothingCut),
        ([(0, 50), (50, 300)], NothingCut),
    ],
)
def test_parts_that_cannot_be_kept_are_refused(
    parts: list[tuple[float, float]], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        services.trim(long_video(), parts=parts)


def test_trim_is_refused_in_states_that_allow_none() -> None:
    with pytest.raises(UnderModeration):
        services.trim(long_video(withheld=Video.Withheld.HIDDEN), parts=[(0, 5)])
    with pytest.raises(CannotTrim):
        services.trim(long_video(source_key=""), parts=[(0, 5)])
    with pytest.raises(NotReadyYet):
        services.trim(long_video(status=Video.Status.PROCESSING), parts=[(0, 5)])
    video = long_video()
    services.trim(video, parts=[(0, 5)])
    with pytest.raises(EditionRuns):
        services.trim(video, parts=[(0, 5)])


def test_trims_are_counted_from_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.services.editions.MAX_TRIMS", 1)
    video = trimmed(long_video(), (2, 30))
    with pytest.raises(TooManyTrims):
        services.trim(video, parts=[(0, 5)])

    services.trim(restored(video), parts=[(0, 5)])


def test_trimmed_video_is_restored_and_not_encoded_again_by_accident() -> None:
    video = long_video()
    with pytest.raises(NotTrimmed):
        services.restore_original(video)
    video = trimmed(video, (2, 30))
    with pytest.raises(IsTrimmed):
        services.reencode(video)


def test_request_that_was_checked_on_the_encode_before_is_refused(client: Client) -> None:
    stale = long_video()
    trimmed(stale, (2, 30), (40, 100))

    with pytest.raises(VersionChanged):
        services.reencode(stale)
    with pytest.raises(VersionChanged):
        services.trim(stale, parts=[(0, 95)])
    client.force_login(stale.channel.owner)
    asked = {"parts": [{"start_s": 2, "end_s": 30}], "encode_key": stale.encode_key}
    address = reverse("api-edition-trim", args=[stale.public_id])
    answer = client.post(address, asked, content_type="application/json")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "version_changed")
    asked["encode_key"] = Video.objects.get(pk=stale.pk).encode_key
    assert client.post(address, asked, content_type="application/json").status_code == 202


def test_reencode_from_before_a_trim_does_not_take_over() -> None:
    video = long_video()
    edition = services.reencode(video)
    edition.jobs.all().delete()
    make_encode(edition)
    Video.objects.filter(pk=video.pk).update(kept_parts=[[2, 30]])

    assert not ends.complete(edition.pk)
    assert Video.objects.get(pk=video.pk).encode_key == video.encode_key


def test_time_in_a_comment_leads_to_the_moment_that_it_named(client: Client) -> None:
    video = long_video()
    CommentFactory(target=video, text="0:45 and 0:31")
    video = trimmed(video, (2, 30), (40, 100))
    CommentFactory(target=video, text="0:33 later")

    page = client.get(video.get_absolute_url()).content
    assert links(page) == [("33", "0:33"), ("33", "0:45")]

    video = restored(video)
    Video.objects.filter(pk=video.pk).update(duration_s=100)
    page = client.get(video.get_absolute_url()).content
    assert links(page) == [("45", "0:33"), ("45", "0:45"), ("31", "0:31")]


def test_viewers_do_not_download_the_original_of_a_trimmed_video() -> None:
    video = trimmed(long_video(downloads=Video.Downloads.SOURCE), (2, 30))

    assert video.download_for(UserFactory()) == Video.Downloads.MP4
    assert video.download_for(video.channel.owner) == Video.Downloads.SOURCE


def test_owner_alone_trims_by_the_api(client: Client) -> None:
    video = long_video()
    address = reverse("api-edition-trim", args=[video.public_id])
    asked = {"parts": [{"start_s": 2, "end_s": 30}, {"start_s": 40, "end_s": 100}]}
    client.force_login(UserFactory())
    assert client.post(address, asked, content_type="application/json").status_code == 403
    client.force_login(video.channel.owner)

    answer = client.post(address, asked, content_type="application/json")

    assert answer.status_code == 202
    assert answer.json()["kind"] == "trim"
    assert Video.objects.get(edition_of=video).kept_parts == [[2, 30], [40, 100]]
    again = client.post(address, asked, content_type="application/json")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "edition_runs")


def test_page_shows_the_progress_of_a_trim_and_offers_the_original_afterwards(client: Client) -> None:
    video = long_video()
    client.force_login(video.channel.owner)
    address = reverse("studio-trim", args=[video.public_id])
    assert b"<trim-editor" in client.get(address).content
    edition = services.trim(video, parts=[(2, 30)])
    assert b"Trimming" in client.get(address).content
    edition.jobs.all().delete()
    run = make_run(edition, "video", [], renditions=["720p", "360p"], segment_count=7)
    Job.objects.create(video=edition, encode_key=edition.encode_key, kind=Job.Kind.TRIM, run=run, length_s=28)
    assert b"Trimming" in client.get(address).content
    run.delete()
    make_encode(edition)
    done = {"kind": Job.Kind.TRIM, "status": Job.Status.DONE}
    Job.objects.create(video=edition, encode_key=edition.encode_key, **done)

    page = client.get(address).content
    assert b"Trimming" in page
    assert b"<trim-editor" not in page

    ends.complete(edition.pk)
    now = timezone.now()
    trims = Job.objects.filter(video=video, kind=Job.Kind.TRIM)
    trims.update(status=Job.Status.DONE, claimed_at=now - timedelta(seconds=5), finished_at=now)
    cache.delete("estimates:step:trim")
    page = client.get(address).content
    assert b"Restore the original" in page
    assert b"Takes about" in page


def test_page_says_why_a_video_cannot_be_trimmed(client: Client) -> None:
    video = long_video(withheld=Video.Withheld.HIDDEN)
    client.force_login(video.channel.owner)

    page = client.get(reverse("studio-trim", args=[video.public_id])).content

    assert b"Moderators have hidden this video." in page
    assert b"<trim-editor" not in page
