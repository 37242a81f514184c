"""Tests of the plan of a storyboard and of its WebVTT."""

from __future__ import annotations

import re

import pytest

from videos.transcoding.storyboard import (
    MAX_STILLS,
    Storyboard,
    chosen_segments,
    dense_times,
    tile_size,
    with_addresses,
)


@pytest.mark.parametrize(
    ("video", "tile"),
    [
        ((1920, 1080), (160, 90)),
        ((1080, 1920), (112, 200)),
        ((640, 480), (160, 120)),
        ((1000, 1000), (160, 160)),
        ((3840, 16), (160, 2)),
        ((16, 3840), (2, 200)),
    ],
)
def test_tile_has_the_proportions_of_the_video(video: tuple[int, int], tile: tuple[int, int]) -> None:
    assert tile_size(*video) == tile


def test_interval_grows_with_the_length() -> None:
    steps = []
    for count in (3, MAX_STILLS, MAX_STILLS + 1, 12 * 900):
        chosen = chosen_segments([4.0 * number for number in range(count)])
        assert len(chosen) <= MAX_STILLS
        steps.append(chosen[1])

    assert steps == [1, 1, 2, 18]


@pytest.mark.parametrize(("duration_s", "count"), [(5, 5), (9.04, 10), (120, 120)])
def test_short_video_has_a_still_for_each_second(duration_s: float, count: int) -> None:
    assert dense_times(duration_s) == tuple(float(second) for second in range(count))


@pytest.mark.parametrize(
    ("duration_s", "times_s"), [(0.04, (0,)), (0.3, (0, 0.1, 0.2)), (3, (0, 0.6, 1.2, 1.8, 2.4))]
)
def test_very_short_video_has_five_stills_if_it_can(duration_s: float, times_s: tuple[float, ...]) -> None:
    assert dense_times(duration_s) == pytest.approx(times_s)


def test_webvtt_maps_times_to_rectangles() -> None:
    board = Storyboard((160, 90), tuple(4.0 * number for number in range(27)), 3727.5)
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)\n", board.webvtt())

    assert board.sheet_count == 2
    assert len(cues) == 27
    assert cues[0] == ("00:00:00.000", "00:00:04.000", "0.jpg#xywh=0,0,160,90")
    assert cues[6] == ("00:00:24.000", "00:00:28.000", "0.jpg#xywh=160,90,160,90")
    assert cues[25][2] == "1.jpg#xywh=0,0,160,90"
    assert cues[26] == ("00:01:44.000", "01:02:07.500", "1.jpg#xywh=160,0,160,90")


def test_still_at_the_end_of_the_video_has_a_cue() -> None:
    assert "00:00:04.000 --> 00:00:04.001" in Storyboard((160, 90), (0.0, 4.0), 4.0).webvtt()


def test_each_sheet_gets_its_address_once() -> None:
    asked = []

    def address(name: str) -> str:
        asked.append(name)
        return f"https://s3.example/{name}?sig=1"

    text = with_addresses(Storyboard((160, 90), tuple(map(float, range(26))), 26).webvtt(), address)

    assert asked == ["0.jpg", "1.jpg"]
    assert "\nhttps://s3.example/1.jpg?sig=1#xywh=0,0,160,90\n" in text
