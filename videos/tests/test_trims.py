"""Trims of encoded clips, with real FFmpeg, S3 and rows in SQL."""

from __future__ import annotations

import math
import subprocess
from array import array
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError
from django.test import Client
from django.utils import timezone

from common import reconciliation
from live.tests.hls_checker import faults
from videos import services
from videos.models import Job, Video
from videos.publishing import Encode
from videos.tests.clips import make_clip
from videos.tests.counting import counting, numbers_shown
from videos.tests.test_copying import beeps_s, joined
from videos.tests.test_keyframe_playlists import fetcher
from videos.tests.test_pipeline import Uploaded, uploaded, work_until_idle
from videos.transcoding.timeline import KeptParts
from videos.transcoding.tools import ffmpeg_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

AV_OFF_S = 0.015


def trimmed(video: Video, *parts: tuple[float, float]) -> Video:
    services.trim(video, parts=parts)
    work_until_idle()
    return Video.objects.get(pk=video.pk)


@pytest.mark.parametrize("is_copied", [False, True])
def test_kept_frames_and_beeps_keep_their_places_in_every_rendition(
    is_copied: bool, uploaded: Uploaded, tmp_path: Path, settings: Any, client: Client
) -> None:
    settings.COPY_BITRATE_FACTOR = 100.0
    # A copy is cut at its keyframes, beside the regular grid.  Without keyframes, there is none.
    keyframes = ("-force_key_frames", "expr:gte(t,n_forced*1.7)") if is_copied else ("-g", "1000")
    clip = counting(tmp_path / "clip.mp4", 10, "30", *keyframes, size="854x480")
    video = uploaded(clip)
    work_until_idle()
    video.refresh_from_db()
    names = [rung.name for rung in Encode.of(video).offered]
    assert names == (["source", "360p"] if is_copied else ["480p", "360p"])

    video = trimmed(video, (1.21, 3.51), (6.5, 9.9))

    assert [rung.name for rung in Encode.of(video).offered] == names
    expected = [*range(36, 105), *range(195, 297)]
    for name in names:
        assert numbers_shown(joined(video, name, tmp_path / "joined.mp4")) == expected, name
    assert video.duration_s == pytest.approx(len(expected) / 30, abs=0.001)
    kept = video.timeline
    assert kept == KeptParts.of([(1.2, 3.5), (6.5, 9.9)])
    beeps = [kept.moved_s(second) for second in (2, 3, 7, 8, 9)]
    found = beeps_s(joined(video, "audio-0", tmp_path / "audio.mp4"))
    assert found == pytest.approx(beeps, abs=AV_OFF_S)
    assert faults(fetcher(client, video), have_same_frames=True) == []


def test_audio_does_not_click_at_seams(uploaded: Uploaded, clips: Path, tmp_path: Path) -> None:
    video = uploaded(make_clip("landscape", clips, seconds=20))
    work_until_idle()
    video.refresh_from_db()

    video = trimmed(video, (1.234, 5.678), (7.7, 12.345), (13.001, 19))

    path = joined(video, "audio-0", tmp_path / "audio.mp4")
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), "-ac", "1", "-f", "f32le", "-"]
    sound = array("f", subprocess.run(command, capture_output=True, check=True).stdout)
    level = max(sound[96_000:120_000])
    # A sine of 440 Hz rises by this much from one sample to the next; a click by its whole level.
    steepest = level * 2 * math.pi * 440 / 48_000
    assert max(abs(after - before) for before, after in pairwise(sound[2048:])) < 2.5 * steepest
    assert len(sound) / 48_000 == pytest.approx(video.duration_s, abs=0.03)


def test_trimmed_video_is_trimmed_again_after_an_outage_and_restored_whole(
    uploaded: Uploaded, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_AFTER", timedelta(days=-1))
    video = uploaded(counting(tmp_path / "clip.mp4", 10, "25", "-g", "50"))
    work_until_idle()
    video.refresh_from_db()
    name = Encode.of(video).offered[0].name

    video = trimmed(video, (1, 9))
    services.trim(video, parts=[(2, 3), (5, 7.52)])
    outage = [1, 1, *[EndpointConnectionError(endpoint_url="s3")] * 9]
    with mock.patch("common.storage.put_bytes", side_effect=outage):
        work_until_idle()
    assert Job.objects.filter(waits_for="storage").exists()
    Job.objects.filter(status=Job.Status.WAITING).update(not_before=timezone.now())
    work_until_idle()

    video = Video.objects.get(pk=video.pk)
    expected = [*range(75, 100), *range(150, 213)]
    assert numbers_shown(joined(video, name, tmp_path / "joined.mp4")) == expected
    assert video.timeline == KeptParts.of([(3, 4), (6, 8.52)])
    assert faults(fetcher(client, video), have_same_frames=True) == []
    assert reconciliation.reconcile() == 0
    assert client.get(video.get_absolute_url()).status_code == 200

    services.restore_original(video)
    work_until_idle()
    video = Video.objects.get(pk=video.pk)
    assert numbers_shown(joined(video, name, tmp_path / "joined.mp4")) == list(range(250))


def test_audio_alone_is_trimmed(uploaded: Uploaded, clips: Path, client: Client) -> None:
    video = uploaded(make_clip("audio_with_cover", clips, seconds=12))
    work_until_idle()
    video.refresh_from_db()

    video = trimmed(video, (1.5, 4), (6, 11))

    assert video.duration_s == pytest.approx(7.5, abs=0.001)
    assert video.poster_key.startswith(video.encode_prefix)
    assert faults(fetcher(client, video)) == []


UNEVEN = ("-vf", "select='lt(mod(n\\,8)\\,2)+eq(mod(n\\,8)\\,5)'", "-fps_mode", "vfr", "-profile:v", "main")


@pytest.mark.parametrize(
    ("rate", "options"),
    [("30000/1001", ("-profile:v", "baseline", "-bf", "0")), ("60", UNEVEN), ("60000/1001", ("-bf", "3"))],
)
def test_copies_of_every_profile_and_rate_are_cut_at_the_frames_on_screen(
    rate: str, options: tuple[str, ...], uploaded: Uploaded, tmp_path: Path, settings: Any, client: Client
) -> None:
    settings.COPY_BITRATE_FACTOR = 100.0
    clip = counting(tmp_path / "clip.mp4", 8, rate, "-g", "50", *options)
    video = uploaded(clip)
    work_until_idle()
    video.refresh_from_db()
    assert [rung.name for rung in Encode.of(video).offered] == ["source"]
    shown = [(number, number / float(Fraction(rate))) for number in numbers_shown(clip)]

    video = trimmed(video, (1.21, 3.5), (5.03, 7.3))

    bounds = [max(at_s for _, at_s in shown if at_s < end_s + 0.002) for end_s in (1.21, 3.5, 5.03, 7.3)]
    kept = [
        number for number, at_s in shown if bounds[0] <= at_s < bounds[1] or bounds[2] <= at_s < bounds[3]
    ]
    assert numbers_shown(joined(video, "source", tmp_path / "joined.mp4")) == kept
    found = faults(fetcher(client, video), have_same_frames=True)
    # A variable rate is that of the whole video, and parts of it differ a little.
    assert [fault for fault in found if options != UNEVEN or "FRAME-RATE" not in fault] == []
