"""Tests of moderation through the chat socket, as seen by all clients."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts import moderation as sanctions
from accounts.models import Decision, User
from accounts.tests.factories import UserFactory
from live.chat import room_moderation, store
from live.models import ChatMessage, Stream
from live.tests.chat_clients import chatting, close_code_of, joined, path_of, ticket_for
from live.tests.factories import StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def owner(stream: Stream) -> User:
    return stream.channel.owner


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


@pytest.fixture
def bob() -> User:
    return UserFactory(username="Bob")


async def test_deleted_message_disappears_for_present_and_later_clients(
    stream: Stream, alice: User, owner: User
) -> None:
    async with chatting(stream, alice) as socket, chatting(stream, owner) as own:
        await socket.post("regrettable")
        message = await own.hears("regrettable")
        await own.send({"type": "delete", "id": message["id"]})
        assert await socket.hears_type("message_deleted") == {"type": "message_deleted", "id": message["id"]}
        async with joined(path_of(stream)) as late:
            assert (await late.frame())["history"] == []
    async with joined(path_of(stream)) as later:
        assert (await later.frame())["history"] == []
    await sync_to_async(store.store_chat)()
    row = await ChatMessage.objects.aget(public_id=message["id"])
    assert row.deleted_at is not None
    assert row.deleted_by_id == owner.pk


async def test_timed_out_person_is_cleared_and_cannot_post(stream: Stream, alice: User, owner: User) -> None:
    async with chatting(stream, alice) as socket, chatting(stream, owner) as own:
        await socket.post("spam")
        await own.hears("spam")
        await own.send({"type": "timeout", "username": "ALICE", "seconds": 60})
        assert await socket.hears_type("user_cleared") == {"type": "user_cleared", "username": "alice"}
        await socket.post("more spam", nonce="m")
        error = await socket.error()
        assert (error["code"], error["nonce"]) == ("timed_out", "m")
        assert 50 < error["retry_after_s"] <= 60
    async with joined(path_of(stream, await ticket_for(stream, alice))) as back:
        assert (await back.frame())["history"] == []
        await back.post("again")
        assert (await back.error())["code"] == "timed_out"
        async with chatting(stream, owner) as own:
            await own.send({"type": "unban", "username": "alice"})
            assert await back.hears_type("user_allowed") == {"type": "user_allowed", "username": "alice"}
            await back.post("thank you")
            await own.hears("thank you")


async def test_ban_closes_every_socket_of_the_person_and_refuses_new_ones(
    stream: Stream, alice: User, owner: User
) -> None:
    async with (
        chatting(stream, alice) as one,
        chatting(stream, alice) as other,
        chatting(stream) as reader,
        chatting(stream, owner) as own,
    ):
        await own.send({"type": "ban", "username": "alice"})

        assert await one.close_code() == 4003
        assert await other.close_code() == 4003
        assert await reader.hears_type("user_cleared") == {"type": "user_cleared", "username": "alice"}
        assert await close_code_of(path_of(stream, await ticket_for(stream, alice))) == 4003
    assert await close_code_of(path_of(stream, await ticket_for(stream, alice))) == 4003


async def test_unban_is_published_to_readers_of_the_room(stream: Stream, alice: User, owner: User) -> None:
    await sync_to_async(room_moderation.ban)(stream=stream, by=owner, username="alice")
    async with chatting(stream) as reading:
        async with chatting(stream, owner) as own:
            await own.send({"type": "unban", "username": "Alice"})
            assert (await reading.hears_type("user_allowed"))["username"] == "alice"
        async with chatting(stream, alice) as back:
            await back.post("thank you")
            await reading.hears("thank you")


async def test_deletion_of_unstored_message_is_recorded_as_a_decision(
    stream: Stream, alice: User, owner: User
) -> None:
    async with chatting(stream, alice) as socket, chatting(stream, owner) as own:
        await socket.post("regrettable")
        message = await own.hears("regrettable")
        await own.send({"type": "delete", "id": message["id"]})
        await socket.hears_type("message_deleted")
    line = await Decision.objects.select_related("case", "person").aget()
    assert (line.action, line.person, line.title) == ("remove", alice, "regrettable")
    assert line.case
    assert line.case.target_id == message["id"]


async def test_locked_account_is_cleared_from_the_room_and_restored_with_its_messages(
    stream: Stream, alice: User
) -> None:
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    async with chatting(stream, alice) as one, chatting(stream) as reader:
        await one.post("buy lamps")
        message = await reader.hears("buy lamps")

        decision = await sync_to_async(sanctions.decide_about)(alice, by=moderator, action="ban")
        assert await reader.hears_type("user_cleared") == {"type": "user_cleared", "username": "alice"}
        assert await one.close_code() == 4001
        async with joined(path_of(stream)) as newcomer:
            assert (await newcomer.frame())["history"] == []

        await sync_to_async(sanctions.undo)(decision, by=moderator)
        restored = await reader.hears_type("message_restored")
        assert (restored["id"], restored["message"]["text"]) == (message["id"], "buy lamps")
        async with joined(path_of(stream)) as newcomer:
            assert [event["text"] for event in (await newcomer.frame())["history"]] == ["buy lamps"]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "delete", "id": "x"},
        {"type": "timeout", "username": "Bob", "seconds": 5},
        {"type": "ban", "username": "Bob"},
        {"type": "unban", "username": "Bob"},
        {"type": "mode", "slow_s": 1},
    ],
    ids=lambda frame: frame["type"],
)
async def test_moderation_frames_of_others_are_refused(
    stream: Stream, alice: User, bob: User, frame: dict[str, Any]
) -> None:
    async with chatting(stream, alice) as socket, chatting(stream) as reader:
        await socket.send(frame)
        assert (await socket.error())["code"] == "forbidden"
        await reader.send(frame)
        assert (await reader.error())["code"] == "sign_in_required"


async def test_moderation_of_unknown_targets_is_not_found(stream: Stream, owner: User) -> None:
    async with chatting(stream, owner) as own:
        await own.send({"type": "delete", "id": "nothing"})
        assert (await own.error())["code"] == "not_found"
        await own.send({"type": "ban", "username": "nobody"})
        assert (await own.error())["code"] == "not_found"
