"""Tests of placing frames with wrong times on one timeline."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from live.ingest.clock import STUCK_FRAMES, Clock
from live.ingest.frames import Frame

FRAME_MS = 100 / 3
SOUND_MS = 64 / 3


def video(number: int, time_ms: int | None = None) -> Frame:
    """Return the ``number``-th of 30 frames a second, arriving in time."""
    at_ms = round(number * FRAME_MS)
    return Frame("video", at_ms if time_ms is None else time_ms, b"", at_ms / 1000)


def audio(number: int, time_ms: int | None = None) -> Frame:
    at_ms = round(number * SOUND_MS)
    return Frame("audio", at_ms if time_ms is None else time_ms, b"", at_ms / 1000)


def interleaved(
    seconds: float,
    *,
    video_time: Callable[[int, int], int] = lambda _number, at_ms: at_ms,
    audio_time: Callable[[int, int], int] = lambda _number, at_ms: at_ms,
) -> list[Frame]:
    """Return both tracks in order of arrival, with the encoder's timestamps."""
    frames = [video(number) for number in range(round(seconds * 30))]
    sounds = [audio(number) for number in range(round(seconds * 1000 / SOUND_MS))]
    sent = [
        *(video(number, video_time(number, frame.timestamp_ms)) for number, frame in enumerate(frames)),
        *(audio(number, audio_time(number, frame.timestamp_ms)) for number, frame in enumerate(sounds)),
    ]
    return sorted(sent, key=lambda frame: frame.arrived_at)


def placed(frames: list[Frame]) -> dict[str, list[int]]:
    clock = Clock()
    found: dict[str, list[int]] = {"video": [], "audio": []}
    for frame in frames:
        found[frame.kind].append(clock.place(frame).timestamp_ms)
    return found


def apart_ms(times: list[int], step_ms: float) -> int:
    """Return a track's largest deviation from a steady clock."""
    return max(abs(at_ms - times[0] - round(number * step_ms)) for number, at_ms in enumerate(times))


def assert_steady(found: dict[str, list[int]], *, within_ms: int) -> None:
    for kind, step_ms in (("video", FRAME_MS), ("audio", SOUND_MS)):
        assert all(after > before for before, after in pairwise(found[kind]))
        assert apart_ms(found[kind], step_ms) <= within_ms
    assert abs(found["video"][0] - found["audio"][0]) <= within_ms


def test_steady_times_are_kept() -> None:
    frames = interleaved(3)

    clock = Clock()

    assert [clock.place(frame) for frame in frames] == frames


def test_small_steps_back_are_smoothed() -> None:
    frames = interleaved(10, video_time=lambda n, at: at - 48 if n >= 90 and n % 30 == 0 else at)

    assert_steady(placed(frames), within_ms=35)


@pytest.mark.parametrize("wild_ms", [-9_800_000, 9_800_000])
def test_single_outlier_times_are_ignored(wild_ms: int) -> None:
    frames = interleaved(20, video_time=lambda n, at: max(0, at + (wild_ms if n and n % 120 == 0 else 0)))

    assert_steady(placed(frames), within_ms=2)


def test_restarted_clock_keeps_audio_and_video_in_sync() -> None:
    def restarted(_number: int, at_ms: int) -> int:
        return at_ms + 1_000_000 - at_ms // 4000 * 90_000

    found = placed(interleaved(60, video_time=restarted, audio_time=restarted))

    assert_steady({kind: [at - times[0] for at in times] for kind, times in found.items()}, within_ms=60)


def test_clock_wrapping_at_32_bits_continues() -> None:
    def wrapped(_number: int, at_ms: int) -> int:
        return (at_ms + 2**32 - 3001) % 2**32

    found = placed(interleaved(6, video_time=wrapped, audio_time=wrapped))

    assert_steady(found, within_ms=1)


def test_video_an_hour_ahead_of_its_audio_is_aligned() -> None:
    found = placed(interleaved(5, video_time=lambda _n, at: at + 3_600_000))

    assert max(found["video"]) - max(found["audio"]) < 100
    assert min(found["video"]) - min(found["audio"]) < 100


def test_pause_matching_the_wall_clock_is_kept() -> None:
    frames = [frame for frame in interleaved(40) if not 10 <= frame.arrived_at < 30]

    clock = Clock()

    assert [clock.place(frame) for frame in frames] == frames


def test_video_returns_at_its_own_time_after_a_pause() -> None:
    frames = [
        frame for frame in interleaved(30) if frame.kind == "audio" or not 10 <= frame.arrived_at < 25.5
    ]

    found = placed(frames)

    assert found["audio"] == [frame.timestamp_ms for frame in frames if frame.kind == "audio"]
    assert found["video"] == [frame.timestamp_ms for frame in frames if frame.kind == "video"]


def test_drifting_audio_is_realigned() -> None:
    found = placed(interleaved(60, audio_time=lambda _n, at: at * 3 // 4))

    assert found["video"][-1] - found["audio"][-1] < 8500


def test_stuck_clock_advances_by_usual_steps() -> None:
    frames = interleaved(20, video_time=lambda _n, at: min(at, 2000))

    found = placed(frames)["video"]

    # Until the clock counts as stuck, each frame advances by a millisecond.
    assert found[-1] > 20_000 - 1.2 * STUCK_FRAMES * FRAME_MS
    assert found[-1] <= 20_000


def test_header_is_placed_at_the_newest_frame() -> None:
    clock = Clock()
    clock.place(video(900))

    header = clock.place(Frame("video", 4_000_000, b"", 30.0, is_header=True))

    assert header.timestamp_ms == 30_000
