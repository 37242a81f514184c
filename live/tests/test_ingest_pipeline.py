"""From an encoder's first byte to a replay, with real FFmpeg, Redis, S3 and RTMP."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.test import AsyncClient

from live import broadcasting, liveness
from live.ingest import encoder as encoder_module
from live.ingest import inbox as inbox_module
from live.ingest import on_air as on_air_module
from live.ingest import pipeline as pipeline_module
from live.ingest import recovery
from live.ingest.pipeline import Pipeline, in_thread
from live.llhls import shelf
from live.llhls.playlist import Window
from live.models import Broadcast
from live.rtmp.session import MediaTag
from live.tests.ingesting import (
    FakePublisher,
    Replay,
    broadcast_in,
    ingest_process,
    ingesting,
    kill,
    later,
    make_stream,
    publishing,
    ready_video,
    recorded,
    replay_of,
    tags_of,
    until,
)
from videos.models import Video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def one_rung_below(settings: Any) -> None:
    settings.LIVE_RUNGS = [180]
    settings.LIVE_PRESET = "ultrafast"


def durations(replay: Replay, name: str = "r0") -> list[float]:
    return [float(found) for found in re.findall(r"#EXTINF:([\d.]+)", replay.playlist(name))]


def timelines(replay: Replay) -> int:
    return replay.playlist().count("#EXT-X-DISCONTINUITY") + 1


def pictures_of(replay: Replay, name: str = "r0") -> int:
    """How many pictures the playlist's durations promise, at 30 a second."""
    return round(sum(durations(replay, name)) * 30)


def window_of(broadcast: Broadcast, rendition: str = "r0") -> Window:
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        text = client.get(shelf.window_key(broadcast.public_id, rendition))
    assert isinstance(text, bytes)
    return Window.from_json(text)


# --- One publisher ------------------------------------------------------------------


async def test_a_broadcast_becomes_a_video_with_every_picture(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=8) as encoder:
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert replay.names == ["r0", "r1"]
    assert [replay.size(name) for name in replay.names] == [(640, 360), (320, 180)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [240, 240]
    assert [round(sum(durations(replay, name)), 1) for name in replay.names] == [8.0, 8.0]
    assert timelines(replay) == 1
    broadcast = await broadcast_in("ended")
    assert broadcast.ending == Broadcast.Ending.UNPUBLISHED
    assert [rendition["name"] for rendition in broadcast.renditions_json] == ["r0", "r1"]
    assert (broadcast.source_json or {})["frame_rate"] == 30.0
    assert video.poster_key.startswith(video.encode_prefix)
    assert replay.file(video.poster_key)[:3] == b"\xff\xd8\xff"


async def test_parts_keep_to_their_target_in_every_rendition(bucket: str) -> None:
    await make_stream(record=False)

    async with ingesting() as ingest, publishing(ingest.url, seconds=5) as encoder:
        await encoder.wait()
        broadcast = await broadcast_in("ended")

    for name in ("r0", "r1"):
        segments = window_of(broadcast, name).segments
        inner = [part.duration_s for segment in segments for part in segment.parts[:-1]]
        target_s = window_of(broadcast, name).shape.part_target_s
        assert target_s == 0.202
        assert len(segments) == 5
        assert all(0.85 * target_s <= duration_s <= target_s for duration_s in inner)
        assert all(segment.parts[0].is_independent for segment in segments if segment.parts)
    assert not await in_thread(Video.objects.exists)


async def test_a_source_with_b_frames_is_copied_whole(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with (
        ingesting() as ingest,
        publishing(ingest.url, seconds=6, x264=("-bf", "2", "-preset", "veryfast")) as encoder,
    ):
        broadcast = await recorded(1)
        health = await until(lambda: in_thread(liveness.health_of, broadcast.public_id))
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert [replay.decoded_pictures(name) for name in replay.names] == [180, 180]
    assert health["advice"] == ["b_frames"]


async def test_a_source_with_rare_keyframes_is_encoded(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=7, gop=300) as encoder:
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert [replay.decoded_pictures(name) for name in replay.names] == [210, 210]
    broadcast = await broadcast_in("ended")
    window = window_of(broadcast)
    assert {round(segment.length_s, 1) for segment in window.segments} == {1.0}


async def test_a_silent_portrait_source(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with (
        ingesting() as ingest,
        publishing(ingest.url, seconds=5, size="360x640", has_sound=False) as encoder,
    ):
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert [replay.size(name) for name in replay.names] == [(360, 640), (180, 320)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [150, 150]
    assert not replay.has_sound()


# --- What goes wrong ------------------------------------------------------------------


async def test_a_publisher_that_was_killed_and_returns_continues_its_broadcast(
    bucket: str, tmp_path: Path
) -> None:
    await make_stream()

    async with ingesting() as ingest:
        async with publishing(ingest.url) as encoder:
            first = await recorded(4)
            encoder.kill()
            await broadcast_in("reconnecting")
        async with publishing(ingest.url, seconds=5) as encoder:
            await broadcast_in("live")
            await encoder.wait()
            video = await ready_video()

    assert await in_thread(Broadcast.objects.count) == 1
    assert video == first.recording
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)
    assert replay.decoded_pictures("r1") == pictures_of(replay, "r1")


async def test_an_ffmpeg_that_was_killed_is_started_again(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=8) as encoder:
        await recorded(1)
        kill((await ingest.pipeline()).ffmpeg_pid)
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    # Begun again from the last keyframe: nothing is missing, up to a second comes twice.
    assert 240 <= replay.decoded_pictures() <= 240 + 31


async def test_a_half_open_connection_does_not_block_the_return(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url) as half_open:
        first = await recorded(1)
        half_open.send_signal(signal.SIGSTOP)
        async with publishing(ingest.url, seconds=4) as encoder:
            second = await recorded(1, after_msn=first.recorded_msn)
            await encoder.wait()
            await ready_video()
        assert first.connection_id not in [old.connection_id for old in ingest.broadcaster.pipelines]

    assert second.pk == first.pk
    assert second.connection_id != first.connection_id


async def test_a_newer_publisher_at_another_ingest_wins(bucket: str) -> None:
    await make_stream()

    async with ingesting() as here, ingesting() as there, publishing(here.url) as old:
        first = await recorded(1)
        async with publishing(there.url, seconds=4) as new:
            await old.wait()
            await broadcast_in("live", connection_id=there.broadcaster.pipelines[0].connection_id)
            await new.wait()
            video = await ready_video()

    assert video == first.recording
    assert await in_thread(Broadcast.objects.count) == 1


async def test_what_a_dead_ingest_left_is_recovered(bucket: str, tmp_path: Path) -> None:
    stream = await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        broadcast = await recorded(4)
        shown = await until(lambda: in_thread(lambda: _shown_msn(broadcast, broadcast.recorded_msn + 2)))
        pipeline = await ingest.pipeline()
        # As SIGKILL leaves it: nobody drains, nobody says anything.
        pipeline.on_air._recorder = None  # type: ignore[union-attr]
        pipeline.stop()
        await broadcast_in("reconnecting")
    await in_thread(_sweep_after_grace, broadcast)

    video = await ready_video()
    replay = await replay_of(video, tmp_path)
    assert (await broadcast_in("ended")).recorded_msn >= shown
    assert timelines(replay) == 1
    assert replay.decoded_pictures() == pictures_of(replay)
    assert stream.pk == broadcast.stream_id


def _shown_msn(broadcast: Broadcast, at_least: int) -> int | None:
    """The last segment that viewers could see something of, if it is that far."""
    msn = window_of(broadcast).next_msn - 1
    return msn if msn >= at_least else None


def _sweep_after_grace(broadcast: Broadcast) -> None:
    recovery.store_tail(broadcast)
    recovery.store_tail(broadcast)
    fresh = Broadcast.objects.select_related("stream__channel__owner").get(pk=broadcast.pk)
    liveness.forget_alive(broadcast.public_id)
    broadcasting.end(fresh, Broadcast.Ending.TIMED_OUT)


async def test_a_stopped_ingest_leaves_the_broadcast_waiting_and_stored(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        await recorded(1)
        await ingest.server.close()
        await ingest.broadcaster.close(within_s=5)
        broadcast = await broadcast_in("reconnecting")

    assert broadcast.recorded_msn == window_of(broadcast).next_msn - 1


async def test_ending_in_the_studio_closes_the_publisher_and_completes_the_video(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url) as encoder:
        broadcast = await recorded(1)
        await in_thread(broadcasting.end, broadcast, Broadcast.Ending.STOPPED)
        await encoder.wait()
        video = await ready_video()

    assert video == broadcast.recording
    assert window_of(broadcast).next_msn - 1 == (await broadcast_in("ended")).recorded_msn


# --- Signals that change ----------------------------------------------------------------


async def send(pipeline: Pipeline, tags: list[MediaTag], *, faster: float = 2) -> None:
    """Send tags ``faster`` than they play."""
    started_at = asyncio.get_running_loop().time() - tags[0].timestamp_ms / 1000 / faster
    for tag in tags:
        due_s = started_at + tag.timestamp_ms / 1000 / faster - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0, due_s))
        await pipeline.tag(tag)


async def play(bucket_folder: Path, tags: list[MediaTag]) -> Replay:
    """Broadcast ``tags`` and return the replay."""
    await make_stream()
    async with ingesting() as ingest:
        pipeline = await ingest.admit(FakePublisher())
        await send(pipeline, tags)
        await pipeline.closed(said_goodbye=True)
        return await replay_of(await ready_video(), bucket_folder)


async def test_another_picture_size_begins_another_timeline(bucket: str, tmp_path: Path) -> None:
    tags = [*tags_of(seconds=2), *later(tags_of(seconds=2, size="640x360"), 2000)]

    replay = await play(tmp_path, tags)

    assert timelines(replay) == 2
    assert replay.decoded_pictures() == 120
    assert replay.names == ["r0"]


async def test_sound_that_begins_later_is_taken_up_at_a_keyframe(bucket: str, tmp_path: Path) -> None:
    silent, sounding = tags_of(seconds=3, has_sound=False), tags_of(seconds=3)

    replay = await play(tmp_path, [*silent, *later(sounding, 3000)])

    assert timelines(replay) == 2
    assert replay.decoded_pictures() == 180


async def test_a_clock_that_jumps_begins_another_timeline(bucket: str, tmp_path: Path) -> None:
    tags = tags_of(seconds=2)
    after = later(tags_of(seconds=2), 4_000_000)

    await make_stream()
    async with ingesting() as ingest:
        pipeline = await ingest.admit(FakePublisher())
        await send(pipeline, tags)
        await send(pipeline, after)
        await pipeline.closed(said_goodbye=True)
        replay = await replay_of(await ready_video(), tmp_path)

    assert timelines(replay) == 2
    assert replay.decoded_pictures() == 120


async def test_keyframes_that_become_rare_are_set_by_us(bucket: str, tmp_path: Path) -> None:
    tags = [*tags_of(seconds=2), *later(tags_of("-g", "300", seconds=5), 2000)]

    replay = await play(tmp_path, tags)

    assert timelines(replay) == 2
    # The long group of pictures is encoded from its beginning.
    assert 210 <= replay.decoded_pictures() <= 210 + 50


async def test_sound_alone_is_refused_with_a_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "PICTURE_WITHIN_S", 0.2)
    await make_stream()
    publisher = FakePublisher()

    async with ingesting() as ingest:
        pipeline = await ingest.admit(publisher)
        for tag in tags_of(seconds=1):
            if tag.kind == "audio":
                await pipeline.tag(tag)
        assert await pipeline.wait(5)

    assert publisher.closed_with[0] == pipeline_module.NO_PICTURE
    assert not await in_thread(Broadcast.objects.exists)


async def test_a_publisher_that_leaves_before_it_is_seen_begins_nothing(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest:
        pipeline = await ingest.admit(FakePublisher())
        await send(pipeline, tags_of(seconds=0.5))
        await pipeline.closed(said_goodbye=False)
        assert await pipeline.wait(5)

    assert not await in_thread(Broadcast.objects.exists)


async def test_an_ffmpeg_that_dies_again_and_again_is_given_up(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_air_module, "RESTART_PAUSE_S", (0.0,) * 5)
    monkeypatch.setattr(encoder_module, "ffmpeg_path", lambda: "false")
    await make_stream()
    publisher = FakePublisher()

    async with ingesting() as ingest:
        pipeline = await ingest.admit(publisher)
        # That an encoder is gone shows when the next pictures are to be written to it.
        for begins_ms in range(0, 60_000, 3000):
            await send(pipeline, later(tags_of(seconds=3), begins_ms))
            if await pipeline.wait(1):
                break
        broadcast = await broadcast_in("reconnecting")
        health = await in_thread(liveness.health_of, broadcast.public_id)

    assert publisher.closed_with[0] == on_air_module.FAILING
    assert health
    assert health["verdict"] == "encoder_failing"


async def test_an_ffmpeg_that_stands_still_costs_pictures_and_no_more(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_STUCK_S", 1.0)
    monkeypatch.setattr(inbox_module, "MAX_SPAN_S", 2.0)
    await make_stream()

    async with ingesting() as ingest:
        pipeline = await ingest.admit(FakePublisher())
        await send(pipeline, tags_of(seconds=3), faster=1)
        os.kill(pid_of(await ingest.pipeline()), signal.SIGSTOP)
        await send(pipeline, later(tags_of("-b:v", "8M", "-minrate", "8M", seconds=8), 3000), faster=1)
        await pipeline.closed(said_goodbye=True)
        video = await ready_video()

    assert pipeline.monitor.dropped_frames > 0
    assert (video.duration_s or 0) > 4


def pid_of(pipeline: Pipeline) -> int:
    pid = pipeline.ffmpeg_pid
    assert pid
    return pid


# --- The process ----------------------------------------------------------------------


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be listened on.*RTMP_PORT"):
            call_command("ingest", host="127.0.0.1", port=port)


async def test_sigterm_stores_what_is_in_hand_and_the_next_ingest_goes_on(
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


async def test_sigkill_loses_nothing_that_viewers_could_see(bucket: str, tmp_path: Path) -> None:
    await make_stream()
    async with ingest_process(bucket, tmp_path) as ingest, publishing(ingest.url) as encoder:
        first = await recorded(4)
        await until(lambda: in_thread(lambda: _shown_msn(first, first.recorded_msn + 2)))
        kill(ingest.process.pid)
        await encoder.wait()
    shown = window_of(first).next_msn - 1

    # The next ingest finds it; the sweeper would, too.
    async with ingest_process(bucket, tmp_path) as ingest, publishing(ingest.url, seconds=12) as encoder:
        recovered = await recorded(1, after_msn=shown)
        await encoder.wait()
        video = await ready_video()

    assert recovered.pk == first.pk
    replay = await replay_of(video, tmp_path)
    assert timelines(replay) == 2
    assert replay.decoded_pictures() == pictures_of(replay)
    assert replay.decoded_pictures() > 30 * shown


# --- Rewinding ------------------------------------------------------------------------


async def test_a_running_broadcast_can_be_rewound(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        broadcast = await recorded(4)
        client = AsyncClient()
        multivariant = await client.get(f"/live-dvr/{broadcast.public_id}/open/multivariant.m3u8")
        media = await client.get(f"/live-dvr/{broadcast.public_id}/open/r1.m3u8")
        refused = await client.get(f"/live-dvr/{broadcast.public_id}/guessed/r1.m3u8")

    assert "r1.m3u8" in multivariant.content.decode()
    assert multivariant["Access-Control-Allow-Origin"] == "*"
    lines = media.content.decode().splitlines()
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in lines
    assert "X-Amz-Signature" in lines[-1]
    assert refused.status_code == 404
