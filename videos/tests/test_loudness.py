"""Tests of the arithmetic of loudness, and of its place in the queue and the page."""

from __future__ import annotations

import pytest
from django.test import Client

from videos import loudness
from videos.models import Job
from videos.tests.factories import VideoFactory
from videos.transcoding.loudness import Loudness, joined, measure_args, read_reports

REPORT = b"""frame:9    pts:43200   pts_time:0.9
lavfi.r128.M=-20.001
lavfi.r128.I=%s
lavfi.r128.true_peaks_ch0=0.100
lavfi.r128.true_peaks_ch1=%s
"""


def test_last_report_counts() -> None:
    printed = REPORT % (b"-30.0", b"0.200") + REPORT % (b"-20.04", b"0.500")

    assert read_reports(printed) == Loudness(-20.0, -6.0)


@pytest.mark.parametrize("printed", [b"", REPORT % (b"-70.000", b"0.000"), b"lavfi.r128.I=-20.0\n"])
def test_silence_and_missing_reports_have_no_loudness(printed: bytes) -> None:
    assert read_reports(printed) is None


def test_parts_are_joined_by_their_energy() -> None:
    assert joined([(10, Loudness(-20, -3)), (10, Loudness(-20, -1))]) == Loudness(-20, -1)
    assert joined([(10, Loudness(-20, -3)), (90, Loudness(-50, -9))]) == Loudness(-30, -3)
    assert joined([]) is None


@pytest.mark.parametrize("duration_s", [0.1, 60, 12 * 3600])
def test_number_of_reports_is_bounded(duration_s: float) -> None:
    (filters,) = [word for word in measure_args(duration_s) if "ebur128" in word]
    step = int(filters.partition("mod(n,")[2].partition(")")[0])

    assert duration_s * 10 / step <= 60


@pytest.mark.django_db
def test_old_videos_are_queued_for_measurement_once() -> None:
    old, _measured = VideoFactory(), VideoFactory(loudness=[[-14.0, -1.0]])

    for _ in range(2):
        loudness.queue_missing()

    assert [job.video for job in Job.objects.filter(kind="loudness")] == [old]


@pytest.mark.django_db
def test_page_of_an_unmeasured_video_levels_nothing(client: Client) -> None:
    assert "data-levels" not in client.get(f"/watch/{VideoFactory().public_id}/").content.decode()
