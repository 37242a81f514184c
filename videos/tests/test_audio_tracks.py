"""Audio tracks that are added to ready videos, with real FFmpeg and real S3."""

from __future__ import annotations

import re
import subprocess
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings as site
from django.test import Client
from django.urls import reverse

from common import deletion, reconciliation, storage
from common.models import Discrepancy
from live.tests.hls_checker import faults
from videos import cleaning, loudness, pipeline, services
from videos.models import Job, Rendition, RetiredEncode, Upload, Video
from videos.publishing import Encode
from videos.services.errors import EditionRuns, NoOriginal, NoPicture, NoTrack, TooManyTracks, UnknownLanguage
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory, make_run
from videos.tests.test_edition_encodes import complete, ready
from videos.tests.test_pipeline import uploaded, work_until_idle
from videos.transcoding.tools import ffmpeg_path

__all__ = ["ready", "uploaded"]  # fixtures
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]


def begun(video: Video, body: bytes, *, language: str = "fr", role: str = "dub", label: str = "") -> Upload:
    """Return the upload of an audio track of ``video``, with all bytes sent."""
    upload = services.add_track_by_upload(
        video, filename="dub.m4a", size_bytes=len(body), language=language, role=role, label=label
    )
    storage.client().upload_part(
        Bucket=site.S3_BUCKET,
        Key=upload.video.source_key,
        UploadId=upload.multipart_id,
        PartNumber=1,
        Body=body,
    )
    return upload


def beeping(path: Path, *, seconds: float, first_s: float = 0.5) -> bytes:
    """Return an audio file with a beep in each second, the first one at ``first_s``."""
    is_on = f"gte(t\\,{first_s})*lt(mod(t-{first_s}\\,1)\\,0.05)"
    beep = f"aevalsrc='if({is_on}\\,0.8*sin(2*PI*1000*t)\\,0)':s=44100:d={seconds}"
    command = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", beep, "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


def added(video: Video, client: Client, body: bytes, **named: str) -> Rendition:
    """Add a track to a video and return its rendition."""
    assert complete(client, begun(video, body, **named)) == 202
    work_until_idle()
    video.refresh_from_db()
    return Rendition.objects.filter(video=video, encode_key=video.encode_key, is_added=True).latest("pk")


def stored_file(video: Video, rendition: Rendition, path: Path) -> Path:
    """Write a rendition as a player appends its bytes."""
    placed = Encode.of(video).segments(rendition)
    keys = [video.key_of(name) for name in (placed[0].init_name, *(one.name for one in placed))]
    client = storage.client()
    path.write_bytes(
        b"".join(client.get_object(Bucket=site.S3_BUCKET, Key=key)["Body"].read() for key in keys)
    )
    return path


def beeps_s(path: Path) -> list[float]:
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), "-ac", "1", "-ar", "48000", "-f", "s16le", "-"]
    sound = array("h", subprocess.run(command, capture_output=True, check=True).stdout)
    loud = [at for at, value in enumerate(sound) if abs(value) > 3000]
    return [now / 48_000 for before, now in pairwise([-48_000, *loud]) if now - before > 24_000]


@pytest.mark.parametrize("seconds", [5, 14])
def test_added_track_is_as_long_as_the_video_and_in_time_with_it(
    seconds: int, ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    rungs = {run.pk for run in video.runs.all()}

    track = added(video, client, beeping(tmp_path / "dub.m4a", seconds=seconds), label="Français (doublage)")

    assert (track.label, track.language, track.role, track.codecs) == (
        "Français (doublage)", "fr", "dub", "mp4a.40.2",
    )  # fmt: skip
    encode = Encode.of(video)
    first, second = encode.tracks
    lengths_s = [sum(one.duration_s for one in encode.segments(one)) for one in (first, second)]
    assert second == track
    assert lengths_s == pytest.approx([9, 9], abs=0.05)
    beeps = beeps_s(stored_file(video, track, tmp_path / "stored.mp4"))
    assert beeps == pytest.approx([place + 0.5 for place in range(min(seconds, 9))], abs=0.015)
    # Nothing of the video was encoded again.
    assert rungs < {run.pk for run in video.runs.all()}
    assert video.jobs.filter(kind=Job.Kind.VIDEO).count() == 1
    assert not Video.objects.filter(edition_of=video).exists()


def test_playlists_with_an_added_track_have_no_faults_and_no_lost_objects(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    body = beeping(tmp_path / "dub.m4a", seconds=9)

    track = added(video, client, body, language="de", role="description")
    deletion.delete_pending()

    def read(name: str) -> bytes:
        key = video.key_of(name)
        return storage.client().get_object(Bucket=site.S3_BUCKET, Key=key)["Body"].read()

    assert faults(read) == []
    text = read("multivariant.m3u8").decode()
    (line,) = (line for line in text.splitlines() if track.name in line)
    assert 'NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=NO' in line
    assert 'CHARACTERISTICS="public.accessibility.describes-video"' in line
    reconciliation.reconcile()
    assert not Discrepancy.objects.exists()


def test_players_find_the_track_at_once_and_play_it(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    address = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
    before = client.get(address).content.decode()

    track = added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))

    after = client.get(address).content.decode()
    assert (track.name in before, track.name in after) == (False, True)
    media = client.get(reverse("hls-media", args=[video.public_id, video.encode_key, track.name]))
    urls = re.findall(r"^http.*$", media.content.decode(), re.MULTILINE)
    assert len(urls) == 3
    assert all(f"/{track.name}/" in url and ".." not in url for url in urls)


def test_loudness_of_an_added_track_is_measured(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()

    added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))

    assert video.loudness is not None
    assert len(video.loudness) == 2
    assert None not in video.loudness


def test_reencode_keeps_added_tracks(ready: Callable[[], Video], client: Client, tmp_path: Path) -> None:
    video = ready()
    track = added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))
    old_key = video.encode_key

    services.reencode(video)
    work_until_idle()
    video.refresh_from_db()
    RetiredEncode.objects.update(due_at="2020-01-01T00:00Z")
    cleaning.delete_retired_encodes()

    assert video.encode_key != old_key
    kept = Encode.of(video).tracks[1]
    assert (kept.name, kept.label) == (track.name, track.label)
    assert len(beeps_s(stored_file(video, kept, tmp_path / "kept.mp4"))) == 9
    assert not Rendition.objects.filter(encode_key=old_key).exists()


def test_replaced_file_loses_added_tracks(
    ready: Callable[[], Video], client: Client, clips: Path, tmp_path: Path
) -> None:
    video = ready()
    added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))
    body = make_clip("landscape", clips, seconds=5, size="320x180").read_bytes()
    upload = services.replace_by_upload(video, filename="b.mp4", size_bytes=len(body))
    storage.client().upload_part(
        Bucket=site.S3_BUCKET,
        Key=upload.video.source_key,
        UploadId=upload.multipart_id,
        PartNumber=1,
        Body=body,
    )
    assert complete(client, upload) == 202

    work_until_idle()

    video.refresh_from_db()
    assert [track.is_added for track in Encode.of(video).tracks] == [False]


def test_track_is_renamed_and_removed(ready: Callable[[], Video], client: Client, tmp_path: Path) -> None:
    video = ready()
    track = added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))
    address = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
    api = f"/api/v1/videos/{video.public_id}/audio-tracks/{track.name}/"
    client.get(address)

    about = {"name": "Director", "language": "en", "role": "commentary"}
    renamed = client.put(api, about, content_type="application/json")
    listed = client.get(address).content.decode()
    removed = client.delete(api)
    after = client.get(address).content.decode()

    assert (renamed.status_code, removed.status_code) == (200, 204)
    assert 'NAME="Director",LANGUAGE="en"' in listed
    assert track.name not in after
    video.refresh_from_db()
    assert len(video.loudness or []) == 1
    assert not video.runs.exclude(objects_key="").exists()
    with pytest.raises(NoTrack):
        services.remove_track(video, track.name)
    with pytest.raises(NoTrack):
        services.remove_track(video, "audio-0")


def test_file_without_audio_fails_in_words_and_leaves_the_video(
    ready: Callable[[], Video], client: Client, clips: Path
) -> None:
    video = ready()
    before = [one.pk for one in Encode.of(video).renditions]
    body = make_clip("no_audio", clips, seconds=2).read_bytes()

    assert complete(client, begun(video, body)) == 202
    work_until_idle()

    video.refresh_from_db()
    edition = services.edition_of(video)
    assert (edition.status, edition.failure_code) == ("failed", "no_streams")
    assert (video.status, [one.pk for one in Encode.of(video).renditions]) == ("ready", before)
    page = client.get(reverse("studio-audio", args=[video.public_id]))
    assert "contains no video or audio" in page.content.decode()


def test_track_can_be_canceled_and_leaves_nothing(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    before = set(storage.keys_under(video.prefix))
    assert complete(client, begun(video, beeping(tmp_path / "dub.m4a", seconds=9))) == 202
    assert pipeline.work(Job.Lane.FIRST)  # the plan

    answer = client.delete(f"/api/v1/videos/{video.public_id}/edition/")
    work_until_idle()
    deletion.delete_pending()

    assert answer.status_code == 204
    assert set(storage.keys_under(video.prefix)) == before


def test_worker_killed_behind_the_last_segment_loses_nothing(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    assert complete(client, begun(video, beeping(tmp_path / "dub.m4a", seconds=9))) == 202
    assert pipeline.work(Job.Lane.FIRST)  # the plan
    edition = services.edition_of(video)
    # All segments are listed, and the worker dies before its job is done.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videos.pipeline.ends.finish", lambda _job: None)
        assert pipeline.work(Job.Lane.FIRST)
    Job.objects.filter(video=edition).update(lease_until="2020-01-01T00:00Z")

    work_until_idle()

    video.refresh_from_db()
    assert len(Encode.of(video).tracks) == 2


def test_refusals_of_tracks(ready: Callable[[], Video], monkeypatch: pytest.MonkeyPatch) -> None:
    video = ready()
    about = {"filename": "a.m4a", "size_bytes": 5, "role": "dub"}

    with pytest.raises(UnknownLanguage):
        services.add_track_by_upload(video, language="no language", **about)  # type: ignore[arg-type]
    monkeypatch.setattr("videos.services.audio_tracks.MAX_ADDED_TRACKS", 0)
    with pytest.raises(TooManyTracks):
        services.add_track_by_upload(video, language="fr", **about)  # type: ignore[arg-type]
    monkeypatch.undo()
    services.add_track_by_upload(video, language="fr", **about)  # type: ignore[arg-type]
    with pytest.raises(EditionRuns):
        services.add_track_by_upload(video, language="fr", **about)  # type: ignore[arg-type]
    Video.objects.filter(edition_of=video).delete()
    video.width_px = None
    with pytest.raises(NoPicture):
        services.add_track_by_upload(video, language="fr", **about)  # type: ignore[arg-type]
    video.width_px, video.source_key = 426, ""
    with pytest.raises(NoOriginal):
        services.add_track_by_upload(video, language="fr", **about)  # type: ignore[arg-type]


def test_trim_cuts_added_tracks_and_the_original_has_them_whole(
    ready: Callable[[], Video], client: Client, tmp_path: Path
) -> None:
    video = ready()
    track = added(video, client, beeping(tmp_path / "dub.m4a", seconds=9))

    services.trim(video, parts=[(0, 3), (5, 9)])
    work_until_idle()
    video.refresh_from_db()
    cut = Encode.of(video).tracks[1]
    beeps = beeps_s(stored_file(video, cut, tmp_path / "cut.mp4"))
    reconciliation.reconcile()
    missing = list(Discrepancy.objects.all())
    services.restore_original(video)
    work_until_idle()
    video.refresh_from_db()
    services.trim(video, parts=[(0, 4)])
    work_until_idle()
    video.refresh_from_db()
    services.restore_original(video)
    work_until_idle()
    video.refresh_from_db()
    whole = Encode.of(video).tracks[1]

    assert (cut.name, cut.is_added, cut.role) == (track.name, True, "dub")
    assert beeps == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5], abs=0.03)
    assert missing == []
    assert len(beeps_s(stored_file(video, whole, tmp_path / "whole.mp4"))) == 9
    services.remove_track(video, track.name)
    assert not Rendition.objects.filter(video=video, is_added=True).exists()


def test_tracks_stay_as_they_are_while_a_trim_runs() -> None:
    """Hold it because the trim has copied them for its encode."""
    video = VideoFactory()
    common = {"encode_key": video.encode_key, "kind": "audio", "position": 1, "name": "audio-100"}
    Rendition.objects.create(
        video=video, **common, bitrate_bps=128_000, codecs="mp4a.40.2", is_added=True, language="de"
    )
    VideoFactory(edition_of=video, edition_kind="trim", channel=video.channel, encoded=False)

    with pytest.raises(EditionRuns):
        services.edit_track(video, "audio-100", label="Dub", language="de", role="dub")
    with pytest.raises(EditionRuns):
        services.remove_track(video, "audio-100")

    assert Rendition.objects.filter(video=video, is_added=True).exists()


def test_loudness_that_was_measured_before_a_track_was_removed_is_not_stored() -> None:
    video = VideoFactory()
    measured = Video.objects.get(pk=video.pk)
    Video.objects.filter(pk=video.pk).update(audio_version=1)

    loudness.publish(measured, [[-20.0, -3.0]])

    video.refresh_from_db()
    assert video.loudness is None


def test_removal_during_a_measurement_queues_another() -> None:
    video = VideoFactory()
    common = {"encode_key": video.encode_key, "kind": "audio", "position": 1, "name": "audio-100"}
    Rendition.objects.create(video=video, **common, bitrate_bps=128_000, codecs="mp4a.40.2", is_added=True)
    make_run(video, "audio", [4.0, 4.0], position=100, renditions=["audio-100"])
    Job.objects.create(
        video=video, encode_key=video.encode_key, kind=Job.Kind.LOUDNESS, status="running", attempt=1
    )

    services.remove_track(video, "audio-100")

    waiting = Job.objects.filter(video=video, kind=Job.Kind.LOUDNESS, status="waiting")
    assert waiting.count() == 1
