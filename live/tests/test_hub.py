"""The hub with a real Redis: what is lost on the way comes back from the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import override_settings

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import viewers
from live.chat import clients, hub, log, moderation
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
    """As a network does: whoever subscribed is cut off."""
    clients.shared_client().client_kill_filter(_type="pubsub")


@sync_to_async
def announce(stream: Stream, *statuses: str) -> None:
    for status in statuses:
        log.announce(stream, {"type": "broadcast", "status": status})


async def test_what_was_said_while_redis_was_lost_comes_from_the_log(stream: Stream) -> None:
    async with chatting(stream) as reader:
        await announce(stream, "0")
        await reader.hears_type("broadcast")
        await lose_connection()
        await announce(stream, *map(str, range(1, 50)))

        await reader.until(lambda event: event["status"] == "49")
        assert [event["status"] for event in reader.events] == [str(number) for number in range(50)]


async def test_what_was_lost_last_is_found_without_anything_new(stream: Stream) -> None:
    """Nothing follows that could show the gap: coming back is reason enough to look."""
    async with chatting(stream) as reader:
        await lose_connection()
        await announce(stream, "live")

        await reader.hears_type("broadcast")


async def test_a_redis_that_lost_everything_is_a_new_beginning(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        await socket.say("before")
        before = await socket.hears("before")
        await sync_to_async(clients.shared_client().flushdb)()
        await socket.say("after")

        hello = await socket.frame()
        assert (hello["type"], [event["text"] for event in hello["history"]]) == ("hello", ["after"])
        assert hello["seq"] > before["seq"] + 1
        await socket.say("and on")
        assert (await socket.hears("and on"))["seq"] == hello["seq"] + 1


async def test_a_redis_that_lost_its_last_second_counts_nothing_twice(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        for text in ("one", "two"):
            await socket.say(text)
        two = await socket.hears("two")

        def go_back() -> None:
            client = clients.shared_client()
            client.set(f"chat:{stream.pk}:seq", two["seq"] - 1)
            client.xdel(f"chat:{stream.pk}:log", f"{two['seq']}-0")

        await sync_to_async(go_back)()
        await lose_connection()
        assert (await socket.frame())["type"] == "hello"
        await socket.say("three")
        assert (await socket.hears("three"))["seq"] > two["seq"]


async def test_a_room_does_not_open_without_redis(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "OPEN_TIMEOUT_S", 0.5)
    with override_settings(REDIS_URL="redis://127.0.0.1:1"):
        async with joined(path_of(stream)) as socket:
            assert await socket.close_code() == 1012


async def test_what_cannot_be_said_is_answered(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise redis.ConnectionError

    async with chatting(stream, alice) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(log, "_run", fail)
            await socket.say("hello?", nonce="n")
            error = await socket.error()
        assert (error["code"], error["nonce"]) == ("unavailable", "n")
        await socket.say("hello!")
        await socket.hears("hello!")


async def test_the_hub_goes_with_the_last_client(stream: Stream) -> None:
    async with chatting(stream), chatting(stream):
        assert len(hub._hubs) == 1
    assert len(hub._hubs) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_many_who_come_at_once_open_one_room(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    find = moderation.find_room

    def count(name: str) -> Any:
        opened.append(name)
        return find(name)

    monkeypatch.setattr(moderation, "find_room", count)

    async def visit() -> None:
        async with chatting(stream):
            pass

    await asyncio.gather(*(visit() for _ in range(20)))
    assert opened == [stream.username]


# --- Every few seconds -------------------------------------------------------------------


@pytest.fixture
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ROUND_S", 0.05)
    monkeypatch.setattr(hub, "TELLS_FOR_MS", 40)


async def test_a_room_hears_how_many_watch_when_that_changes(stream: Stream, quick_rounds: None) -> None:
    async with chatting(stream) as reader:
        for count in (1, 2):
            await sync_to_async(viewers.heartbeat)(stream, None, f"address-{count}")
            assert await reader.hears_type("viewers") == {"type": "viewers", "count": count}
        await announce(stream, "live")
        await reader.hears_type("broadcast")
        assert [event["type"] for event in reader.events] == ["viewers", "viewers", "broadcast"]
        async with joined(path_of(stream)) as late:
            assert (await late.frame())["viewer_count"] == 2


async def test_open_sockets_are_counted(stream: Stream, quick_rounds: None) -> None:
    assert await sync_to_async(viewers.chatter_count)(stream) == 0
    async with chatting(stream) as reader, chatting(stream):
        # The first round notes who is here before it tells how many watch.
        await sync_to_async(viewers.heartbeat)(stream, None, "address-1")
        await reader.hears_type("viewers")
        assert await sync_to_async(viewers.chatter_count)(stream) == 2


def test_processes_that_died_are_not_believed_for_long() -> None:
    assert viewers.sum_chatters(["3 99999999999", "4 1"]) == 3


async def test_what_no_notice_told_is_found_in_sql(stream: Stream, quick_rounds: None) -> None:
    async with chatting(stream) as reader:
        await sync_to_async(Stream.objects.filter(pk=stream.pk).update)(visibility="private")

        assert await reader.close_code() == 4004
