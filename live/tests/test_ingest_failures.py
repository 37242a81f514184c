"""Tests of failures in the ingest: each closes its publisher with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError
from redis.exceptions import RedisError

from live import broadcasting, ingest_presence
from live.bounds import Budget
from live.edge.memory import EdgeMemory
from live.edge.writer import EdgeWriter
from live.ingest import broadcast_session as session_module
from live.ingest import inbox as inbox_module
from live.ingest import publisher_session
from live.ingest.broadcast_session import KEYFRAME_WITHIN_S, NO_KEYFRAME, BroadcastSession
from live.ingest.frames import Frame
from live.ingest.health import HealthMonitor
from live.ingest.inbox import Inbox
from live.ingest.keyframe_repeater import HOLD_STEP_MS
from live.ingest.probe import NO_ROOM, SignalProbe, UnusableSignal
from live.ingest.publisher_session import NOT_NOW, PublisherSession, in_thread
from live.ingest.registry import SessionRegistry
from live.ingest.server import BROKEN, PublisherRefused
from live.ingest.source import Source
from live.llhls.segments import Shape
from live.models import Broadcast, Stream
from live.recording.writer import RecordingWriter
from live.rtmp.session import MediaTag
from live.tests import rtmp_client
from live.tests.factories import BroadcastFactory
from live.tests.ingesting import FakePublisher, Ingest, ingesting, later, make_stream, tags_of

pytestmark = [
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.django_db(transaction=True),
]

SOURCE = Source("avc1.42c00d", 320, 180, 30.0, 1.0, False, False, 500_000, 0)


@pytest.fixture(autouse=True)
def source_only(settings: Any) -> None:
    settings.LIVE_RUNGS = []


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_args: object, **_named: object) -> None:
        raise error

    return call


def raising_later(error: Exception) -> Callable[..., Any]:
    async def call(*_args: object, **_named: object) -> None:
        raise error

    return call


async def reason_after(ingest: Ingest, tags: list[MediaTag]) -> str:
    """Send ``tags`` repeatedly, with continuing times, until the publisher is closed; return the reason."""
    publisher = FakePublisher()
    session = await ingest.admit(publisher)
    async with asyncio.timeout(30):
        for begins_ms in range(0, 600_000, 1000):
            for tag in later(tags, begins_ms):
                await session.on_tag(tag)
            if publisher.closed_with:
                break
            await session.wait(0.2)
        await session.on_closed(has_unpublished=False)
        assert await session.wait(20)
    return publisher.closed_with[0]


@pytest.mark.parametrize(
    ("target", "error", "reason"),
    [
        ((SignalProbe, "source"), ValueError("a bug"), BROKEN),
        ((broadcasting, "begin"), ValueError("a bug"), BROKEN),
        ((broadcasting, "begin"), DatabaseError("away"), NOT_NOW),
        ((broadcasting, "keep_alive"), ValueError("a bug"), BROKEN),
        ((BroadcastSession, "_look_up"), DatabaseError("away"), NOT_NOW),
        ((RecordingWriter, "write"), ValueError("a bug"), BROKEN),
    ],
    ids=["probe", "begin", "begin-sql", "keep-alive", "open-sql", "recorder"],
)
async def test_failure_in_a_thread_closes_the_publisher_with_a_reason(
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    target: tuple[Any, str],
    error: Exception,
    reason: str,
) -> None:
    monkeypatch.setattr(*target, raising(error))
    monkeypatch.setattr(ingest_presence, "KEEP_ALIVE_S", 0.2)
    await make_stream()

    async with ingesting() as ingest:
        assert await reason_after(ingest, tags_of(seconds=1)) == reason


@pytest.mark.parametrize(
    ("target", "error", "reason"),
    [
        ((EdgeWriter, "open"), RedisError("away"), NOT_NOW),
        ((SessionRegistry, "take_over"), ValueError("a bug"), BROKEN),
    ],
    ids=["open-redis", "take-over"],
)
async def test_failure_on_the_loop_closes_the_publisher_with_a_reason(
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    target: tuple[Any, str],
    error: Exception,
    reason: str,
) -> None:
    monkeypatch.setattr(*target, raising_later(error))
    await make_stream()

    async with ingesting() as ingest:
        assert await reason_after(ingest, tags_of(seconds=1)) == reason


async def test_failure_of_the_edge_writing_task_closes_the_publisher(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write, which opens the edge, succeeds; a later one fails with an unexpected error."""
    real = EdgeWriter._write_parts

    def write_parts(writer: EdgeWriter, pipe: Any, unsaved: Any) -> None:
        if unsaved.parts:
            raise ValueError("a bug")
        real(writer, pipe, unsaved)

    monkeypatch.setattr(EdgeWriter, "_write_parts", write_parts)
    await make_stream()

    async with ingesting() as ingest:
        assert await reason_after(ingest, tags_of(seconds=1)) == BROKEN
        assert await in_thread(Broadcast.objects.get) is not None


async def test_ingest_hears_commands_after_an_unreadable_one(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = SessionRegistry()
    publisher = FakePublisher()
    session = PublisherSession(Stream(), publisher, registry)
    await registry.take_over("b1", session)

    for message in (
        b"{",
        b"[]",
        b'{"newer": 1}',
        b'{"broadcast": [], "keep": {}}',
        b'{"broadcast": "b1", "keep": null}',
    ):
        registry._hear(message)

    assert publisher.closed_with == [publisher_session.ENDED]
    await registry.close(within_s=0)


def frames(count: int, every_s: float) -> Iterator[Frame]:
    """Yield frames without a keyframe, one every ``every_s`` seconds."""
    for number in range(count):
        yield Frame("video", 33 * number, rtmp_client.picture(), 1000.0 + number * every_s)


async def test_missing_keyframe_after_a_drop_closes_the_publisher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_module, "MAX_FRAMES", 3)
    now = 1000.0
    monkeypatch.setattr(publisher_session, "time", lambda: now)
    publisher = FakePublisher()
    registry = SessionRegistry()
    session = PublisherSession(Stream(), publisher, registry)

    for _ in range(5):
        await session.on_tag(rtmp_client.media_tag("video", 0, rtmp_client.picture()))
    at_first = list(publisher.closed_with)
    now += KEYFRAME_WITHIN_S + 1
    await session.on_tag(rtmp_client.media_tag("video", 0, rtmp_client.picture()))

    assert (at_first, publisher.closed_with) == ([], [NO_KEYFRAME])
    await registry.close(within_s=0)


async def test_missing_keyframe_after_ffmpeg_died_ends_the_encoding() -> None:
    inbox = Inbox(Budget(2**30))
    on_air = BroadcastSession(Broadcast(), SOURCE, SignalProbe(Budget(2**30)), inbox, HealthMonitor())
    for frame in frames(30, every_s=1.0):
        inbox.put(frame)

    with pytest.raises(UnusableSignal, match="No keyframe received"):
        await on_air.encode()


class Written:
    """Run of FFmpeg that only records its frames."""

    def __init__(self, *_args: object, **_named: object) -> None:
        self.frames: list[Frame] = []

    async def start(self, *_args: object, **_named: object) -> None: ...

    async def write(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def finish(self, **_named: object) -> None: ...


async def test_audio_at_which_ffmpeg_restarts_is_passed_to_the_new_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[Written] = []

    def run(*_args: object, **_named: object) -> Written:
        runs.append(Written())
        return runs[-1]

    monkeypatch.setattr(session_module, "EncoderRun", run)
    monkeypatch.setattr(session_module, "CHANGE_EVERY_S", 0.0)
    video = Frame("video", 0, rtmp_client.AVC_HEADER, 0.0, is_header=True)
    stereo, mono = (
        Frame("audio", 0, bytes.fromhex(f"af00{config}"), 0.0, is_header=True) for config in ("1190", "1188")
    )
    sounds = [Frame("audio", 21 * number, b"\xaf\x01data", 0.021 * number) for number in range(100)]
    probe, inbox = SignalProbe(Budget(2**30)), Inbox(Budget(2**30))
    probe.headers = {"video": video, "audio": stereo}
    keyframe = Frame("video", 0, rtmp_client.picture(is_keyframe=True), 0.0, is_keyframe=True)
    # The camera pauses at once; the audio changes while the keyframe is held.
    for frame in [keyframe, *sounds[:60], mono, *sounds[60:]]:
        inbox.put(frame)
    inbox.end()
    on_air = BroadcastSession(Broadcast(rungs_json=[]), SOURCE, probe, inbox, HealthMonitor())
    on_air._count = 1
    on_air._edge = SimpleNamespace(  # type: ignore[assignment]
        shape=Shape(0.202, target_duration_s=1), check=lambda: None
    )
    on_air._fan_out = SimpleNamespace()  # type: ignore[assignment]
    on_air._plan_anew()

    await on_air.encode()

    first, second = ([frame for frame in run.frames if frame in sounds] for run in runs)
    assert second == sounds[sounds.index(second[0]) :]
    assert second[0].timestamp_ms <= runs[1].frames[0].timestamp_ms + HOLD_STEP_MS
    assert first == sounds[: len(first)]


@pytest.mark.parametrize("is_away", [False, True], ids=["full", "away"])
async def test_full_redis_refuses_new_broadcasts_and_admits_running_ones(
    bucket: str, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    async def info(*_args: object) -> dict[str, int]:
        if is_away:
            raise RedisError("away")
        return {"used_memory": 90, "maxmemory": 100}

    stream = await make_stream()
    async with ingesting() as ingest:
        monkeypatch.setattr(ingest.registry.redis, "info", info)
        with pytest.raises(PublisherRefused) as caught:
            await ingest.admit(FakePublisher())
        await in_thread(BroadcastFactory, stream=stream)
        returned = await ingest.admit(FakePublisher())
        await returned.on_closed(has_unpublished=False)

    assert caught.value.description == NO_ROOM


async def test_redis_memory_is_queried_once_a_second() -> None:
    asked = 0

    class Counting:
        async def info(self, section: str) -> dict[str, int]:
            nonlocal asked
            asked += 1
            return {"used_memory": 10, "maxmemory": 0}

    room = EdgeMemory(Counting())  # type: ignore[arg-type]

    assert all(await asyncio.gather(*(room.is_free() for _ in range(50))))
    assert asked == 1
