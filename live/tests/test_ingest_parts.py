"""The small pieces between socket and FFmpeg, without either."""

from __future__ import annotations

import asyncio

import pytest

from live.ingest import inbox as inbox_module
from live.ingest.alignment import Alignment, Made
from live.ingest.frames import Frame, read_frame
from live.ingest.inbox import Inbox
from live.ingest.looking import Look, Unusable
from live.ingest.timeline import Timeline, Verdict
from live.llhls.segments import Init, Part, SegmentEnd
from live.rtmp.session import MediaTag
from live.tests.rtmp_client import AAC_HEADER, AVC_HEADER

VIDEO_HEADER = Frame("video", 0, AVC_HEADER, 0.0, is_header=True)
AUDIO_HEADER = Frame("audio", 0, AAC_HEADER, 0.0, is_header=True)


def picture(at_ms: int, *, is_keyframe: bool = False, size: int = 1000, composition_ms: int = 0) -> Frame:
    return Frame("video", at_ms, bytes(size), 0.0, is_keyframe=is_keyframe, composition_ms=composition_ms)


def sound(at_ms: int, size: int = 200) -> Frame:
    return Frame("audio", at_ms, bytes(size), 0.0)


# --- Frames -----------------------------------------------------------------------------


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
def test_what_a_tag_is(
    kind: str, payload: bytes, is_keyframe: bool, is_header: bool, composition_ms: int
) -> None:
    frame = read_frame(MediaTag(kind, 40, payload), 1.5)  # type: ignore[arg-type]

    assert frame == Frame(kind, 40, payload, 1.5, is_keyframe, is_header, composition_ms)


@pytest.mark.parametrize("payload", [b"", b"\x17", b"\x17\x02\x00\x00\x00", b"\x12\x01\x00\x00\x00data"])
def test_what_carries_nothing_is_left_out(payload: bytes) -> None:
    assert read_frame(MediaTag("video", 0, payload), 0.0) is None


# --- The inbox --------------------------------------------------------------------------


async def test_frames_come_out_in_order_and_then_an_end() -> None:
    inbox = Inbox()
    frames = [picture(0, is_keyframe=True), sound(5), picture(33)]
    for frame in frames:
        inbox.put(frame)
    inbox.end()
    inbox.put(picture(66))

    assert [await inbox.get() for _ in range(4)] == [*frames, None]


async def test_whoever_waits_hears_of_the_end() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)

    inbox.end()

    assert await waiting is None


async def test_too_much_is_dropped_up_to_the_next_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_SPAN_S", 1.0)
    inbox = Inbox()
    before = [VIDEO_HEADER, *(picture(at, is_keyframe=at == 0) for at in range(0, 1200, 100))]
    after = [picture(1200), sound(1210), picture(1300, is_keyframe=True), picture(1400)]

    dropped = sum(inbox.put(frame) for frame in [*before, *after])

    inbox.end()
    assert [await inbox.get() for _ in range(4)] == [VIDEO_HEADER, *after[2:], None]
    assert dropped == 13


async def test_the_inbox_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_BYTES", 10_000)
    inbox = Inbox()

    dropped = sum(inbox.put(picture(at)) for at in range(50))

    assert dropped == 40 + 10


# --- Looking ----------------------------------------------------------------------------


def look_at(*frames: Frame, **metadata: object) -> tuple[Look, int | None]:
    """A look, and how many frames it took."""
    look = Look()
    look.metadata = metadata
    for number, frame in enumerate(frames, 1):
        if look.add(frame):
            return look, number
    return look, None


def stream(seconds: float, *, gop_s: float = 1, rate: float = 30, has_sound: bool = True) -> list[Frame]:
    pictures = [
        picture(round(number * 1000 / rate), is_keyframe=number % round(gop_s * rate) == 0)
        for number in range(round(seconds * rate))
    ]
    sounds = [sound(at) for at in range(0, round(seconds * 1000), 21)] if has_sound else []
    frames = sorted([*pictures, *sounds], key=lambda frame: frame.timestamp_ms)
    return [VIDEO_HEADER, *([AUDIO_HEADER] if has_sound else []), *frames]


def test_a_second_keyframe_is_enough() -> None:
    look, _ = look_at(*stream(5))

    source = look.source()

    assert (source.width_px, source.height_px) == (320, 180)
    assert source.codecs == "avc1.42c00d,mp4a.40.2"
    assert (source.frame_rate, source.keyframe_interval_s) == (30.0, 1.0)
    assert source.has_audio
    assert look.frames[-1].timestamp_ms == 1000


def test_without_a_second_keyframe_it_takes_two_and_a_half_seconds() -> None:
    look, _ = look_at(*stream(5, gop_s=10))

    assert look.source().keyframe_interval_s is None
    assert not look.source().has_sane_keyframes
    assert 2500 < look.frames[-1].timestamp_ms < 2600


def test_sound_is_awaited_for_a_second() -> None:
    look, _ = look_at(*stream(5, gop_s=0.5, has_sound=False))

    assert look.frames[-1].timestamp_ms == 1000
    assert not look.source().has_audio


def test_what_comes_before_the_first_keyframe_is_left_out() -> None:
    look, _ = look_at(VIDEO_HEADER, AUDIO_HEADER, sound(0), picture(0), *stream(2)[2:])

    assert look.frames[0].is_keyframe


def test_the_announced_frame_rate_counts_where_it_fits() -> None:
    fitting, _ = look_at(*stream(5, rate=29.97), framerate=29.97)
    wrong, _ = look_at(*stream(5, rate=25), framerate=60.0)

    assert fitting.source().frame_rate == pytest.approx(29.97, rel=1e-4)
    assert wrong.source().frame_rate == 25.0


@pytest.mark.parametrize("nonsense", [{"framerate": "fast"}, {"videodatarate": float("inf")}, {"encoder": 1}])
def test_nonsense_in_metadata_is_not_believed(nonsense: dict[str, object]) -> None:
    look, _ = look_at(*stream(5), **nonsense)

    assert look.source().frame_rate == 30.0
    assert look.source().video_bitrate_bps < 1_000_000


def test_a_picture_that_cannot_be_read_is_refused_with_a_sentence() -> None:
    broken = Frame("video", 0, AVC_HEADER[:12], 0.0, is_header=True)
    look, _ = look_at(broken, *stream(3)[1:])

    with pytest.raises(Unusable, match=r"H\.264"):
        look.source()


# --- The timeline -----------------------------------------------------------------------


def judged(timeline: Timeline, frames: list[Frame]) -> list[Verdict]:
    return [timeline.judge(frame) for frame in frames]


def test_keyframes_in_time_are_good() -> None:
    frames = [frame for frame in stream(10, gop_s=2) if not frame.is_header]

    assert set(judged(Timeline(30, 2), frames)) == {Verdict.GOOD}


def test_a_keyframe_that_does_not_come_is_found_out_in_time() -> None:
    frames = [frame for frame in stream(10, gop_s=5, has_sound=False) if not frame.is_header]

    verdicts = judged(Timeline(30, 1), frames)

    assert frames[verdicts.index(Verdict.TOO_LONG)].timestamp_ms == 1467


def test_an_encoded_source_may_have_its_keyframes_anywhere() -> None:
    frames = [frame for frame in stream(10, gop_s=5, has_sound=False) if not frame.is_header]

    assert set(judged(Timeline(30, None), frames)) == {Verdict.GOOD}


@pytest.mark.parametrize("at_ms", [-5, 1700, 10_000_000])
def test_a_clock_that_jumps_begins_anew(at_ms: int) -> None:
    timeline = Timeline(30, None)

    assert judged(timeline, [picture(0), picture(33), picture(at_ms)])[-1] is Verdict.JUMPED


def test_a_slide_show_may_take_its_time() -> None:
    assert judged(Timeline(0.5, None), [picture(0), picture(2000), picture(6000)])[-1] is Verdict.GOOD


def test_sound_from_another_time_is_left_out() -> None:
    timeline = Timeline(30, None)

    assert judged(timeline, [picture(0), sound(100), sound(9000)])[1:] == [Verdict.GOOD, Verdict.UNUSABLE]


# --- Renditions abreast -------------------------------------------------------------------

INIT = Init(b"", "avc1", 2, 2)


def part(msn: int, number: int = 0) -> Part:
    return Part(msn, number, 0.2, number == 0, b"")


def test_no_rendition_begins_a_segment_before_all_have_ended_the_last() -> None:
    alignment = Alignment(2, first_msn=7)

    ahead = alignment.add(0, [INIT, part(7), SegmentEnd(7, 1.0), part(8)])
    behind = alignment.add(1, [INIT, part(7)])
    closing = alignment.add(1, [SegmentEnd(7, 1.0)])

    assert ahead == [(0, INIT), (0, part(7)), (0, SegmentEnd(7, 1.0))]
    assert behind == [(1, INIT), (1, part(7))]
    assert closing == [(1, SegmentEnd(7, 1.0)), (0, part(8))]


def test_a_long_lead_is_let_out_step_by_step() -> None:
    alignment = Alignment(2, first_msn=0)
    lead: list[Made] = [part(0), SegmentEnd(0, 1.0), part(1), SegmentEnd(1, 1.0), part(2)]

    first = alignment.add(0, lead)
    second = alignment.add(1, lead[:4])

    assert first == [(0, made) for made in lead[:2]]
    assert [made for place, made in second if place == 0] == lead[2:]
