"""Tests of the RTMP server's bounds on time, connections and memory, and of its end."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import uvloop

from live.ingest.server import SILENT
from live.rtmp import chunks
from live.tests.doorkeeping import SOON_S, Doorkeeper, listening
from live.tests.rtmp_client import RtmpEncoder


async def test_closing_server_notifies_every_encoder(door: Doorkeeper) -> None:
    async with listening(door) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")

        closing = asyncio.create_task(server.close("Back in a minute."))

        assert (await obs.status())["description"] == "Back in a minute."
        await obs.end_of_file()
        obs.writer.close()
        await closing
    assert door.recorder.endings == [False]


async def test_unfinished_handshake_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, handshake_s=0.1) as server, await RtmpEncoder.open(server.port) as peer:
        await peer.send(peer.speech.hello()[:100])

        await peer.end_of_file_or_reset()


async def test_peer_that_never_publishes_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, until_publish_s=0.3) as server, await RtmpEncoder.open(server.port) as peer:
        await peer.connect()

        await peer.end_of_file_or_reset()
    assert door.recorders == []


async def drip(peer: RtmpEncoder, data: bytes) -> None:
    for byte in data:
        await peer.send(bytes([byte]))
        await asyncio.sleep(0.01)


async def test_slow_bytes_do_not_prolong_the_timeout(door: Doorkeeper) -> None:
    async with listening(door, handshake_s=0.2) as server, await RtmpEncoder.open(server.port) as peer:
        dripping = asyncio.create_task(drip(peer, peer.speech.hello()))

        await asyncio.wait_for(peer.end_of_file_or_reset(), SOON_S)
        dripping.cancel()


async def test_silent_publisher_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, idle_s=0.3) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.some_media(seconds=1)[:-1])

        assert (await obs.status())["description"] == SILENT.format(seconds=0.3)
        assert await door.recorder.ending() is False
        await obs.end_of_file_or_reset()
    assert len(door.recorder.tags) == 61


async def test_slow_sink_does_not_make_its_publisher_silent(door: Doorkeeper) -> None:
    async with listening(door, idle_s=0.2) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        door.recorder.may_take.clear()
        await obs.send(obs.speech.some_media(seconds=1))
        await asyncio.sleep(0.5)  # longer than the allowed silence
        door.recorder.may_take.set()
        await obs.goodbye("good")

        assert await door.recorder.ending() is True


async def test_peer_that_stays_after_its_goodbye_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, linger_s=0.2) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.goodbye("good")

        await obs.end_of_file_or_reset()


async def test_peer_that_reads_nothing_is_dropped(door: Doorkeeper) -> None:
    """The peer sends pings without reading answers, until they exceed the server's buffer."""
    async with listening(door) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        obs.reader._transport.pause_reading()  # type: ignore[attr-defined]
        pings = obs.speech.writer.control(chunks.USER_CONTROL, bytes.fromhex("0006 00000000")) * 200_000

        with contextlib.suppress(ConnectionError):
            await obs.send(pings)

        assert await door.recorder.ending() is False


async def test_closing_a_dead_peer_does_not_block(door: Doorkeeper) -> None:
    async with listening(door, linger_s=0.2) as server, await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        obs.reader._transport.pause_reading()  # type: ignore[attr-defined]

        door.recorder.publisher.close("", "x" * 30_000)

        assert await door.recorder.ending() is False


async def test_number_of_connections_is_bounded(door: Doorkeeper) -> None:
    async with (
        listening(door, connections=2) as server,
        await RtmpEncoder.open(server.port) as one,
        await RtmpEncoder.open(server.port) as two,
        await RtmpEncoder.open(server.port) as three,
    ):
        await one.connect()
        await two.connect()
        await three.end_of_file_or_reset()


async def test_unpublished_connections_of_an_address_are_bounded(door: Doorkeeper) -> None:
    async with (
        listening(door, waiting_per_address=1) as server,
        await RtmpEncoder.open(server.port) as one,
    ):
        await one.publish("good")
        async with await RtmpEncoder.open(server.port) as two, await RtmpEncoder.open(server.port) as three:
            await three.end_of_file_or_reset()
            assert (await two.publish("good"))["code"] == "NetStream.Publish.Start"


BALANCER = (ip_network("127.0.0.0/8"),)


def header(client: str) -> bytes:
    return f"PROXY TCP{6 if ':' in client else 4} {client} {client} 50000 1935\r\n".encode()


async def test_clients_behind_a_balancer_are_counted_by_address(door: Doorkeeper) -> None:
    async with (
        listening(door, balancers=BALANCER, waiting_per_address=1) as server,
        await RtmpEncoder.open(server.port) as one,
        await RtmpEncoder.open(server.port) as other,
        await RtmpEncoder.open(server.port) as again,
    ):
        await one.send(header("192.0.2.1"))
        await one.connect()
        await other.send(header("192.0.2.2"))
        assert (await other.publish("good"))["code"] == "NetStream.Publish.Start"
        await again.send(header("192.0.2.1"))
        await again.end_of_file_or_reset()

        assert door.recorder.publisher.address == "192.0.2.2:50000"


async def test_ipv6_clients_of_one_network_are_counted_together(door: Doorkeeper) -> None:
    async with (
        listening(door, balancers=BALANCER, waiting_per_address=1) as server,
        await RtmpEncoder.open(server.port) as one,
        await RtmpEncoder.open(server.port) as other,
        await RtmpEncoder.open(server.port) as again,
    ):
        await one.send(header("2001:db8:0:1::1"))
        await one.connect()
        await other.send(header("2001:db8:0:2::1"))
        await other.connect()
        await again.send(header("2001:db8:0:1::2"))
        await again.end_of_file_or_reset()


async def test_balancer_without_a_header_is_dropped(door: Doorkeeper) -> None:
    async with listening(door, balancers=BALANCER) as server, await RtmpEncoder.open(server.port) as peer:
        await peer.send(peer.speech.hello())
        await peer.end_of_file_or_reset()


async def test_balancer_with_unfinished_header_is_dropped(door: Doorkeeper) -> None:
    async with (
        listening(door, balancers=BALANCER, handshake_s=0.2) as server,
        await RtmpEncoder.open(server.port) as peer,
    ):
        await peer.send(header("192.0.2.1")[:10])
        await peer.end_of_file_or_reset()


async def test_proxy_header_of_untrusted_address_is_refused(door: Doorkeeper) -> None:
    async with (
        listening(door, balancers=(ip_network("192.0.2.0/24"),)) as server,
        await RtmpEncoder.open(server.port) as peer,
    ):
        await peer.send(header("192.0.2.1") + peer.speech.hello())
        await peer.end_of_file_or_reset()


def rss_mb() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


async def test_fifty_peers_declaring_huge_messages_use_little_memory(door: Doorkeeper) -> None:
    """Each peer declares 16 MB; the server must neither allocate nor await these 800 MB."""
    async with listening(door, waiting_per_address=100) as server:
        encoders = [await RtmpEncoder.open(server.port) for _ in range(50)]
        for encoder in encoders:
            await encoder.connect()
        before_mb = rss_mb()
        for encoder in encoders:
            huge = bytes([4]) + bytes(3) + b"\xff\xff\xff" + b"\x09" + (1).to_bytes(4, "little")
            await encoder.send(huge + bytes(128))
        for encoder in encoders:
            await encoder.end_of_file_or_reset()
        grown_mb = rss_mb() - before_mb
        for encoder in encoders:
            encoder.writer.transport.abort()

    assert grown_mb < 20


async def test_fifty_peers_with_unfinished_commands_use_little_memory(door: Doorkeeper) -> None:
    """Each peer sends most of a 60 KB command, but never its end."""
    async with listening(door, waiting_per_address=100, until_publish_s=1.5) as server:
        encoders = [await RtmpEncoder.open(server.port) for _ in range(50)]
        for encoder in encoders:
            await encoder.connect()
        before_mb = rss_mb()
        for encoder in encoders:
            begun = bytes([5]) + bytes(3) + (60_000).to_bytes(3) + b"\x14" + bytes(4)
            begun += b"\xc5".join(bytes(4096) for _ in range(14))
            await encoder.send(begun)
        for encoder in encoders:
            await encoder.end_of_file_or_reset()
        grown_mb = rss_mb() - before_mb
        for encoder in encoders:
            encoder.writer.transport.abort()

    assert grown_mb < 20


@pytest.mark.parametrize(
    "scenario",
    [
        test_closing_server_notifies_every_encoder,
        test_unfinished_handshake_is_dropped,
        test_silent_publisher_is_dropped,
        test_peer_that_stays_after_its_goodbye_is_dropped,
        test_peer_that_reads_nothing_is_dropped,
        test_closing_a_dead_peer_does_not_block,
        test_number_of_connections_is_bounded,
    ],
)
def test_bounds_hold_under_uvloop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> None:
    uvloop.run(scenario(Doorkeeper()))
