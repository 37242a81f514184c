"""Tests of the times of audio frames that FFmpeg returns."""

from __future__ import annotations

import pytest

from live.llhls.sent_audio import MAX_AHEAD_SAMPLES, SentAudio

FRAME_S = 1024 / 48_000


def test_frame_is_found_at_the_time_at_which_it_was_sent() -> None:
    sent = SentAudio(FRAME_S)
    sent.add(0.0, b"one")
    sent.add(0.5, b"two")

    assert [sent.take(data) for data in (b"one", b"two", b"three")] == [0.0, 0.5, None]


def test_times_in_whole_milliseconds_become_continuous() -> None:
    sent = SentAudio(FRAME_S)
    for number in range(100):
        sent.add(round(number * FRAME_S, 3), b"%d" % number)

    taken = [sent.take(b"%d" % number) for number in range(100)]

    assert taken == pytest.approx([number * FRAME_S for number in range(100)])


def test_frames_of_equal_bytes_are_taken_in_order() -> None:
    sent = SentAudio(FRAME_S)
    for at_s in (0.0, 1.0, 2.0):
        sent.add(at_s, b"silence")

    assert [sent.take(b"silence") for _ in range(3)] == [0.0, 1.0, 2.0]


def test_frame_that_ffmpeg_drops_does_not_shift_later_ones() -> None:
    sent = SentAudio(FRAME_S)
    for at_s, data in ((0.0, b"dropped"), (1.0, b"kept"), (2.0, b"next")):
        sent.add(at_s, data)

    assert [sent.take(data) for data in (b"kept", b"changed by FFmpeg", b"next")] == [1.0, None, 2.0]


def test_waiting_frames_are_bounded() -> None:
    sent = SentAudio(FRAME_S)
    for number in range(MAX_AHEAD_SAMPLES + 1):
        sent.add(float(number), b"%d" % number)

    assert (sent.take(b"0"), sent.take(b"1")) == (None, 1.0)
