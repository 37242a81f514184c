"""Sources whose streams are copied, with real S3 and rows in SQL."""

from __future__ import annotations

import struct
import subprocess
import threading
from array import array
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone

from common import storage
from common.media.fragments import FragmentReader, Movie, Sample
from common.models import PendingDeletion
from videos import cleaning, copying, demand, pipeline
from videos.models import Job, Rendition, Video
from videos.publishing import Encode, multivariant_playlist
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import Uploaded, uploaded, work_until_idle
from videos.transcoding import chunks
from videos.transcoding.copying.segments import CopiedTracks
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]


def joined(video: Video, name: str, path: Path) -> Path:
    """Write the stored bytes of a rendition, as a player appends them, to ``path``."""
    encode = Encode.of(video)
    rendition = next(one for one in encode.renditions if one.name == name)
    placed = encode.segments(rendition)
    names = [placed[0].init_name, *(segment.name for segment in placed)]
    keys = [f"{video.encode_prefix}{one}" for one in names]
    client = storage.client()
    bodies = [client.get_object(Bucket=django_settings.S3_BUCKET, Key=key)["Body"].read() for key in keys]
    path.write_bytes(b"".join(bodies))
    return path


def checksums(path: Path, stream: str = "0:v", *options: str) -> list[str]:
    """Return the checksum of each frame that FFmpeg writes: a decoded one, without other options."""
    command = [
        ffmpeg_path(), "-v", "error", "-i", str(path), "-map", stream, "-fps_mode", "passthrough",
        *options, "-f", "framemd5", "-",
    ]  # fmt: skip
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def flashing(path: Path, rate: str, *, is_uneven: bool = False) -> Path:
    """Draw a clip with a flash and a beep at the beginning of each second."""
    uneven = ",select='lt(mod(n\\,8)\\,2)+eq(mod(n\\,8)\\,5)'" if is_uneven else ""
    flash = "drawbox=c=white:t=fill:enable='lt(mod(t+0.001\\,1)\\,0.09)'"
    beep = "aevalsrc='if(lt(mod(t\\,1)\\,0.05)\\,0.8*sin(2*PI*1000*t)\\,0)':s=48000:d=11"
    command = [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", f"color=black:s=640x480:r={rate}:d=11,{flash}{uneven}",
        "-f", "lavfi", "-i", beep,
        "-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2",
        "-force_key_frames", "expr:gte(t,n_forced*1.7)",
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
        "-c:a", "libopus" if "opus" in path.name else "aac",
        *(["-movflags", "+frag_keyframe+empty_moov+delay_moov"] if "fragmented" in path.name else []),
        str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def flashes_s(path: Path, times_s: list[float]) -> list[float]:
    """Return the times of the frames that turn white; ``times_s`` are those of all frames."""
    command = [
        ffmpeg_path(), "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough",
        "-vf", "scale=1:1,format=gray", "-f", "rawvideo", "-",
    ]  # fmt: skip
    grey = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(grey) == len(times_s)
    changes = zip(times_s, pairwise([0, *grey]), strict=True)
    return [at_s for at_s, (before, now) in changes if before < 128 <= now]


def shown_s(path: Path) -> list[float]:
    """Return the presentation times of the frames of a whole file."""
    command = [ffprobe_path(), "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time"]
    found = subprocess.run([*command, "-of", "csv=p=0", str(path)], capture_output=True, check=True).stdout
    return sorted(float(line.strip(b",")) for line in found.split())


def beeps_s(path: Path) -> list[float]:
    """Return the times of the beeps in stored audio, from the times of its blocks."""
    samples = samples_of(path)
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), "-ac", "1", "-f", "s16le", "-"]
    sound = array("h", subprocess.run(command, capture_output=True, check=True).stdout)
    rate = samples[0][2]
    loud = [at for at, value in enumerate(sound) if abs(value) > 3000]
    begins = [now for before, now in pairwise([-rate, *loud]) if now - before > rate / 2]
    return [samples[at // 1024][0] / rate + at % 1024 / rate for at in begins]


def samples_of(path: Path) -> list[tuple[int, int, int]]:
    """Return decoding time, presentation time and timescale of each sample of a stored rendition."""
    pieces = list(FragmentReader().feed(path.read_bytes()))
    timescale = next(piece.tracks[0].timescale for piece in pieces if isinstance(piece, Movie))
    return [
        (piece.decode_time, piece.decode_time + piece.composition_offset, timescale)
        for piece in pieces
        if isinstance(piece, Sample)
    ]


def assert_steps_are_exact(times_s: list[float], rate: Fraction) -> None:
    """Assert that every frame lies on the grid of ``rate``, whatever the container rounds to."""
    assert times_s == pytest.approx([round(time_s * rate) / rate for time_s in times_s], abs=1e-4)


@pytest.mark.parametrize(
    ("rate", "is_uneven", "name"),
    [
        ("24000/1001", False, "clip.mp4"),
        ("25", False, "clip.mp4"),
        ("30000/1001", False, "clip.mp4"),
        ("30", False, "clip.mp4"),
        ("50", False, "clip.mp4"),
        ("60000/1001", False, "clip.mp4"),
        ("60", True, "clip.mp4"),
        ("30000/1001", False, "clip.mkv"),
        ("60", True, "clip.mkv"),
        ("30", False, "clip.flv"),
        ("25", False, "fragmented.mp4"),
        ("30", False, "opus.mkv"),
        ("25", False, "opus.mp4"),
    ],
)
def test_flash_and_beep_stay_together_in_every_rendition(
    rate: str, *, is_uneven: bool, name: str, uploaded: Uploaded, tmp_path: Path, settings: Any
) -> None:
    settings.COPY_BITRATE_FACTOR = 0.0  # black frames are cheap, and no rung would be encoded
    clip = flashing(tmp_path / name, rate, is_uneven=is_uneven)
    video = uploaded(clip)

    work_until_idle()

    video.refresh_from_db()
    first_s, *_ = in_file = shown_s(clip)
    expected = flashes_s(clip, [time_s - first_s for time_s in in_file])
    times = []
    for rung in ("source", "360p"):
        path = joined(video, rung, tmp_path / f"{rung}.mp4")
        times_s = sorted(shown / timescale for _, shown, timescale in samples_of(path))
        assert flashes_s(path, times_s) == pytest.approx(expected, abs=0.002)
        times.append(times_s)
    assert times[0] == times[1]
    assert_steps_are_exact(times[0], Fraction(rate))
    beeps = beeps_s(joined(video, "audio-0", tmp_path / "audio.mp4"))
    assert len(expected) == 11
    assert beeps[1:] == pytest.approx(range(1, 11), abs=0.015)
    # The priming block of an encode replaces the first samples.
    assert beeps[0] == pytest.approx(0, abs=0.03 if "opus" in name else 0.015)


def names_offered(video: Video) -> list[str]:
    text = multivariant_playlist(Encode.of(video), str)
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("kind", ["copiable", "copiable_vfr"])
def test_copied_frames_are_those_of_the_source(
    kind: str, uploaded: Uploaded, clips: Path, tmp_path: Path
) -> None:
    clip = make_clip(kind, clips, seconds=13, size="640x480")
    video = uploaded(clip)

    work_until_idle()

    video.refresh_from_db()
    assert video.status == Video.Status.READY
    assert checksums(joined(video, "source", tmp_path / "copy.mp4")) == checksums(clip)


def test_copied_video_is_playable_before_anything_is_encoded(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))

    for _ in range(3):  # the plan, the first segment, the audio
        assert pipeline.work(Job.Lane.FIRST)

    video.refresh_from_db()
    assert video.is_playable
    filled = [run.renditions for run in video.runs.exclude(segments=[]).order_by("kind")]
    assert filled == [["audio-0"], ["source"]]


def test_asked_for_part_of_a_copy_comes_next_and_its_audio_stays_whole(
    uploaded: Uploaded, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_SEGMENTS_A_COPY", 2)
    clip = make_clip("copiable", clips, seconds=21, size="320x240")
    video = uploaded(clip)
    for _ in range(3):  # the plan, the first segment, the first one of the audio
        assert pipeline.work(Job.Lane.FIRST)
    video.refresh_from_db()
    encode = Encode.of(video)

    for name in ("source", "audio-0"):
        rendition = encode.rendition(name)
        assert rendition
        assert demand.bring_forward(encode, rendition, 4)
        assert pipeline.work(Job.Lane.FIRST)
    filled = video.runs.exclude(segments=[])
    stored = {(run.renditions[0], run.first_segment) for run in filled}
    work_until_idle()

    assert stored == {("source", 0), ("audio-0", 0), ("source", 3), ("audio-0", 3)}
    video.refresh_from_db()
    assert video.status == Video.Status.READY
    audio = joined(video, "audio-0", tmp_path / "audio.mp4")
    times = [decoded for decoded, _, _ in samples_of(audio)]
    assert {after - before for before, after in pairwise(times)} == {1024}
    copied, blocks = (checksums(path, "0:a", "-c", "copy") for path in (audio, clip))
    # Without the encoder's first block, and without one that begins behind the last frame.
    assert len(blocks) - len(copied) <= 2
    assert copied == blocks[1 : len(copied) + 1]


def test_rendition_with_a_first_segment_is_listed_first(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=13, size="640x480"))

    for _ in range(3):  # the plan, the first segment of the lowest rung, the audio
        assert pipeline.work(Job.Lane.FIRST)

    video.refresh_from_db()
    assert names_offered(video) == ["360p", "480p"]


def test_copy_goes_on_behind_its_last_stored_chunk(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))
    put_bytes = storage.put_bytes

    def fail_at_2(key: str, data: bytes) -> int:
        if key.endswith("source/1-1/2.m4s"):
            raise EndpointConnectionError(endpoint_url="http://s3")
        return put_bytes(key, data)

    with mock.patch("common.storage.put_bytes", side_effect=fail_at_2):
        work_until_idle()
    Job.objects.filter(video=video).update(not_before=timezone.now())
    work_until_idle()

    video.refresh_from_db()
    copies = [run for run in video.runs.order_by("position") if run.renditions == ["source"]]
    assert video.status == Video.Status.READY
    assert [run.attempt for run in copies] == [1, 2]


def test_lease_is_renewed_while_the_tables_of_a_copy_are_read(
    uploaded: Uploaded, clips: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COPY_BITRATE_FACTOR = 0.0  # for an encode beside the copy
    uploaded(make_clip("copiable", clips, seconds=9, size="640x480"))
    pipeline.work(Job.Lane.FIRST)
    renewed, found = threading.Event(), list[bool]()
    tracks_of_video = copying.tracks_of_video

    def renew_lease(*_arguments: Any, **_fields: Any) -> bool:
        if threading.current_thread().name == "lease":
            renewed.set()
        return True

    def read_slowly(*arguments: Any, **options: Any) -> CopiedTracks:
        renewed.clear()
        found.append(renewed.wait(5))
        return tracks_of_video(*arguments, **options)

    monkeypatch.setattr("videos.leases.RENEWALS_PER_LEASE", 10_000)
    monkeypatch.setattr(Job, "renew_lease", renew_lease)
    monkeypatch.setattr(copying, "tracks_of_video", read_slowly)
    while pipeline.work(Job.Lane.FIRST):
        pass

    assert len(found) >= 3  # the copies of both tracks, and an encode
    assert all(found)


def test_source_that_contradicts_its_tables_becomes_ready_by_an_encode(
    uploaded: Uploaded, tmp_path: Path
) -> None:
    path = tmp_path / "liar.mp4"
    command = [
        ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=30",
        "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-g", "100", "-keyint_min", "100",
        "-sc_threshold", "0", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
        str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    data = path.read_bytes()
    # The third keyframe, at 8 s, is not the one that the table names.
    at = data.index(b"stss") + 12 + 4 * 2
    (number,) = struct.unpack_from(">I", data, at)
    path.write_bytes(data[:at] + struct.pack(">I", number + 1) + data[at + 4 :])
    video = uploaded(path)
    first_key = video.encode_key

    work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.copy_refusal) == (Video.Status.READY, "open_gops")
    assert video.encode_key != first_key
    assert not video.renditions.filter(is_copied=True).exists()
    assert video.duration_s == pytest.approx(30, abs=0.1)


@pytest.fixture
def interim(uploaded: Uploaded, clips: Path, settings: Any) -> Callable[[], Video]:
    """Return a function that encodes a video whose copy is dearer than its best rung."""

    def make() -> Video:
        settings.COPY_BITRATE_FACTOR = 0.0
        video = uploaded(make_clip("copiable", clips, seconds=9, size="640x480"))
        work_until_idle()
        video.refresh_from_db()
        return video

    return make


def test_dear_copy_is_offered_until_the_encode_is_complete(
    uploaded: Uploaded, clips: Path, settings: Any
) -> None:
    settings.COPY_BITRATE_FACTOR = 0.0
    video = uploaded(make_clip("copiable", clips, seconds=13, size="640x480"))
    while pipeline.work(Job.Lane.FIRST):
        pass
    video.refresh_from_db()
    before = names_offered(video)

    work_until_idle()

    video.refresh_from_db()
    assert (before, names_offered(video)) == (["source", "480p", "360p"], ["480p", "360p"])


def test_retired_copy_still_answers_players_that_know_it(interim: Callable[[], Video], client: Any) -> None:
    video = interim()

    answer = client.get(reverse("hls-media", args=[video.public_id, video.encode_key, "source"]))

    assert answer.status_code == 200
    assert b"#EXT-X-ENDLIST" in answer.content


def test_retired_copy_is_deleted_when_no_player_can_hold_it(interim: Callable[[], Video]) -> None:
    video = interim()
    cleaning.delete_retired_renditions()
    kept = Rendition.objects.filter(video=video, name="source").exists()
    Rendition.objects.filter(video=video, name="source").update(
        retired_at=timezone.now() - timedelta(hours=8)
    )

    cleaning.delete_retired_renditions()

    folder = f"{video.encode_prefix}source"
    paths = set(PendingDeletion.objects.values_list("path", flat=True))
    due_at = PendingDeletion.objects.get(path=f"{folder}/").next_try_at
    assert kept
    assert {f"{folder}/", f"{folder}.m3u8"} <= paths
    assert due_at > timezone.now() + timedelta(hours=6)
    assert not Rendition.objects.filter(video=video, name="source").exists()
    assert Encode.of(video).is_complete
