"""Tests of repeating the last keyframe while only audio continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from live.ingest.frames import Frame
from live.ingest.keyframe_repeater import HOLD_STEP_MS, KeyframeRepeater

SOUND_MS = 64 / 3


def signal(seconds: float, frame_times_ms: Sequence[int], *, gop_ms: int = 2000) -> list[Frame]:
    """Return continuous audio, and frames at the given times, with their times as payload."""
    last_gop = -1
    frames = []
    for at_ms in frame_times_ms:
        is_keyframe = at_ms // gop_ms != last_gop
        last_gop = at_ms // gop_ms
        frames.append(Frame("video", at_ms, str(at_ms).encode(), at_ms / 1000, is_keyframe=is_keyframe))
    times = [round(number * SOUND_MS) for number in range(round(seconds * 1000 / SOUND_MS))]
    frames += [Frame("audio", at_ms, b"", at_ms / 1000) for at_ms in times]
    return sorted(frames, key=lambda frame: frame.arrived_at)


def held(frames: list[Frame]) -> list[Frame]:
    holding = KeyframeRepeater()
    return [piece for frame in frames for piece in holding.around(frame)]


def at_30(begin_ms: int, end_ms: int) -> list[int]:
    return [number * 100 // 3 for number in range(begin_ms * 3 // 100, end_ms * 3 // 100)]


def test_steady_frames_pass_unchanged() -> None:
    frames = signal(5, at_30(0, 5000))

    assert held(frames) == frames


def test_paused_video_repeats_its_last_keyframe_under_the_audio() -> None:
    frames = signal(45, [*at_30(0, 10_000), *at_30(25_500, 45_000)])

    made = held(frames)

    assert [frame for frame in made if frame.kind == "audio"] == [f for f in frames if f.kind == "audio"]
    shown = [frame for frame in made if frame.is_picture]
    times = [frame.timestamp_ms for frame in shown]
    assert max(after - before for before, after in pairwise(times)) == HOLD_STEP_MS
    assert {frame.payload for frame in shown if 10_000 <= frame.timestamp_ms < 25_500} == {b"8000"}
    # The video after the pause begins with a keyframe.
    after = (frame for frame in shown if frame.timestamp_ms > 25_400 and frame.payload != b"8000")
    assert next(after).is_keyframe


def test_frames_after_a_pause_are_dropped_until_a_keyframe() -> None:
    frames = signal(12, [*at_30(0, 3000), *at_30(5000, 12_000)], gop_ms=6000)

    shown = [frame for frame in held(frames) if frame.is_picture and frame.timestamp_ms > 3000]

    before = [frame for frame in shown if frame.timestamp_ms < 6000]
    assert {frame.payload for frame in before} == {b"0"}
    assert [frame.timestamp_ms for frame in shown if frame.timestamp_ms >= 6000] == at_30(6000, 12_000)


def test_low_frame_rate_is_accepted_after_a_while() -> None:
    frames = signal(60, [*at_30(0, 8000), *range(8000, 60_000, 2000)], gop_ms=10_000)

    shown = [frame for frame in held(frames) if frame.is_picture]

    later = [frame.timestamp_ms for frame in shown if frame.timestamp_ms >= 20_000]
    assert later == [*range(20_000, 60_000, 2000)]


@pytest.mark.parametrize(
    ("audio_s", "held_ms"), [(39.1, [38_200, 38_400, 38_600, 38_800, 39_000]), (38.5, [])]
)
def test_audio_behind_the_last_frame_has_repeated_keyframes_at_the_end(
    audio_s: float, held_ms: list[int]
) -> None:
    repeater = KeyframeRepeater()
    times = [*at_30(0, 8000), *range(8000, 38_001, 2000)]
    for frame in signal(audio_s, times, gop_ms=10_000):
        list(repeater.around(frame))

    assert [frame.timestamp_ms for frame in repeater.finish()] == held_ms


def test_frames_arriving_in_bursts_after_their_audio_are_awaited() -> None:
    frames = [
        replace(frame, arrived_at=frame.timestamp_ms // 1500 * 1.5 + 1.5 + 0.01 * frame.is_picture)
        for frame in signal(30, at_30(0, 30_000))
    ]
    sent = sorted(frames, key=lambda frame: frame.arrived_at)

    shown = [frame for frame in held(sent) if frame.is_picture]

    assert [frame.timestamp_ms for frame in shown if frame.timestamp_ms >= 6000] == at_30(6000, 30_000)


def test_late_keyframe_is_moved_after_the_held_frames() -> None:
    holding = KeyframeRepeater()
    late = Frame("video", 3000, b"late", 4.0, is_keyframe=True)
    made = [
        piece
        for frame in (
            Frame("video", 0, b"first", 0.0, is_keyframe=True),
            Frame("audio", 4000, b"", 4.0),
            late,
            Frame("video", 3033, b"next", 4.0),
        )
        for piece in holding.around(frame)
        if piece.is_picture
    ]

    assert [(frame.payload, frame.timestamp_ms) for frame in made[-3:]] == [
        (b"first", 4000),
        (b"late", 4001),
        (b"next", 4002),
    ]
