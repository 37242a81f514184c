"""Subtitles inside a source: found by the probe, extracted by FFmpeg, stored as captions."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from common import storage
from videos import pipeline
from videos.models import CaptionTrack, Job, Video
from videos.tests.encoding import probe_file
from videos.tests.factories import VideoFactory
from videos.transcoding.captions import read_captions
from videos.transcoding.leftovers import LeftOut, left_out_of
from videos.transcoding.source import SourceInfo
from videos.transcoding.subtitles import SubtitleStream, subtitles_of
from videos.transcoding.tools import ffmpeg_path

SRT = "1\n00:00:00,500 --> 00:00:01,500\nHello <i>there</i>\n\n2\n00:00:02,000 --> 00:00:03,000\n你好\n"


def stream(index: int, codec: str, language: str = "", **disposition: int) -> dict[str, Any]:
    tags = {"language": language} if language else {}
    named = {"index": index, "codec_type": "subtitle", "codec_name": codec}
    return named | {"tags": tags, "disposition": disposition}


def test_one_whole_text_track_of_each_language_is_chosen() -> None:
    streams = [
        stream(2, "subrip", "eng", forced=1),
        stream(3, "subrip", "eng"),
        stream(4, "hdmv_pgs_subtitle", "ger"),
        stream(5, "ass", "chi"),
        stream(6, "mov_text"),
        {"index": 0, "codec_type": "video", "codec_name": "h264"},
    ]

    assert subtitles_of(streams) == (
        SubtitleStream(3, "subrip", "eng"),
        SubtitleStream(5, "ass", "chi"),
        SubtitleStream(6, "mov_text"),
    )


def test_subtitles_survive_storing() -> None:
    source = SourceInfo("mov", 1.0, 1, subtitles=(SubtitleStream(2, "mov_text", "eng"),))

    assert SourceInfo.from_json(source.to_json()) == source


def film(path: Path, *codecs: str) -> Path:
    """Write a clip with a subtitle track in each of ``codecs``, in English, Chinese and German."""
    text = path.with_suffix(".srt")
    text.write_text(SRT)
    inputs = [argument for _ in codecs for argument in ("-i", str(text))]
    maps = [argument for number in range(len(codecs)) for argument in ("-map", str(number + 2))]
    languages = ["eng", "chi", "ger"]
    options = [
        argument
        for number, codec in enumerate(codecs)
        for argument in (f"-c:s:{number}", codec, f"-metadata:s:s:{number}", f"language={languages[number]}")
    ]
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-nostdin", "-y",
            "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4",
            "-f", "lavfi", "-i", "sine=duration=4",
            *inputs, "-map", "0", "-map", "1", *maps,
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac",
            *options, str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


@pytest.mark.ffmpeg
def test_bitmap_subtitles_are_left_out_and_text_is_not(tmp_path: Path) -> None:
    source = probe_file(film(tmp_path / "film.mkv", "subrip", "ass"))

    assert [track.codec for track in source.subtitles] == ["subrip", "ass"]
    assert source.left_out == ()
    streams = [stream(0, "hdmv_pgs_subtitle"), stream(1, "subrip")]

    assert left_out_of(streams, used=[1], own=[]) == (LeftOut("subtitles", 1, ("hdmv_pgs_subtitle",)),)


@pytest.mark.django_db
@pytest.mark.storage
@pytest.mark.ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codecs"), [("film.mp4", ["mov_text", "mov_text"]), ("film.mkv", ["subrip", "ass", "webvtt"])]
)
def test_subtitles_of_a_film_become_captions(
    name: str, codecs: list[str], bucket: str, tmp_path: Path
) -> None:
    path = film(tmp_path / name, *codecs)
    video = uploaded(path)
    kept = CaptionTrack.objects.create(video=video, language="zh", key="mine.vtt", cue_count=1)

    while pipeline.work(Job.Lane.BULK):
        pass

    video.refresh_from_db()
    assert video.status == "ready"
    job = video.jobs.get(kind=Job.Kind.SUBTITLES)
    assert job.status == "done", job.error_detail
    tracks = {track.language: track for track in video.captions.all()}
    assert sorted(tracks) == sorted(["en", "zh", *(["de"] if len(codecs) > 2 else [])])
    assert (tracks["zh"].key, tracks["zh"].origin) == (kept.key, "owner")
    assert (tracks["en"].origin, tracks["en"].label, tracks["en"].cue_count) == ("embedded", "English", 2)
    stored = storage.read_range(tracks["en"].key, 0, 10_000)
    cues = read_captions(stored, language="en").cues
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in cues] == [
        (500, 1500, "Hello <i>there</i>"),
        (2000, 3000, "你好"),
    ]


def uploaded(path: Path) -> Video:
    video = VideoFactory(
        status=Video.Status.PROCESSING,
        is_playable=False,
        duration_s=None,
        encoded=False,
        source_filename=path.name,
        source_size_bytes=path.stat().st_size,
    )
    storage.client().upload_file(str(path), settings.S3_BUCKET, video.source_key)
    Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=Job.Lane.FIRST)
    return video
