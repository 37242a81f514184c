"""Tests of killed processes and of outages during a broadcast, with real FFmpeg, Redis, S3 and RTMP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.management import CommandError, call_command

from common import storage
from live import broadcasting, ingest_presence
from live.ingest import broadcast_session as on_air_module
from live.ingest import encoder as encoder_module
from live.ingest import inbox as inbox_module
from live.ingest import registry as registry_module
from live.ingest.publisher_session import PublisherSession, in_thread
from live.models import Broadcast
from live.recording import recorder as recorder_module
from live.recording import recovery
from live.tests.edge_tools import Line
from live.tests.ingesting import (
    IN_REAL_TIME,
    FakePublisher,
    broadcast_in,
    ingest_process,
    ingesting,
    kill,
    later,
    make_stream,
    pictures_of,
    publishing,
    ready_video,
    recorded,
    replay_of,
    send,
    tags_of,
    timelines,
    until,
    window_of,
)

pytestmark = IN_REAL_TIME


async def test_killed_ffmpeg_is_restarted(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=14) as encoder:
        await recorded(1)
        kill((await ingest.session()).ffmpeg_pid)
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    # FFmpeg restarts at the last keyframe: no frame is missing, up to a second is repeated.
    assert 420 <= replay.decoded_pictures() <= 420 + 31


async def test_segments_of_a_dead_ingest_are_recovered(bucket: str, tmp_path: Path) -> None:
    stream = await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        broadcast = await recorded(4)
        shown = await until(lambda: in_thread(lambda: _shown_msn(broadcast, broadcast.recorded_msn + 2)))
        session = await ingest.session()
        # As after SIGKILL: nothing is drained or published.
        session.on_air.recorder = session.on_air._fan_out.recorder = None  # type: ignore[union-attr]
        session.stop()
        await broadcast_in("reconnecting")
    await in_thread(_sweep_after_grace, broadcast)

    video = await ready_video()
    replay = await replay_of(video, tmp_path)
    assert (await broadcast_in("ended")).recorded_msn >= shown
    assert timelines(replay) == 1
    assert replay.decoded_pictures() == pictures_of(replay)
    assert stream.pk == broadcast.stream_id


def _shown_msn(broadcast: Broadcast, at_least: int) -> int | None:
    """Return the MSN of the last published segment, if it is ``at_least`` that; else None."""
    msn = window_of(broadcast).next_msn - 1
    return msn if msn >= at_least else None


def _sweep_after_grace(broadcast: Broadcast) -> None:
    recovery.store_tail(broadcast)
    recovery.store_tail(broadcast)
    fresh = Broadcast.objects.select_related("stream__channel__owner").get(pk=broadcast.pk)
    Broadcast.objects.filter(pk=broadcast.pk).update(heard_at=None)
    broadcasting.end(fresh, Broadcast.Ending.TIMED_OUT)


async def test_stopped_ingest_stores_all_segments_and_leaves_the_broadcast_reconnecting(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        await recorded(1)
        await ingest.server.close()
        await ingest.registry.close(within_s=5)
        broadcast = await broadcast_in("reconnecting")

    assert broadcast.recorded_msn == window_of(broadcast).next_msn - 1


class Outage:
    """Storage outage: writes fail until ``is_over``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_over = False
        real = storage.put_bytes

        def put_bytes(key: str, data: bytes, *args: Any, **named: Any) -> Any:
            if not self.is_over:
                raise EndpointConnectionError(endpoint_url="s3")
            return real(key, data, *args, **named)

        monkeypatch.setattr(storage, "put_bytes", put_bytes)
        monkeypatch.setattr(recorder_module, "RETRY_S", (0.2,))
        monkeypatch.setattr(recorder_module, "MEMORY_BYTES", 100_000)
        monkeypatch.setattr(on_air_module, "DRAIN_WITHIN_S", 0.5)
        monkeypatch.setattr(registry_module, "TAKE_OVER_WITHIN_S", 1.5)


async def test_recording_is_complete_after_a_storage_outage_beyond_the_end(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch)
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=10) as encoder:
        session = await ingest.session()
        await until(lambda: in_thread(lambda: session.monitor.waits_for_storage))
        await encoder.wait()
        ended = await broadcast_in("ended")
        assert ended.recorded_msn == -1
        outage.is_over = True
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert [replay.decoded_pictures(name) for name in replay.names] == [300, 300]
    assert ingest.registry.spool.used_bytes == 0


async def test_publisher_returning_during_a_storage_outage_keeps_earlier_segments(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch)
    await make_stream()

    async with ingesting() as ingest:
        async with publishing(ingest.url) as encoder:
            first = await broadcast_in("live", first_msn=0)
            await until(lambda: in_thread(lambda: _shown_msn(first, 5)))
            encoder.kill()
            await broadcast_in("reconnecting")
        async with publishing(ingest.url, seconds=5) as encoder:
            await encoder.wait()
            shown = window_of(await broadcast_in("ended")).next_msn
            outage.is_over = True
            video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)
    assert (await broadcast_in("ended")).recorded_msn == shown - 1


async def test_broadcast_is_recorded_during_a_redis_outage(
    bucket: str, tmp_path: Path, settings: Any
) -> None:
    await make_stream()
    async with Line.laid() as line:
        settings.REDIS_URL = line.url
        async with ingesting() as ingest, publishing(ingest.url, seconds=14) as encoder:
            before = await recorded(1)
            line.cut()
            during = await recorded(4, after_msn=before.recorded_msn)
            line.mend()
            await encoder.wait()
            video = await ready_video()
        # In a thread, because the event loop runs the proxy to Redis.
        window = await in_thread(window_of, before)
        assert window.next_msn - 1 == (await broadcast_in("ended")).recorded_msn

    assert during.connection_id == before.connection_id
    replay = await replay_of(video, tmp_path)
    assert replay.decoded_pictures() == 420
    assert timelines(replay) == 1


async def test_repeatedly_dying_ffmpeg_closes_the_publisher(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_air_module, "RESTART_PAUSE_S", (0.0,) * 5)
    monkeypatch.setattr(encoder_module, "ffmpeg_path", lambda: "false")
    await make_stream()
    publisher = FakePublisher()

    async with ingesting() as ingest:
        session = await ingest.admit(publisher)
        # A dead FFmpeg is detected by the next write.
        for begins_ms in range(0, 60_000, 3000):
            await send(session, later(tags_of(seconds=3), begins_ms))
            if await session.wait(1):
                break
        broadcast = await broadcast_in("reconnecting")
        health = await in_thread(ingest_presence.health_of, broadcast.public_id)

    assert publisher.closed_with[0] == on_air_module.FAILING
    assert health
    assert health["verdict"] == "encoder_failing"


async def test_stalled_ffmpeg_drops_frames_and_the_broadcast_continues(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_STUCK_S", 1.0)
    monkeypatch.setattr(inbox_module, "MAX_SPAN_AT_START_S", 2.0)
    await make_stream()

    async with ingesting() as ingest:
        session = await ingest.admit(FakePublisher())
        await send(session, tags_of(seconds=3), faster=1)
        os.kill(pid_of(await ingest.session()), signal.SIGSTOP)
        await send(session, later(tags_of("-b:v", "8M", "-minrate", "8M", seconds=8), 3000), faster=1)
        await session.on_closed(has_unpublished=True)
        video = await ready_video()

    assert session.monitor.dropped_frames > 0
    assert (video.duration_s or 0) > 4


def pid_of(session: PublisherSession) -> int:
    pid = session.ffmpeg_pid
    assert pid
    return pid


def test_taken_port_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be listened on.*RTMP_PORT"):
            call_command("ingest", host="127.0.0.1", port=port)


async def test_sigterm_stores_open_segments_and_the_next_ingest_continues(
    bucket: str, tmp_path: Path
) -> None:
    await make_stream()
    async with ingest_process(bucket, tmp_path) as old, publishing(old.url):
        first = await recorded(4)
        old.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(old.process.wait, 6) == 0
    waiting = await broadcast_in("reconnecting")
    assert waiting.recorded_msn == window_of(waiting).next_msn - 1

    async with ingest_process(bucket, tmp_path) as new, publishing(new.url, seconds=4) as encoder:
        await encoder.wait()
        video = await ready_video()

    assert video == first.recording
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)


async def test_sigkill_loses_no_published_segment(bucket: str, tmp_path: Path) -> None:
    await make_stream()
    async with ingest_process(bucket, tmp_path) as ingest, publishing(ingest.url) as encoder:
        first = await recorded(4)
        await until(lambda: in_thread(lambda: _shown_msn(first, first.recorded_msn + 2)))
        kill(ingest.process.pid)
        await encoder.wait()
    shown = window_of(first).next_msn - 1

    # The next ingest recovers the segments, as the sweep would.
    async with ingest_process(bucket, tmp_path) as ingest, publishing(ingest.url, seconds=12) as encoder:
        recovered = await recorded(1, after_msn=shown)
        await encoder.wait()
        video = await ready_video()

    assert recovered.pk == first.pk
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)
    assert replay.decoded_pictures() > 30 * shown
