"""Tests of view counts: viewers count once, and scripts have to spend the time of a viewer."""

from __future__ import annotations

from collections.abc import Iterable
from unittest import mock

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from videos.models import Video
from videos.services import record_watching
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

NOON = 1_000_000.0


def watch(
    video: Video,
    reports: Iterable[tuple[float, float]],
    *,
    session: str = "",
    client: APIClient | None = None,
) -> str:
    """Send reports of (seconds since noon, position in seconds); return the session."""
    client = client or APIClient()
    for at_s, position_s in reports:
        with mock.patch("videos.services.watching.time", return_value=NOON + at_s):
            answer = client.post(
                f"/api/v1/videos/{video.public_id}/views/",
                {"position_s": position_s, "session": session},
                format="json",
            )
        assert answer.status_code == 200
        session = answer.json()["session"]
    return session


def views(video: Video) -> int:
    video.refresh_from_db()
    return video.view_count


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param([(0, 1), (10, 11), (20, 21), (30, 31)], id="from-the-first-second"),
        pytest.param([(0, 10), (10, 20), (20, 30)], id="every-ten-seconds"),
        pytest.param([(0, 2), (10, 22), (20, 42), (30, 62)], id="twice-as-fast"),
        pytest.param([(0, 1), (10, 300), (20, 310), (30, 40)], id="seeks"),
        pytest.param([(0, 10), (3600, 20), (3610, 30)], id="long-pause"),
        pytest.param([(0, 500), (10, 510), (20, 520)], id="resumed"),
    ],
)
def test_half_a_minute_of_watching_counts_once(reports: list[tuple[float, float]]) -> None:
    video = VideoFactory(duration_s=600)
    session = watch(video, reports[:-1])
    assert views(video) == 0

    session = watch(video, reports[-1:], session=session)
    assert views(video) == 1
    watch(video, [(3700, 100), (3710, 110), (3720, 120)], session=session)
    assert views(video) == 1


def test_short_video_counts_after_half_of_it() -> None:
    video = VideoFactory(duration_s=8)

    watch(video, [(0, 1), (7, 8)])

    assert views(video) == 1


def test_view_of_a_slow_playback_takes_as_long_as_its_seconds() -> None:
    video = VideoFactory(duration_s=600)

    session = watch(video, [(10 * report, 1 + 5 * report) for report in range(6)])
    assert views(video) == 0
    watch(video, [(60, 31)], session=session)
    assert views(video) == 1


@pytest.mark.parametrize("duration_s", [4, 12, 20, 600])
@pytest.mark.parametrize("position_s", [0, 4, 10, 600])
def test_single_report_is_no_view(duration_s: float, position_s: float) -> None:
    video = VideoFactory(duration_s=duration_s)

    watch(video, [(0, position_s)])

    assert views(video) == 0


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param([(0, position) for position in range(50)], id="faster-than-the-clock"),
        pytest.param([(10 * number, number % 2) for number in range(50)], id="two-positions"),
        pytest.param([(10 * number, 300 * (number % 2)) for number in range(50)], id="two-distant-positions"),
        pytest.param([(10 * number, 100) for number in range(50)], id="one-position"),
        pytest.param([(10 * number, 10 + 5 * (number % 3)) for number in range(50)], id="same-seconds"),
        pytest.param([(number / 50, 10 * number) for number in range(60)], id="jumps-within-a-second"),
    ],
)
def test_reports_without_watching_are_no_view(reports: list[tuple[float, float]]) -> None:
    video = VideoFactory(duration_s=600)

    watch(video, reports)

    assert views(video) == 0


def test_many_sessions_of_one_viewer_count_once() -> None:
    video = VideoFactory(duration_s=600)

    for _ in range(5):
        watch(video, [(0, 10), (10, 20), (20, 30)])

    assert views(video) == 1


def test_viewer_cannot_watch_many_videos_at_once() -> None:
    videos = [VideoFactory(duration_s=600) for _ in range(12)]
    client = APIClient()
    client.force_authenticate(UserFactory())

    for video in videos:
        watch(video, [(0, 10), (10, 20), (20, 30)], client=client)

    # 300 seconds in a minute, of which a view takes 30.
    assert sum(map(views, videos)) in {10, 11}


def test_session_of_another_video_and_a_forged_one_begin_again() -> None:
    video, other = VideoFactory(duration_s=600), VideoFactory(duration_s=600)
    session = watch(other, [(0, 10), (10, 20)])

    foreign = watch(video, [(20, 30)], session=session)
    forged = watch(video, [(20, 30)], session=session[:-3] + "abc")

    assert views(video) == 0
    assert len({one.split(":")[1] for one in (session, foreign, forged)}) == 3


def test_concurrent_reports_of_a_session_earn_one_of_them() -> None:
    video = VideoFactory(duration_s=600)
    session = record_watching(video, position_s=1, viewer="address-192.0.2.1")

    # Each reads the state before the other has written its own.
    with mock.patch("videos.services.watching.cache.get", return_value=(NOON, 1.0)):
        for position_s in (11, 21, 31):
            with mock.patch("videos.services.watching.time", return_value=NOON + 10):
                record_watching(video, position_s=position_s, session=session, viewer="address-192.0.2.1")

    assert views(video) == 0


def test_position_that_is_no_number_is_refused() -> None:
    video = VideoFactory(duration_s=600)

    for position in ("nan", "inf", -1, 10**9):
        answer = APIClient().post(
            f"/api/v1/videos/{video.public_id}/views/", {"position_s": position}, format="json"
        )
        assert answer.status_code == 400
