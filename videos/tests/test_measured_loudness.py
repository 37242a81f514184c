"""Loudness of uploads with known tones, measured by the worker on the stored segments."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from django.test import Client

from videos import loudness, pipeline, queue
from videos.models import Job, Video
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import uploaded, work_until_idle
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.tools import ffmpeg_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

Uploaded = Callable[..., Video]


def tones(path: Path, *amplitudes: float, seconds: int = 6) -> Path:
    """Write a clip with a stereo track for each amplitude: a tone of 1 kHz, which needs no weighting."""
    if not path.exists():
        sounds = [
            option
            for amplitude in amplitudes
            for option in ("-f", "lavfi", "-i", _tone(amplitude, seconds))
        ]  # fmt: skip
        maps = [option for index in range(len(amplitudes)) for option in ("-map", f"{index}:a")]
        path.parent.mkdir(parents=True, exist_ok=True)
        argv = [
            ffmpeg_path(),
            "-v",
            "error",
            "-nostdin",
            "-y",
            *sounds,
            *maps,
            "-c:a",
            "pcm_s16le",
            str(path),
        ]
        subprocess.run(argv, check=True)
    return path


def _tone(amplitude: float, seconds: int) -> str:
    wave = f"{amplitude}*sin(2*PI*1000*t)"
    return f"aevalsrc={wave}|{wave}:s=48000:d={seconds}"


def test_each_audio_track_is_measured(uploaded: Uploaded, clips: Path, client: Client) -> None:
    video = uploaded(tones(clips / "tones.mkv", 0.1, 0.5, 0.0))

    work_until_idle()

    video.refresh_from_db()
    quiet, loud, silent = video.loudness or []
    assert quiet == pytest.approx([-20, -20], abs=1)
    assert loud == pytest.approx([-6, -6], abs=1)
    assert silent is None
    playback = client.get(f"/api/v1/videos/{video.public_id}/").json()["playback"]
    page = client.get(f"/watch/{video.public_id}/").content.decode()
    assert playback["loudness"][1] == {"integrated_lufs": loud[0], "true_peak_dbtp": loud[1]}
    assert f'data-levels="[[{quiet[0]}, {quiet[1]}], ' in page


def test_measurement_comes_after_the_video_is_ready(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=5))
    while Job.objects.needed().exclude(status="done").exists():
        pipeline.work(Job.Lane.BULK)
    video.refresh_from_db()

    waiting = video.jobs.exclude(status="done").values_list("kind", "lane")

    assert video.status == "ready"
    assert sorted(waiting) == [("loudness", Job.Lane.AFTER), ("storyboard", Job.Lane.AFTER)]


def test_video_without_audio_is_not_measured(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))

    work_until_idle()

    assert not video.jobs.filter(kind="loudness").exists()


def test_failed_measurement_leaves_the_video_ready(uploaded: Uploaded, clips: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=5))

    with (
        mock.patch.object(loudness, "measure", side_effect=EncodeFailed("no sound")),
        mock.patch.object(queue, "MAX_FAILURES", 1),
    ):
        work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.loudness) == ("ready", None)
    assert video.jobs.get(kind="loudness").error_detail == "no sound"
