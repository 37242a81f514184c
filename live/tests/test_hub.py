"""Tests of the hub with a real Redis: it reads lost events from the log."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import override_settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import redis_connections, viewers
from live.chat import hub, log, room_moderation, stored
from live.models import Stream
from live.tests.chat_clients import chatting, joined, path_of
from live.tests.factories import StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


@sync_to_async
def lose_connection() -> None:
    """Cut the subscribers of this test run off; the Redis server may be shared with another run."""
    redis = redis_connections.shared_client()
    ours = redis.client_info()["db"]
    for client in redis.client_list(_type="pubsub"):
        if int(client["db"]) == int(ours):
            redis.client_kill_filter(_id=client["id"])


@sync_to_async
def publish(stream: Stream, *statuses: str) -> None:
    for status in statuses:
        log.publish(stream, {"type": "broadcast", "status": status})


async def test_events_missed_while_disconnected_are_read_from_the_log(stream: Stream) -> None:
    async with chatting(stream) as reader:
        await publish(stream, "0")
        await reader.hears_type("broadcast")
        await lose_connection()
        await publish(stream, *map(str, range(1, 50)))

        await reader.until(lambda event: event["status"] == "49")
        assert [event["status"] for event in reader.events] == [str(number) for number in range(50)]


async def test_missed_last_event_is_found_on_reconnection(stream: Stream) -> None:
    """No later event shows the gap, so the hub must read the log on every reconnection."""
    async with chatting(stream) as reader:
        await lose_connection()
        await publish(stream, "live")

        await reader.hears_type("broadcast")


async def test_readers_receive_lost_and_restored_redis(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "FIRST_PAUSE_S", 1.0)
    monkeypatch.setattr(hub, "KEEPALIVE_CHECK_S", 0.01)
    monkeypatch.setattr(hub, "LOST_FOR_S", 0.0)
    async with chatting(stream) as reader:
        await lose_connection()

        away = await reader.hears_type("connection")
        async with joined(path_of(stream)) as late:
            assert (await late.frame())["type"] == "hello"
            assert await late.hears_type("connection") == away
        back = await reader.until(lambda event: event["type"] == "connection" and event["is_open"])
        assert (away, back["is_open"]) == ({"type": "connection", "is_open": False}, True)
        await publish(stream, "live")
        await reader.hears_type("broadcast")


async def test_emptied_redis_leads_to_a_new_hello(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        await socket.post("before")
        before = await socket.hears("before")
        await sync_to_async(redis_connections.shared_client().flushdb)()
        await socket.post("after")

        hello = await socket.frame()
        assert (hello["type"], [event["text"] for event in hello["history"]]) == ("hello", ["after"])
        assert hello["seq"] > before["seq"] + 1
        await socket.post("and on")
        assert (await socket.hears("and on"))["seq"] == hello["seq"] + 1


async def test_redis_that_lost_its_last_writes_reuses_no_seq(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        for text in ("one", "two"):
            await socket.post(text)
        two = await socket.hears("two")

        def go_back() -> None:
            client = redis_connections.shared_client()
            client.set(f"chat:{stream.pk}:seq", two["seq"] - 1)
            client.xdel(f"chat:{stream.pk}:log", f"{two['seq']}-0")

        await sync_to_async(go_back)()
        await lose_connection()
        assert (await socket.frame())["type"] == "hello"
        await socket.post("three")
        assert (await socket.hears("three"))["seq"] > two["seq"]


async def test_room_does_not_open_without_redis(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "OPEN_TIMEOUT_S", 0.5)
    with override_settings(REDIS_URL="redis://127.0.0.1:1"):
        async with joined(path_of(stream)) as socket:
            assert (await socket.frame())["code"] == "unavailable"
            assert await socket.close_code() == 1012


async def test_message_that_redis_does_not_take_is_refused(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise redis.ConnectionError

    async with chatting(stream, alice) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(log, "_run", fail)
            await socket.post("hello?", nonce="n")
            error = await socket.error()
        assert (error["code"], error["nonce"]) == ("unavailable", "n")
        await socket.post("hello!")
        await socket.hears("hello!")


async def test_hub_stops_with_its_last_client(stream: Stream) -> None:
    async with chatting(stream), chatting(stream):
        assert len(hub._hubs) == 1
    assert len(hub._hubs) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_concurrent_clients_open_one_room(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    find = stored.find_room

    def count(name: str) -> Any:
        opened.append(name)
        return find(name)

    monkeypatch.setattr(stored, "find_room", count)

    async def visit() -> None:
        async with chatting(stream):
            pass

    await asyncio.gather(*(visit() for _ in range(20)))
    assert opened == [stream.username]


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ROUND_S", 0.05)
    monkeypatch.setattr(hub, "VIEWER_COUNT_LOCK_MS", 40)


async def test_changed_viewer_count_is_published_to_the_room(stream: Stream, quick_rounds: None) -> None:
    async with chatting(stream) as reader:
        for count in (1, 2):
            await sync_to_async(viewers.heartbeat)(stream, "", f"address-{count}")
            assert await reader.hears_type("viewers") == {"type": "viewers", "count": count}
        await publish(stream, "live")
        await reader.hears_type("broadcast")
        assert [event["type"] for event in reader.events] == ["viewers", "viewers", "broadcast"]
        async with joined(path_of(stream)) as late:
            assert (await late.frame())["viewer_count"] == 2


async def test_change_without_a_notice_is_found_in_sql(stream: Stream, quick_rounds: None) -> None:
    async with chatting(stream) as reader:
        await sync_to_async(Stream.objects.filter(pk=stream.pk).update)(visibility="private")

        assert await reader.close_code() == 4004


@pytest.mark.parametrize("text", ["no numbers", "x\ny\nz", "7\nno JSON\n", "0\n\nno JSON", b"\xff\xfe\n\n"])
async def test_chat_continues_after_unreadable_notice(stream: Stream, text: str) -> None:
    async with chatting(stream) as reader:

        def send_unreadable() -> None:
            redis_connections.shared_client().publish(log.channel_of(stream.pk), text)

        await sync_to_async(send_unreadable)()
        await publish(stream, "live")

        assert (await reader.hears_type("broadcast"))["status"] == "live"


async def test_room_opens_despite_unreadable_log_entry(stream: Stream) -> None:
    await publish(stream, "live")

    def damage() -> None:
        client = redis_connections.shared_client()
        seq = client.incr(f"chat:{stream.pk}:seq")
        client.xadd(f"chat:{stream.pk}:log", {"of": "another version"}, id=f"{seq}-0")

    await sync_to_async(damage)()
    async with chatting(stream) as reader:
        await publish(stream, "offline")

        assert (await reader.hears_type("broadcast"))["status"] == "offline"


async def test_failed_listener_is_restarted(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is logged and does not stop the chat."""
    monkeypatch.setattr(hub, "RETRY_S", 0.01)
    async with chatting(stream) as reader:
        with monkeypatch.context() as patch:
            failed = asyncio.Event()

            def fail(*_args: object) -> None:
                failed.set()
                raise ZeroDivisionError

            patch.setattr(hub.Hub, "_process_message", fail)
            await publish(stream, "lost on the way")
            await failed.wait()
        await publish(stream, "live")

        await reader.until(lambda event: event["status"] == "live")
        assert [event["status"] for event in reader.events] == ["lost on the way", "live"]


async def test_room_opens_while_moderators_wait_for_a_lock(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_done = threading.Event()
    monkeypatch.setattr(room_moderation, "act", lambda *_args: is_done.wait(30))
    other = await sync_to_async(StreamFactory)()
    async with chatting(stream, stream.channel.owner) as one, chatting(stream, stream.channel.owner) as two:
        try:
            for moderator in (one, two, one):
                await moderator.send({"type": "delete", "id": "m"})
            async with chatting(other) as reader:
                await publish(other, "live")
                await reader.hears_type("broadcast")
        finally:
            is_done.set()
