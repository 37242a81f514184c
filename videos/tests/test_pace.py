"""The arithmetic of estimates."""

from __future__ import annotations

import pytest

from videos.pace import (
    COPY_UNITS,
    Queued,
    Stint,
    coarse,
    rest_of_download,
    rest_of_step,
    throughput,
    units_of_rung,
    units_until_end,
)


def test_rung_counts_by_its_pixels_and_a_copy_by_next_to_nothing() -> None:
    assert units_of_rung(1280, 720, 30, is_copied=False) == 1
    assert units_of_rung(1920, 1080, 60, is_copied=False) == 4.5
    assert units_of_rung(3840, 2160, 60, is_copied=True) == COPY_UNITS


def test_throughput_of_two_workers_at_once_is_that_of_both() -> None:
    assert throughput([Stint(10, 0, 10), Stint(10, 0, 10)]) == 2


def test_pauses_do_not_lower_the_throughput() -> None:
    assert throughput([Stint(10, 0, 10), Stint(10, 5, 15), Stint(10, 1000, 1005)]) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "stints", [[], [Stint(10, 0, 2)], [Stint(0, 0, 100)]], ids=["none", "short", "empty"]
)
def test_nothing_is_known_from_too_little(stints: list[Stint]) -> None:
    assert throughput(stints) is None


def test_a_clip_waits_for_as_much_of_a_film_as_its_own_work() -> None:
    clip, film = Queued(1, 1, 10), Queued(2, 2, 10_000)

    assert units_until_end(clip, [clip, film]) == 20
    assert units_until_end(film, [clip, film]) == 10_010


def test_many_uploads_of_one_person_are_one_channel() -> None:
    own = Queued(1, 1, 10)
    others = [Queued(number, 2, 10) for number in range(2, 52)]

    assert units_until_end(own, [own, *others]) == 20


def test_videos_of_one_channel_share_its_turns() -> None:
    own, older, other = Queued(1, 1, 10), Queued(2, 1, 30), Queued(3, 2, 1000)

    assert units_until_end(own, [own, older, other]) == 10 + 10 + 20


def test_video_alone_waits_for_itself_whether_the_queue_lists_it_or_not() -> None:
    own = Queued(1, 1, 10)

    assert units_until_end(own, []) == units_until_end(own, [Queued(1, 1, 40)]) == 10


def test_download_ends_at_its_speed_so_far() -> None:
    assert rest_of_download(25, 100, 10) == 30
    assert rest_of_download(0, 100, 10) is None
    assert rest_of_download(50, 0, 10) is None
    assert rest_of_download(1, 100, 1) is None


def test_step_takes_as_long_as_on_videos_of_like_length() -> None:
    earlier = [(60.0, 4.0)] * 5 + [(3600.0, 40.0)] * 5

    assert rest_of_step(60, 1, earlier) == 3
    assert rest_of_step(7200, 0, earlier) == 80
    # The fixed part does not shrink with the video.
    assert rest_of_step(10, 0, earlier) == 4


def test_step_without_an_example_or_behind_its_time_has_no_estimate() -> None:
    assert rest_of_step(60, 0, []) is None
    assert rest_of_step(60, 9, [(60.0, 4.0)]) is None


def test_estimates_come_in_steps() -> None:
    assert [coarse(seconds) for seconds in (0.2, 7, 58, 61, 233, 3629)] == [5, 5, 60, 60, 240, 3600]
