"""Tests of publishers that leave, return and replace each other, with real FFmpeg, Redis, S3 and RTMP."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from live import broadcasting, ingest_presence
from live.ingest import turns
from live.ingest.publisher_session import in_thread
from live.ingest.server import PublisherRefused
from live.ingest.source import rung_bitrate_bps
from live.models import Broadcast
from live.tests.edge_tools import fetched, serving
from live.tests.hls_checker import faults
from live.tests.ingesting import (
    IN_REAL_TIME,
    FakePublisher,
    broadcast_in,
    ingesting,
    make_stream,
    pictures_of,
    publishing,
    ready_video,
    recorded,
    replay_of,
    send,
    tags_of,
    timelines,
    window_of,
)

pytestmark = IN_REAL_TIME


async def test_killed_publisher_continues_its_broadcast_on_return(bucket: str, tmp_path: Path) -> None:
    """The source has B-frames; a strict checker reads every live and recorded segment."""
    await make_stream()
    x264 = ("-bf", "2")

    async with ingesting() as ingest, serving() as client:
        async with publishing(ingest.url, x264=x264) as encoder:
            first = await recorded(4)
            encoder.kill()
            waiting = await broadcast_in("reconnecting")
        # It goes on while the playlists are read: they must not end in between.
        async with publishing(ingest.url, seconds=10, x264=x264) as encoder:
            await recorded(2, after_msn=waiting.recorded_msn)
            live = await fetched(client, first.media_path)
            await encoder.wait()
            video = await ready_video()

    assert await in_thread(Broadcast.objects.count) == 1
    assert video == first.recording
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    # Segments of 1 s hold half a second more than the encoder's rate, with audio and boxes.
    limit_bps = round(1.5 * rung_bitrate_bps(180, 30)) + 160_000
    assert faults(live.__getitem__, limits_bps={"r1.m3u8": limit_bps}) == []
    assert faults(lambda uri: (replay.folder / uri).read_bytes()) == []
    for name in replay.names:
        # The kill may cut off the two B-frames that are shown before the last P-frame.
        assert 0 <= pictures_of(replay, name) - replay.decoded_pictures(name) <= 2
    for name in replay.names:
        before, after = replay.shown_at(name)
        assert before[0] == 0.0
        # Timestamps continue over the discontinuity.
        assert after[0] - before[-1] == pytest.approx(1 / 30, abs=0.002)


async def test_half_open_connection_does_not_block_reconnecting(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url) as half_open:
        first = await recorded(1)
        half_open.send_signal(signal.SIGSTOP)
        async with publishing(ingest.url, seconds=4) as encoder:
            second = await recorded(1, after_msn=first.recorded_msn)
            await encoder.wait()
            await ready_video()
        assert first.connection_id not in [old.connection_id for old in ingest.registry.sessions]

    assert second.pk == first.pk
    assert second.connection_id != first.connection_id


async def test_newer_publisher_at_another_ingest_replaces_the_older_one(bucket: str) -> None:
    await make_stream()

    async with ingesting() as here, ingesting() as there, publishing(here.url) as old:
        first = await recorded(1)
        async with publishing(there.url, seconds=4) as new:
            await old.wait()
            await broadcast_in("live", connection_id=there.registry.sessions[0].connection_id)
            with pytest.raises(PublisherRefused, match=turns.IN_USE):
                await here.admit(FakePublisher("the old one, which connects again"))
            await new.wait()
            video = await ready_video()

    assert video == first.recording
    assert await in_thread(Broadcast.objects.count) == 1


async def test_older_ingest_without_commands_is_overtaken_at_the_edge(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Commands to it are lost and it sends no heartbeat, as on a host with a hanging network."""
    monkeypatch.setattr(ingest_presence, "disconnect_publishers", lambda *_args, **_named: None)
    monkeypatch.setattr(ingest_presence, "KEEP_ALIVE_S", 60)
    await make_stream()

    async with ingesting() as here, ingesting() as there, publishing(here.url) as old:
        first = await recorded(1)
        async with publishing(there.url, seconds=6) as new:
            await old.wait()
            await new.wait()
            video = await ready_video()

    assert video == first.recording
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)


async def test_ending_in_the_studio_closes_the_publisher_and_completes_the_video(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url) as encoder:
        broadcast = await recorded(1)
        await in_thread(broadcasting.end, broadcast, Broadcast.Ending.STOPPED)
        await encoder.wait()
        with pytest.raises(PublisherRefused, match="ended in the live studio"):
            await ingest.admit(FakePublisher("the same, which connects again"))
        video = await ready_video()

    assert video == broadcast.recording
    assert window_of(broadcast).next_msn - 1 == (await broadcast_in("ended")).recorded_msn


async def test_publisher_leaving_during_probing_begins_no_broadcast(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest:
        session = await ingest.admit(FakePublisher())
        await send(session, tags_of(seconds=0.5))
        await session.on_closed(has_unpublished=False)
        assert await session.wait(5)

    assert not await in_thread(Broadcast.objects.exists)
