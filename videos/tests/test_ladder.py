from __future__ import annotations

from fractions import Fraction

import pytest

from videos.transcoding.ladder import LADDER, Rung, plan_ladder, rung_size
from videos.transcoding.source import SourceInfo, VideoStream


def source_of(width_px: int, height_px: int, rate: Fraction | int = 30) -> SourceInfo:
    video = VideoStream(0, "h264", width_px, height_px, Fraction(rate), duration_s=60)
    return SourceInfo("mov", duration_s=60, size_bytes=1, video=video)


def short_sides(source: SourceInfo, **options: int) -> list[int]:
    return [rung.short_side for rung in plan_ladder(source, **options)]


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((1920, 1080), [1080, 720, 480, 360]),
        ((1080, 1920), [1080, 720, 480, 360]),
        ((3840, 2160), [1080, 720, 480, 360]),
        ((1280, 720), [720, 480, 360]),
        ((1024, 576), [480, 360]),
        ((640, 360), [360]),
    ],
)
def test_rungs_follow_the_short_side_without_upscaling(size: tuple[int, int], sides: list[int]) -> None:
    assert short_sides(source_of(*size)) == sides


def test_higher_maximum_adds_rungs_for_a_large_source() -> None:
    assert short_sides(source_of(3840, 2160), max_short_side=2160) == [2160, 1440, 1080, 720, 480, 360]


@pytest.mark.parametrize(
    ("size", "sides"), [((853, 479), [479, 360]), ((1920, 1068), [1068, 720, 480, 360]), ((960, 400), [360])]
)
def test_source_slightly_below_a_rung_keeps_its_size(size: tuple[int, int], sides: list[int]) -> None:
    assert short_sides(source_of(*size)) == sides


def test_small_source_gets_one_rung_with_a_lower_bitrate() -> None:
    (rung,) = plan_ladder(source_of(320, 180))

    assert rung == Rung(180, 258_000)


def test_smallest_source_gets_the_lowest_bitrate() -> None:
    assert plan_ladder(source_of(1, 1)) == (Rung(1, 100_000),)


def test_bitrates_up_to_30_fps_are_those_of_the_ladder() -> None:
    assert plan_ladder(source_of(1920, 1080, 25)) == LADDER[2:]


def test_bitrates_at_60_fps_are_half_as_high_again() -> None:
    assert plan_ladder(source_of(1920, 1080, 60))[0] == Rung(1080, 6_750_000)


def test_audio_source_has_no_rungs() -> None:
    assert plan_ladder(SourceInfo("mp3", duration_s=60, size_bytes=1)) == ()


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((1920, 1080), 720, (1280, 720)),
        ((1080, 1920), 720, (720, 1280)),
        ((1920, 1080), 480, (854, 480)),
        ((853, 479), 479, (852, 478)),
        ((1920, 800), 360, (864, 360)),
        ((3026, 1386), 1080, (2358, 1080)),
        ((3840, 64), 64, (3840, 64)),
        ((8000, 400), 400, (4096, 204)),
        ((10, 8), 8, (80, 64)),
        ((1, 1), 1, (64, 64)),
        ((4000, 2), 2, (4096, 64)),
    ],
)
def test_rung_size_is_even_proportional_and_decodable(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    assert rung_size(source_of(*size), Rung(short_side, 1)) == expected


@pytest.mark.parametrize("height_px", range(360, 1081, 7))
def test_every_rung_is_even_and_no_larger_than_its_source(height_px: int) -> None:
    source = source_of(height_px * 16 // 9, height_px)

    for rung in plan_ladder(source):
        width, height = rung_size(source, rung)
        assert width % 2 == height % 2 == 0
        # Rounding to even may add one pixel, never a rung.
        assert height <= height_px
        assert width <= height_px * 16 // 9 + 1
