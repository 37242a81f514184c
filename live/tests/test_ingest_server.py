import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop

from live.ingest.server import Publisher, Refused, RtmpServer, ServerLimits, Sink
from live.management.commands.publish_test import ffmpeg_args
from live.rtmp import chunks, flv
from live.rtmp.session import REJECTED, MediaTag
from live.tests import rtmp_client
from live.tests.rtmp_client import Encoder
from videoplatform.embedded.gstreamer import missing_packages
from videos.transcoding.tools import ffmpeg_path

SOON_S = 20  # for what is to happen; tests fail after it


class Recorder:
    """A sink that keeps what it is given, and knows how it ended."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.tags: list[MediaTag] = []
        self.values: dict[str, Any] = {}
        self.endings: list[bool] = []
        self.is_closed = asyncio.Event()
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def tag(self, tag: MediaTag) -> None:
        assert not self.endings
        await self.may_take.wait()
        self.tags.append(tag)

    async def metadata(self, values: dict[str, Any]) -> None:
        self.values = values

    async def closed(self, *, said_goodbye: bool) -> None:
        self.endings.append(said_goodbye)
        self.is_closed.set()

    async def ending(self) -> bool:
        """Whether the publisher said goodbye, once it is gone."""
        async with asyncio.timeout(SOON_S):
            await self.is_closed.wait()
        return self.endings[0]

    def of(self, kind: str) -> list[MediaTag]:
        return [tag for tag in self.tags if tag.kind == kind]


class Doorkeeper:
    """Admits who has the key ``good``."""

    def __init__(self) -> None:
        self.recorders: list[Recorder] = []
        self.makes: Callable[[Publisher], Recorder] = Recorder
        self.before: Callable[[Publisher], Coroutine[Any, Any, None]] | None = None

    async def admit(self, stream_key: str, publisher: Publisher) -> Sink:
        if stream_key != "good":
            raise Refused(REJECTED, "This stream key is not valid.")
        if self.before is not None:
            await self.before(publisher)
        recorder = self.makes(publisher)
        self.recorders.append(recorder)
        return recorder

    @property
    def recorder(self) -> Recorder:
        (only,) = self.recorders
        return only


@pytest.fixture
def door() -> Doorkeeper:
    return Doorkeeper()


@contextlib.asynccontextmanager
async def listening(door: Doorkeeper, **limits: Any) -> AsyncIterator[RtmpServer]:
    server = RtmpServer("127.0.0.1", 0, door, replace(ServerLimits(), **limits))
    await server.start()
    try:
        async with asyncio.timeout(3 * SOON_S):
            yield server
    finally:
        await server.close()
    assert server.connection_count == 0
    assert all(len(recorder.endings) == 1 for recorder in door.recorders)


@pytest.fixture
async def server(door: Doorkeeper) -> AsyncIterator[RtmpServer]:
    async with listening(door) as server:
        yield server


# --- OBS ------------------------------------------------------------------------------


async def test_obs_publishes_and_is_heard_in_order(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        status = await obs.publish("good?session=1")
        await obs.say(obs.speech.metadata() + obs.speech.some_media(seconds=3))
        await obs.goodbye("good")

        assert await door.recorder.ending() is True
        assert (await obs.status())["code"] == "NetStream.Unpublish.Success"

    recorder = door.recorder
    assert status["code"] == "NetStream.Publish.Start"
    assert recorder.values == rtmp_client.METADATA
    assert len(recorder.tags) == 2 + 3 * 60
    assert [tag.timestamp_ms for tag in recorder.tags] == sorted(tag.timestamp_ms for tag in recorder.tags)
    assert recorder.publisher.address.startswith("127.0.0.1:")
    assert len(recorder.publisher.connection_id) == 16


async def test_a_goodbye_is_passed_on_while_the_socket_is_still_open(
    server: RtmpServer, door: Doorkeeper
) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.goodbye("good")

        assert await door.recorder.ending() is True
        assert not obs.reader.at_eof()


async def test_a_publisher_that_vanishes_said_no_goodbye(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.some_media(seconds=1))
        obs.writer.close()

        assert await door.recorder.ending() is False
        assert len(door.recorder.tags) == 62


async def test_a_connection_that_is_reset_said_no_goodbye(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        obs.writer.transport.abort()

        assert await door.recorder.ending() is False


# --- Who is refused -------------------------------------------------------------------


async def test_a_wrong_key_is_refused_with_a_sentence(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        status = await obs.publish("wrong")

        assert status == {"level": "error", "code": REJECTED, "description": "This stream key is not valid."}
        await obs.end_of_file()
    assert door.recorders == []


async def test_the_reason_arrives_although_media_follows_unread(server: RtmpServer) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.connect()
        await obs.say(obs.speech.prepare("wrong") + obs.speech.publish("wrong"))
        await obs.say(obs.speech.some_media(seconds=10))
        for _ in range(3):
            await obs.answer("_result")

        assert (await obs.status())["code"] == REJECTED
        await obs.end_of_file()


async def test_another_app_is_refused_with_a_sentence(server: RtmpServer) -> None:
    async with await Encoder.open(server.port) as obs:
        status = await obs.publish("good", app="stream")

        assert status["description"] == (
            "Nothing is published here. The address of this server ends in /live."
        )


async def test_the_app_may_end_in_a_slash(server: RtmpServer) -> None:
    async with await Encoder.open(server.port) as obs:
        assert (await obs.publish("good", app="live/"))["code"] == "NetStream.Publish.Start"


async def test_another_codec_ends_the_broadcast_with_a_sentence(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.media("video", 0, b"\x90hvc1" + bytes(50)))

        assert "Please choose H.264" in (await obs.status())["description"]
        assert await door.recorder.ending() is False


async def test_stream_keys_stay_out_of_the_logs(
    server: RtmpServer, door: Doorkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    for key in ("good", "wrong-key"):
        async with await Encoder.open(server.port) as obs:
            await obs.publish(key)
    await door.recorder.ending()

    said = [record for record in caplog.records if record.name == "live.ingest.server"]
    assert {record.getMessage() for record in said} >= {"Publishing", "Publisher refused"}
    assert not any(key in repr(vars(record)) for record in said for key in ("'good'", "wrong-key"))


# --- Sinks ----------------------------------------------------------------------------


async def test_a_busy_sink_holds_the_publisher_back(server: RtmpServer, door: Doorkeeper) -> None:
    """More is on its way than kernel and server may hold; nothing is lost, and nothing piles up here."""
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        recorder = door.recorder
        recorder.may_take.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await obs.say(obs.speech.some_media(seconds=20, picture_bytes=50_000))
        assert recorder.tags == []

        recorder.may_take.set()
        await obs.goodbye("good")

        assert await recorder.ending() is True
    assert len(recorder.tags) == 2 + 20 * 60


async def test_a_sink_can_close_its_publisher(server: RtmpServer, door: Doorkeeper) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.some_media(seconds=1))

        door.recorder.publisher.close("NetStream.Publish.Rejected", "Somebody else publishes here now.")
        door.recorder.publisher.close()

        assert (await obs.status())["description"] == "Somebody else publishes here now."
        assert await door.recorder.ending() is False
        await obs.end_of_file()


async def test_a_publisher_can_be_closed_from_inside_a_tag(server: RtmpServer, door: Doorkeeper) -> None:
    class Fussy(Recorder):
        async def tag(self, tag: MediaTag) -> None:
            await super().tag(tag)
            self.publisher.close("", "One is enough.")

    door.makes = Fussy
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.some_media(seconds=1))

        assert (await obs.status())["description"] == "One is enough."
        assert await door.recorder.ending() is False
    assert len(door.recorder.tags) == 1


async def test_a_publisher_closed_while_it_is_admitted_never_starts(
    server: RtmpServer, door: Doorkeeper
) -> None:
    async def replace_it(publisher: Publisher) -> None:
        publisher.close("", "Too late.")

    door.before = replace_it
    async with await Encoder.open(server.port) as obs:
        assert (await obs.publish("good"))["description"] == "Too late."
        assert await door.recorder.ending() is False


async def test_a_sink_that_fails_costs_its_own_publisher_only(
    server: RtmpServer, door: Doorkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Recorder):
        async def tag(self, tag: MediaTag) -> None:
            raise ValueError("no room")

    door.makes = Broken
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.some_media(seconds=1))

        assert await door.recorder.ending() is False
        await obs.end_of_file_or_reset()
    door.makes = Recorder
    async with await Encoder.open(server.port) as obs:
        assert (await obs.publish("good"))["code"] == "NetStream.Publish.Start"
    assert "no room" in caplog.text


async def test_closing_the_server_tells_every_encoder(door: Doorkeeper) -> None:
    async with listening(door) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")

        closing = asyncio.create_task(server.close("Back in a minute."))

        assert (await obs.status())["description"] == "Back in a minute."
        await obs.end_of_file()
        obs.writer.close()
        await closing
    assert door.recorder.endings == [False]


# --- Peers that stop half-way ---------------------------------------------------------


async def test_an_unfinished_handshake_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, handshake_s=0.1) as server, await Encoder.open(server.port) as peer:
        await peer.say(peer.speech.hello()[:100])

        await peer.end_of_file_or_reset()


async def test_a_peer_that_never_publishes_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, until_publish_s=0.3) as server, await Encoder.open(server.port) as peer:
        await peer.connect()

        await peer.end_of_file_or_reset()
    assert door.recorders == []


async def drip(peer: Encoder, data: bytes) -> None:
    for byte in data:
        await peer.say(bytes([byte]))
        await asyncio.sleep(0.01)


async def test_bytes_in_drops_do_not_prolong_the_wait(door: Doorkeeper) -> None:
    async with listening(door, handshake_s=0.2) as server, await Encoder.open(server.port) as peer:
        dripping = asyncio.create_task(drip(peer, peer.speech.hello()))

        await asyncio.wait_for(peer.end_of_file_or_reset(), SOON_S)
        dripping.cancel()


async def test_a_publisher_that_falls_silent_is_gone(door: Doorkeeper) -> None:
    async with listening(door, idle_s=0.3) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.say(obs.speech.some_media(seconds=1)[:-1])

        assert await door.recorder.ending() is False
        await obs.end_of_file_or_reset()
    assert len(door.recorder.tags) == 61


async def test_a_slow_sink_is_not_taken_for_a_silent_publisher(door: Doorkeeper) -> None:
    async with listening(door, idle_s=0.2) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")
        door.recorder.may_take.clear()
        await obs.say(obs.speech.some_media(seconds=1))
        await asyncio.sleep(0.5)  # longer than silence may last
        door.recorder.may_take.set()
        await obs.goodbye("good")

        assert await door.recorder.ending() is True


async def test_a_peer_that_stays_after_its_goodbye_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, linger_s=0.2) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.goodbye("good")

        await obs.end_of_file_or_reset()


async def test_a_peer_that_reads_nothing_is_dropped(door: Doorkeeper) -> None:
    """It has us answer pings until more waits for it than a server keeps."""
    async with listening(door) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")
        obs.reader._transport.pause_reading()  # type: ignore[attr-defined]
        pings = obs.speech.writer.control(chunks.USER_CONTROL, bytes.fromhex("0006 00000000")) * 200_000

        with contextlib.suppress(ConnectionError):
            await obs.say(pings)

        assert await door.recorder.ending() is False


async def test_closing_a_dead_peer_waits_for_nobody(door: Doorkeeper) -> None:
    async with listening(door, linger_s=0.2) as server, await Encoder.open(server.port) as obs:
        await obs.publish("good")
        obs.reader._transport.pause_reading()  # type: ignore[attr-defined]

        door.recorder.publisher.close("", "x" * 30_000)

        assert await door.recorder.ending() is False


# --- Many -----------------------------------------------------------------------------


async def test_connections_have_a_bound(door: Doorkeeper) -> None:
    async with (
        listening(door, connections=2) as server,
        await Encoder.open(server.port) as one,
        await Encoder.open(server.port) as two,
        await Encoder.open(server.port) as three,
    ):
        await one.connect()
        await two.connect()
        await three.end_of_file_or_reset()


async def test_an_address_may_publish_many_and_try_few(door: Doorkeeper) -> None:
    async with (
        listening(door, waiting_per_address=1) as server,
        await Encoder.open(server.port) as one,
    ):
        await one.publish("good")
        async with await Encoder.open(server.port) as two, await Encoder.open(server.port) as three:
            await three.end_of_file_or_reset()
            assert (await two.publish("good"))["code"] == "NetStream.Publish.Start"


def rss_mb() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


async def test_fifty_peers_that_declare_huge_messages_cost_little(door: Doorkeeper) -> None:
    """Each announces 16 MB as far as it gets; the 800 MB are neither kept nor waited for."""
    async with listening(door, waiting_per_address=100) as server:
        encoders = [await Encoder.open(server.port) for _ in range(50)]
        for encoder in encoders:
            await encoder.connect()
        before_mb = rss_mb()
        for encoder in encoders:
            huge = bytes([4]) + bytes(3) + b"\xff\xff\xff" + b"\x09" + (1).to_bytes(4, "little")
            await encoder.say(huge + bytes(128))
        for encoder in encoders:
            await encoder.end_of_file_or_reset()
        grown_mb = rss_mb() - before_mb
        for encoder in encoders:
            encoder.writer.transport.abort()

    assert grown_mb < 20


async def test_fifty_peers_that_begin_what_is_allowed_cost_little(door: Doorkeeper) -> None:
    """Commands of 64 KB, on every chunk stream, all but their last byte."""
    async with listening(door, waiting_per_address=100, until_publish_s=1.5) as server:
        encoders = [await Encoder.open(server.port) for _ in range(50)]
        for encoder in encoders:
            await encoder.connect()
        before_mb = rss_mb()
        for encoder in encoders:
            begun = bytes([5]) + bytes(3) + (60_000).to_bytes(3) + b"\x14" + bytes(4)
            begun += b"\xc5".join(bytes(4096) for _ in range(14))
            await encoder.say(begun)
        for encoder in encoders:
            await encoder.end_of_file_or_reset()
        grown_mb = rss_mb() - before_mb
        for encoder in encoders:
            encoder.writer.transport.abort()

    assert grown_mb < 20


# --- Under the loop that manage.py ingest runs -----------------------------------------


@pytest.mark.parametrize(
    "scenario",
    [
        test_obs_publishes_and_is_heard_in_order,
        test_a_publisher_that_vanishes_said_no_goodbye,
        test_a_connection_that_is_reset_said_no_goodbye,
        test_a_wrong_key_is_refused_with_a_sentence,
        test_a_busy_sink_holds_the_publisher_back,
        test_a_sink_can_close_its_publisher,
        test_a_publisher_can_be_closed_from_inside_a_tag,
        test_a_publisher_closed_while_it_is_admitted_never_starts,
    ],
)
def test_it_is_the_same_under_uvloop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        door = Doorkeeper()
        async with listening(door) as server:
            await scenario(server, door)

    uvloop.run(play())


@pytest.mark.parametrize(
    "scenario",
    [
        test_closing_the_server_tells_every_encoder,
        test_an_unfinished_handshake_is_dropped,
        test_a_publisher_that_falls_silent_is_gone,
        test_a_peer_that_stays_after_its_goodbye_is_dropped,
        test_a_peer_that_reads_nothing_is_dropped,
        test_closing_a_dead_peer_waits_for_nobody,
        test_connections_have_a_bound,
    ],
)
def test_bounds_are_the_same_under_uvloop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> None:
    uvloop.run(scenario(Doorkeeper()))


# --- Real encoders --------------------------------------------------------------------


async def run(*argv: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(2 * SOON_S):
            _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, stderr.decode()


def muxed(argv: list[str]) -> list[tuple[str, int]]:
    """Kind and time of every tag that FFmpeg's muxer makes of the same arguments, without RTMP."""
    made = subprocess.run([*argv[:-1], "-"], check=True, capture_output=True, timeout=SOON_S).stdout
    found, at = [], 13
    while at < len(made):
        size = int.from_bytes(made[at + 1 : at + 4])
        time = int.from_bytes(made[at + 4 : at + 7])
        kind = {8: "audio", 9: "video"}.get(made[at])
        if kind:
            found.append((kind, time))
        at += 15 + size
    return found


@pytest.mark.ffmpeg
async def test_ffmpeg_publishes_what_it_muxes(server: RtmpServer, door: Doorkeeper) -> None:
    argv = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/good", size="320x180", rate=30, seconds=3)

    code, stderr = await run(*argv)

    recorder = door.recorder
    assert (code, stderr) == (0, "")
    assert await recorder.ending() is True
    assert [(tag.kind, tag.timestamp_ms) for tag in recorder.tags] == muxed(argv)
    keyframes = [tag.timestamp_ms for tag in recorder.of("video") if flv.is_keyframe(tag.payload)]
    assert len(keyframes) == 3
    assert [later - former for former, later in pairwise(keyframes)] == [1000, 1000]
    config = flv.avc_config(recorder.of("video")[0].payload)
    assert (config.width_px, config.height_px) == (320, 180)
    assert flv.aac_config(recorder.of("audio")[0].payload).sample_rate_hz == 48_000


@pytest.mark.ffmpeg
async def test_ffmpeg_shows_why_its_key_is_refused(server: RtmpServer, door: Doorkeeper) -> None:
    argv = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/wrong", size="320x180", rate=30, seconds=3)

    code, stderr = await run(*argv)

    assert code != 0
    assert "Server error: This stream key is not valid." in stderr
    assert door.recorders == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("codec", "sentence"),
    [
        (("-c:v", "libx265", "-x265-params", "log-level=none"), "Your encoder sends a picture in HEVC."),
        (("-c:a", "libmp3lame"), "Your encoder sends sound in MP3. Please choose AAC."),
    ],
    ids=["HEVC", "MP3"],
)
async def test_ffmpeg_shows_why_its_codec_is_refused(
    server: RtmpServer, codec: tuple[str, ...], sentence: str
) -> None:
    *argv, url = ffmpeg_args(f"rtmp://127.0.0.1:{server.port}/live/good", size="320x180", rate=30, seconds=5)

    code, stderr = await run(*argv, *codec, url)

    assert code != 0
    assert f"Server error: {sentence}" in stderr


@pytest.mark.ffmpeg
async def test_ffmpeg_cannot_play_what_is_published(server: RtmpServer) -> None:
    async with await Encoder.open(server.port) as obs:
        await obs.publish("good")

        code, stderr = await run(
            ffmpeg_path(), "-v", "error", "-i", f"rtmp://127.0.0.1:{server.port}/live/good", "-f", "null", "-"
        )

    assert code != 0
    assert "Nothing is played over RTMP" in stderr


@pytest.mark.skipif(bool(missing_packages()), reason="GStreamer with its plugins is not installed")
@pytest.mark.parametrize("sink", ["rtmp2sink", "rtmpsink"])
async def test_gstreamer_publishes(server: RtmpServer, door: Doorkeeper, sink: str) -> None:
    pipeline = f"""
        videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=180,framerate=30/1
        ! x264enc tune=zerolatency key-int-max=30 ! flvmux name=mux streamable=true
        ! {sink} location=rtmp://127.0.0.1:{server.port}/live/good
        audiotestsrc num-buffers=90 ! audio/x-raw,rate=44100,channels=2 ! avenc_aac ! mux.
    """

    code, stderr = await run("gst-launch-1.0", "-q", *pipeline.split())

    recorder = door.recorder
    assert (code, stderr) == (0, "")
    assert await recorder.ending() is True
    pictures = [tag for tag in recorder.of("video") if tag.payload[1] == 1]
    assert len(pictures) == 60
    assert sum(flv.is_keyframe(tag.payload) for tag in pictures) == 2
    assert flv.avc_config(recorder.of("video")[0].payload).width_px == 320
    assert len(recorder.of("audio")) > 80
