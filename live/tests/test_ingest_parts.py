"""Tests of the components between socket and FFmpeg, without either."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from live.bounds import Budget
from live.ingest import inbox as inbox_module
from live.ingest.alignment import Alignment, Made
from live.ingest.frames import Frame, read_frame
from live.ingest.inbox import Inbox
from live.ingest.probe import SignalProbe, UnusableSignal
from live.ingest.silence import NO_SOUND
from live.ingest.timeline import MAX_RUN_MS, Timeline, TimelineVerdict
from live.llhls.segments import Init, Part, SegmentEnd
from live.tests.rtmp_client import AAC_HEADER, AVC_HEADER, media_tag

VIDEO_HEADER = Frame("video", 0, AVC_HEADER, 0.0, is_header=True)
AUDIO_HEADER = Frame("audio", 0, AAC_HEADER, 0.0, is_header=True)


def picture(at_ms: int, *, is_keyframe: bool = False, size: int = 1000, composition_ms: int = 0) -> Frame:
    return Frame("video", at_ms, bytes(size), 0.0, is_keyframe=is_keyframe, composition_ms=composition_ms)


def sound(at_ms: int, size: int = 200) -> Frame:
    return Frame("audio", at_ms, bytes(size), 0.0)


@pytest.mark.parametrize(
    ("kind", "payload", "is_keyframe", "is_header", "composition_ms"),
    [
        ("video", AVC_HEADER, False, True, 0),
        ("video", b"\x17\x01\x00\x00\x42data", True, False, 66),
        ("video", b"\x27\x01\xff\xff\xdfdata", False, False, -33),
        ("audio", AAC_HEADER, False, True, 0),
        ("audio", b"\xaf\x01data", False, False, 0),
    ],
)
def test_tag_is_read_as_a_frame(
    kind: str, payload: bytes, is_keyframe: bool, is_header: bool, composition_ms: int
) -> None:
    frame = read_frame(media_tag(kind, 40, payload), 1.5)  # type: ignore[arg-type]

    assert frame == Frame(kind, 40, payload, 1.5, is_keyframe, is_header, composition_ms)


async def test_inbox_returns_frames_in_order_and_then_the_end() -> None:
    inbox = Inbox(Budget(2**30))
    frames = [picture(0, is_keyframe=True), sound(5), picture(33)]
    for frame in frames:
        inbox.put(frame)
    inbox.end()
    inbox.put(picture(66))

    assert [await inbox.get() for _ in range(4)] == [*frames, None]


async def test_end_wakes_the_waiting_reader() -> None:
    inbox = Inbox(Budget(2**30))
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)

    inbox.end()

    assert await waiting is None


async def test_overfull_inbox_drops_up_to_the_next_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_SPAN_AT_START_S", 1.0)
    inbox = Inbox(Budget(2**30))
    before = [VIDEO_HEADER, *(picture(at, is_keyframe=at == 0) for at in range(0, 1200, 100))]
    after = [picture(1200), sound(1210), picture(1300, is_keyframe=True), picture(1400)]

    dropped = sum(inbox.put(frame) for frame in [*before, *after])

    inbox.end()
    assert [await inbox.get() for _ in range(4)] == [VIDEO_HEADER, *after[2:], None]
    assert dropped == 13


async def test_caught_up_inbox_holds_two_seconds() -> None:
    inbox = Inbox(Budget(2**30))
    frames = [picture(at, is_keyframe=at == 0) for at in range(0, 3000, 100)]
    waiting = [inbox.put(frame) for frame in frames]
    inbox.check_caught_up()
    still_waiting = [inbox.put(picture(3000))]
    for _ in range(31):
        await inbox.get()
    inbox.check_caught_up()

    dropped = [inbox.put(picture(at)) for at in range(3100, 5600, 100)]

    assert (sum(waiting), sum(still_waiting)) == (0, 0)
    # 22 frames wait; then all are dropped, and later ones, too, as no keyframe follows.
    assert dropped[:22] == [0] * 22
    assert sum(dropped) == 22 + 3


async def test_inbox_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_BYTES", 10_000)
    inbox = Inbox(Budget(2**30))

    dropped = sum(inbox.put(picture(at)) for at in range(50))

    assert dropped == 40 + 10


def look_at(*frames: Frame, **metadata: object) -> tuple[SignalProbe, int | None]:
    """Return a probe and the number of frames that it needed (None: not enough)."""
    probe = SignalProbe(Budget(2**30))
    probe.metadata = metadata
    for number, frame in enumerate(frames, 1):
        if probe.add(frame):
            return probe, number
    return probe, None


def stream(seconds: float, *, gop_s: float = 1, rate: float = 30, has_sound: bool = True) -> list[Frame]:
    pictures = [
        picture(round(number * 1000 / rate), is_keyframe=number % round(gop_s * rate) == 0)
        for number in range(round(seconds * rate))
    ]
    sounds = [sound(at) for at in range(0, round(seconds * 1000), 21)] if has_sound else []
    frames = sorted([*pictures, *sounds], key=lambda frame: frame.timestamp_ms)
    return [VIDEO_HEADER, *([AUDIO_HEADER] if has_sound else []), *frames]


def test_probing_ends_at_the_second_keyframe() -> None:
    probe, _ = look_at(*stream(5))

    source = probe.source()

    assert (source.width_px, source.height_px) == (320, 180)
    assert source.codecs == "avc1.42c00d,mp4a.40.2"
    assert (source.frame_rate, source.keyframe_interval_s) == (30.0, 1.0)
    assert source.has_audio
    assert probe.frames[-1].timestamp_ms == 1000


def test_probing_without_a_second_keyframe_takes_five_seconds() -> None:
    probe, _ = look_at(*stream(6, gop_s=10))

    assert probe.source().keyframe_interval_s is None
    assert not probe.source().has_sane_keyframes
    assert 5000 < probe.frames[-1].timestamp_ms < 5100


def test_probing_waits_a_second_for_audio() -> None:
    probe, _ = look_at(*stream(5, gop_s=0.5, has_sound=False))

    assert probe.frames[-1].timestamp_ms == 1000
    assert not probe.source().has_audio
    assert probe.headers["audio"] is NO_SOUND
    assert probe.source().codecs == "avc1.42c00d,mp4a.40.2"


def test_repeated_keyframe_does_not_count_as_a_gop() -> None:
    first = picture(0, is_keyframe=True)
    pictures = [picture(33 * number, is_keyframe=number % 30 == 0) for number in range(1, 40)]
    probe, _ = look_at(VIDEO_HEADER, AUDIO_HEADER, first, replace(first, timestamp_ms=1), *pictures)

    source = probe.source()

    assert source.keyframe_interval_s == pytest.approx(0.99, abs=0.01)
    assert source.frame_rate == pytest.approx(30.3, abs=0.1)


def test_probing_skips_frames_before_the_first_keyframe() -> None:
    probe, _ = look_at(VIDEO_HEADER, AUDIO_HEADER, sound(0), picture(0), *stream(2)[2:])

    assert probe.frames[0].is_keyframe


def test_declared_frame_rate_is_used_if_it_fits() -> None:
    fitting, _ = look_at(*stream(5, rate=29.97), framerate=29.97)
    wrong, _ = look_at(*stream(5, rate=25), framerate=60.0)

    assert fitting.source().frame_rate == pytest.approx(29.97, rel=1e-4)
    assert wrong.source().frame_rate == 25.0


@pytest.mark.parametrize("nonsense", [{"framerate": "fast"}, {"videodatarate": float("inf")}, {"encoder": 1}])
def test_invalid_metadata_is_ignored(nonsense: dict[str, object]) -> None:
    probe, _ = look_at(*stream(5), **nonsense)

    assert probe.source().frame_rate == 30.0
    assert probe.source().video_bitrate_bps < 1_000_000


def test_unreadable_video_header_is_refused_with_a_sentence() -> None:
    broken = Frame("video", 0, AVC_HEADER[:12], 0.0, is_header=True)
    probe, _ = look_at(broken, *stream(3)[1:])

    with pytest.raises(UnusableSignal, match=r"H\.264"):
        probe.source()


def judged(timeline: Timeline, frames: list[Frame]) -> list[TimelineVerdict]:
    return [timeline.judge(frame) for frame in frames]


def test_regular_keyframes_are_good() -> None:
    frames = [frame for frame in stream(10, gop_s=2) if not frame.is_header]

    assert set(judged(Timeline(30, 2), frames)) == {TimelineVerdict.GOOD}


def test_late_keyframe_is_detected() -> None:
    frames = [frame for frame in stream(10, gop_s=5, has_sound=False) if not frame.is_header]

    verdicts = judged(Timeline(30, 1), frames)

    assert frames[verdicts.index(TimelineVerdict.TOO_LONG)].timestamp_ms == 1467


def test_keyframes_of_an_encoded_source_may_be_irregular() -> None:
    frames = [frame for frame in stream(10, gop_s=5, has_sound=False) if not frame.is_header]

    assert set(judged(Timeline(30, None), frames)) == {TimelineVerdict.GOOD}


@pytest.mark.parametrize(
    ("is_keyframe", "verdict"), [(True, TimelineVerdict.BEGINS_ANEW), (False, TimelineVerdict.GOOD)]
)
def test_only_a_keyframe_after_a_hole_begins_a_new_epoch(is_keyframe: bool, verdict: TimelineVerdict) -> None:
    timeline = Timeline(30, None)

    assert judged(timeline, [picture(0), picture(33), picture(1700, is_keyframe=is_keyframe)])[-1] is verdict


def test_keyframe_beyond_the_times_of_flv_begins_a_new_epoch() -> None:
    timeline = Timeline(30, None)
    frames = [picture(at_ms, is_keyframe=True) for at_ms in range(0, MAX_RUN_MS + 1_000_000, 1_000_000)]
    timeline._hole_ms = 2_000_000

    verdicts = judged(timeline, frames)

    assert set(verdicts[:-1]) == {TimelineVerdict.GOOD}
    assert (frames[-1].timestamp_ms > MAX_RUN_MS, verdicts[-1]) == (True, TimelineVerdict.BEGINS_ANEW)


def test_low_frame_rate_is_no_hole() -> None:
    assert judged(Timeline(0.5, None), [picture(0), picture(2000), picture(6000)])[-1] is TimelineVerdict.GOOD


INIT = Init(b"", "avc1", 2, 2)


def part(msn: int, number: int = 0) -> Part:
    return Part(msn, number, 0.2, number == 0, b"")


def test_segment_begins_after_all_renditions_ended_the_last_one() -> None:
    alignment = Alignment(2, first_msn=7)

    ahead = alignment.add(0, [INIT, part(7), SegmentEnd(7, 1.0), part(8)])
    behind = alignment.add(1, [INIT, part(7)])
    closing = alignment.add(1, [SegmentEnd(7, 1.0)])

    assert ahead == [(0, INIT), (0, part(7)), (0, SegmentEnd(7, 1.0))]
    assert behind == [(1, INIT), (1, part(7))]
    assert closing == [(1, SegmentEnd(7, 1.0)), (0, part(8))]


def test_rendition_far_ahead_is_released_segment_by_segment() -> None:
    alignment = Alignment(2, first_msn=0)
    lead: list[Made] = [part(0), SegmentEnd(0, 1.0), part(1), SegmentEnd(1, 1.0), part(2)]

    first = alignment.add(0, lead)
    second = alignment.add(1, lead[:4])

    assert first == [(0, made) for made in lead[:2]]
    assert [made for place, made in second if place == 0] == lead[2:]
