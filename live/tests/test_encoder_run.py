"""One run of FFmpeg within a broadcast, with fragments drawn here in FFmpeg's place."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from common.media.boxes import write_box
from common.media.fragments import NOT_SYNC, Sample, write_fragment
from common.tests.movies import track
from live.ingest import encoder_run
from live.ingest.encoder import Encoder, EncoderGone
from live.ingest.encoder_run import EncoderRun, bandwidth_bps
from live.ingest.frames import Frame
from live.ingest.source import EncodePlan, Output, Source
from live.llhls.segments import Init, Part, SegmentEnd, Shape
from live.rtmp import flv
from live.tests.edge_tools import SHAPE
from live.tests.rtmp_client import AAC_HEADER, AVC_HEADER, picture, sound

SOURCE = Source("avc1.64001f,mp4a.40.2", 1280, 720, 25.0, 1.0, False, True, 2_000_000, 128_000)
OUTPUTS = (Output("r0", 1280, 720, 2_000_000, True), Output("r1", 640, 360, 700_000, False))
HEADERS = {
    "video": Frame("video", 900, AVC_HEADER, 0.0, is_header=True),
    "audio": Frame("audio", 900, AAC_HEADER, 0.0, is_header=True),
}
FIRST = Frame("video", 1000, picture(is_keyframe=True), 77.5, is_keyframe=True)
TREX = write_box(b"mvex", write_box(b"trex", struct.pack(">6I", 0, 1, 1, 640, 0, NOT_SYNC)))
MOVIE = write_box(b"ftyp", b"iso6") + write_box(b"moov", track(1), TREX)
FRAME = 640  # in the timescale of the track: 25 frames per second


def fragments(first: int, count: int) -> bytes:
    """Return frames, one fragment each, with a keyframe every second."""
    return b"".join(
        write_fragment(
            number, [[Sample(1, number * FRAME, FRAME, NOT_SYNC if number % 25 else 0, 0, b"frame")]]
        )
        for number in range(first, first + count)
    )


class FakeEncoder:
    """An FFmpeg whose output the test writes; it ends when its input does, unless it is ``stuck``."""

    def __init__(self, renditions: int, *, is_stuck: bool = False) -> None:
        self.outputs = [asyncio.StreamReader() for _ in range(renditions)]
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.pid, self.complaints = 4711, "no complaint"
        self._is_stuck = is_stuck

    async def write(self, data: bytes) -> None:
        self.written.append(data)

    def end_input(self) -> None:
        self.calls.append("end_input")
        if not self._is_stuck:
            self._end_outputs()

    def kill(self) -> None:
        self.calls.append("kill")
        self._end_outputs()

    async def close(self) -> None:
        self.calls.append("close")

    def _end_outputs(self) -> None:
        for output in self.outputs:
            output.feed_eof()


class RecordingFanOut:
    """A fan-out that keeps everything in order; segment 5 is next, 12 s into the broadcast."""

    def __init__(self) -> None:
        self.shape: Shape = SHAPE
        self.received: list[tuple[str, Any]] = []
        self.attributes: dict[str, tuple[int, float]] = {}
        self.began_at: float | None = None
        self.ended = 0

    async def begin_run(self, arrived_at: float) -> tuple[int, float]:
        self.began_at = arrived_at
        return 5, 12.0

    async def add_init(self, rendition: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        self.received.append((rendition, init))
        self.attributes[rendition] = (bandwidth_bps, frame_rate)

    async def add_part(self, rendition: str, part: Part) -> None:
        self.received.append((rendition, part))

    async def end_segment(self, rendition: str, end: SegmentEnd) -> None:
        self.received.append((rendition, end))

    def end_run(self) -> None:
        self.ended += 1

    def order(self) -> list[tuple[str, str, int]]:
        """Return rendition, kind and segment of all that came."""
        return [(name, type(made).__name__, getattr(made, "msn", -1)) for name, made in self.received]


class Bench:
    """A started run with its encoder and its fan-out."""

    def __init__(self, outputs: tuple[Output, ...], encoder: FakeEncoder) -> None:
        self.encoder = encoder
        self.fan_out = RecordingFanOut()
        self.inits: list[dict[str, Init]] = []
        plan = EncodePlan(outputs, None)
        self.run = EncoderRun(plan, SOURCE, self.fan_out, on_inits=self.inits.append)  # type: ignore[arg-type]

    async def start(self) -> None:
        await self.run.start(HEADERS, first=FIRST, preset="veryfast")

    async def output(self, place: int, data: bytes) -> None:
        """Let FFmpeg write ``data``, and wait until it was read."""
        self.encoder.outputs[place].feed_data(data)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def encoder(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    return fake(monkeypatch, FakeEncoder(2))


def fake(monkeypatch: pytest.MonkeyPatch, encoder: FakeEncoder) -> FakeEncoder:
    """Put ``encoder`` in the place of FFmpeg."""

    async def start(_plan: EncodePlan, *, preset: str) -> FakeEncoder:
        encoder.calls.append(preset)
        return encoder

    monkeypatch.setattr(Encoder, "start", start)
    return encoder


@pytest.fixture
async def bench(encoder: FakeEncoder) -> AsyncIterator[Bench]:
    made = Bench(OUTPUTS, encoder)
    await made.start()
    yield made
    await made.run.finish()


@pytest.mark.parametrize(("segment_s", "video_bps"), [(1.0, 1_050_000), (2.0, 875_000)])
def test_bandwidth_is_the_encoders_limit_with_audio_and_container(segment_s: float, video_bps: int) -> None:
    silent = replace(SOURCE, audio_bitrate_bps=3_000)
    rich = replace(SOURCE, audio_bitrate_bps=192_000)

    assert bandwidth_bps(OUTPUTS[1], silent, segment_s) == video_bps + 128_000 + 25_000
    assert bandwidth_bps(OUTPUTS[1], rich, segment_s) == video_bps + 192_000 + 25_000


async def test_run_begins_with_the_headers_at_time_zero(bench: Bench) -> None:
    assert bench.encoder.written == [
        flv.file_header(),
        flv.tag("video", 0, AVC_HEADER),
        flv.tag("audio", 0, AAC_HEADER),
    ]
    assert bench.encoder.calls == ["veryfast"]
    assert bench.fan_out.began_at == FIRST.arrived_at
    assert (bench.run.pid, bench.run.complaints) == (4711, "no complaint")


async def test_frames_are_timed_from_the_first_keyframe(bench: Bench) -> None:
    early, later = Frame("audio", 990, sound(), 0.0), Frame("audio", 1021, sound(), 0.0)
    del bench.encoder.written[:]

    for frame in (FIRST, early, later, Frame("video", 1040, picture(), 0.0)):
        await bench.run.write(frame)

    assert bench.encoder.written == [
        flv.tag("video", 0, FIRST.payload),
        flv.tag("audio", 21, later.payload),
        flv.tag("video", 40, picture()),
    ]
    assert bench.run.written_pictures == 2


async def test_frame_before_the_start_is_refused() -> None:
    bench = Bench(OUTPUTS, FakeEncoder(2))

    assert (bench.run.pid, bench.run.complaints) == (None, "")
    with pytest.raises(EncoderGone):
        await bench.run.write(FIRST)


async def test_run_that_never_started_finishes_at_once() -> None:
    bench = Bench(OUTPUTS, FakeEncoder(2))

    await bench.run.finish()

    assert bench.fan_out.ended == 0


async def test_init_segments_are_announced_once_all_renditions_have_one(bench: Bench) -> None:
    await bench.output(0, MOVIE)
    before = list(bench.inits)
    await bench.output(1, MOVIE)
    await bench.output(0, fragments(0, 10))

    assert before == []
    assert [sorted(found) for found in bench.inits] == [["r0", "r1"]]
    assert bench.inits[0]["r0"] == Init(MOVIE, "avc1.64001f", 1280, 720)
    assert bench.fan_out.attributes == {"r0": (3_153_000, 25.0), "r1": (1_203_000, 25.0)}


async def test_no_rendition_begins_a_segment_before_all_have_ended_the_previous_one(bench: Bench) -> None:
    for place in (0, 1):
        await bench.output(place, MOVIE)
    del bench.fan_out.received[:]

    await bench.output(0, fragments(0, 40))
    ahead = bench.fan_out.order()
    await bench.output(1, fragments(0, 40))

    assert {name for name, _kind, _msn in ahead} == {"r0"}
    assert ahead[-1] == ("r0", "SegmentEnd", 5)
    assert all(msn == 5 for _name, _kind, msn in ahead)
    order = bench.fan_out.order()
    begun = order.index(("r0", "Part", 6))
    assert order.index(("r1", "SegmentEnd", 5)) < begun


async def test_parts_go_on_behind_the_broadcasts_timeline(bench: Bench) -> None:
    for place in (0, 1):
        await bench.output(place, MOVIE + fragments(0, 12))

    part = next(made for name, made in bench.fan_out.received if isinstance(made, Part))
    assert (part.msn, part.number, part.is_independent) == (5, 0, True)
    assert part.end_s == pytest.approx(12.0 + part.duration_s)


async def test_finished_run_delivers_the_open_segment(bench: Bench) -> None:
    for place in (0, 1):
        await bench.output(place, MOVIE + fragments(0, 12))

    await bench.run.finish()

    assert bench.encoder.calls[1:] == ["end_input", "kill", "close"]
    ends = [made for _name, made in bench.fan_out.received if isinstance(made, SegmentEnd)]
    assert [end.msn for end in ends] == [5, 5]
    assert ends[0].duration_s == pytest.approx(12 / 25)
    assert bench.fan_out.ended == 1


async def test_ffmpeg_that_does_not_finish_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(OUTPUTS, fake(monkeypatch, FakeEncoder(2, is_stuck=True)))
    await bench.start()

    await bench.run.finish(within_s=0.05)

    assert "did not finish in time" in caplog.text
    assert bench.encoder.calls[1:] == ["end_input", "kill", "close"]
    assert bench.fan_out.ended == 1


async def test_unreadable_output_ends_its_run(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await bench.output(1, struct.pack(">I4s", 4, b"moov"))

    assert "FFmpeg output unreadable" in caplog.text
    with pytest.raises(EncoderGone, match="no complaint"):
        await bench.run.write(FIRST)


async def test_error_of_one_rendition_is_logged_and_the_others_are_delivered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object) -> None:
        raise OSError("edge away")

    for place in (0, 1):
        await bench.output(place, MOVIE)
    monkeypatch.setattr(bench.fan_out, "add_part", refuse)
    await bench.output(0, fragments(0, 12))
    monkeypatch.undo()

    await bench.run.finish()

    assert "A rendition ended early" in caplog.text
    assert bench.fan_out.ended == 1


async def test_output_is_read_in_pieces(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_run, "READ_BYTES", 7)
    data = MOVIE + fragments(0, 6)

    for place in (0, 1):
        bench.encoder.outputs[place].feed_data(data)
    await bench.run.finish()

    kinds = [kind for name, kind, _msn in bench.fan_out.order() if name == "r1"]
    assert kinds == ["Init", "Part", "Part", "SegmentEnd"]
