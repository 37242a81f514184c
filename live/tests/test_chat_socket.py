"""Tests of the chat socket's protocol, through the consumer and a real Redis."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import access
from accounts import moderation as sanctions
from accounts.models import Follow, User
from accounts.tests.factories import UserFactory
from live import services
from live.chat import log, tickets
from live.models import Stream
from live.tests.chat_clients import application, chatting, close_code_of, joined, path_of, ticket_for
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]

QUIET = {"slow_s": 0, "followers_only": False, "emotes_only": False}


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


async def test_client_without_ticket_can_only_read(stream: Stream) -> None:
    async with joined(path_of(stream)) as reader:
        hello = await reader.frame()

        assert hello == {
            "type": "hello",
            "room": stream.username.lower(),
            "seq": hello["seq"],
            "mode": QUIET,
            "you": None,
            "history": [],
            "status": "offline",
            "title": stream.title,
            "category": stream.category,
            "viewer_count": 0,
        }
        await reader.post("may I?", nonce="1")
        assert await reader.error() == {
            "type": "error",
            "code": "sign_in_required",
            "detail": "Sign in to chat.",
            "nonce": "1",
        }


async def test_message_reaches_every_client_in_the_documented_shape(stream: Stream, alice: User) -> None:
    async with (
        chatting(stream) as reader,
        joined(path_of(stream, await ticket_for(stream, alice))) as speaker,
    ):
        hello = await speaker.frame()
        assert hello["you"] == {"username": "alice", "display_name": "alice", "badges": []}

        await speaker.post("  good evening 晚上好 ", nonce="abc")
        tick = await reader.frame()

        (event,) = tick["events"]
        assert tick == {"type": "tick", "seq": hello["seq"] + 1, "events": [event]}
        assert event == {
            "type": "message",
            "id": event["id"],
            "seq": hello["seq"] + 1,
            "user": {"username": "alice", "display_name": "alice", "badges": []},
            "text": "good evening 晚上好",
            "sent_at": event["sent_at"],
            "nonce": "abc",
        }
        assert await speaker.frame() == tick


async def test_room_name_ignores_case(stream: Stream, alice: User) -> None:
    ticket = await ticket_for(stream, alice)
    async with (
        chatting(stream) as reader,
        joined(f"/ws/live/{stream.username.upper()}/chat/?ticket={ticket}") as loud,
    ):
        await loud.frame()
        await loud.post("HELLO")

        assert (await reader.hears("HELLO"))["user"]["username"] == "alice"


async def test_owners_and_moderators_have_badges(stream: Stream, owner: User) -> None:
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    async with chatting(stream, owner) as one, chatting(stream, moderator) as other:
        await one.post("mine")
        await other.post("ours")

        assert (await other.hears("mine"))["user"]["badges"] == ["owner"]
        assert (await one.hears("ours"))["user"]["badges"] == ["moderator"]


async def test_history_holds_the_last_fifty_undeleted_messages(stream: Stream, alice: User) -> None:
    def post_sixty() -> None:
        for number in range(30):
            ChatMessageFactory(stream=stream, user=alice, text=f"stored {number}")
        ChatMessageFactory(stream=stream, text="removed", deleted_at=timezone.now())

    await sync_to_async(post_sixty)()
    with override_settings(RATE_LIMITS=False):
        async with chatting(stream, alice) as socket:
            for number in range(30):
                await socket.post(f"said {number}")
            await socket.hears("said 29")
            doomed = socket.events[0]["id"]
            async with chatting(stream, stream.channel.owner) as owner_socket:
                await owner_socket.send({"type": "delete", "id": doomed})
                await owner_socket.hears_type("message_deleted")
    async with joined(path_of(stream)) as late:
        hello = await late.frame()

    expected = [f"stored {number}" for number in range(9, 30)] + [f"said {number}" for number in range(1, 30)]
    assert [event["text"] for event in hello["history"]] == expected
    assert {event["type"] for event in hello["history"]} == {"message"}


async def test_resume_answers_with_missed_events(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        for text in ("one", "two", "three"):
            await socket.post(text)
        await socket.hears("three")
        first = socket.events[0]["seq"]
        async with joined(path_of(stream)) as returning:
            await returning.frame()
            await returning.send({"type": "resume", "after": first})
            tick = await returning.frame()
            assert [event["text"] for event in tick["events"]] == ["two", "three"]
            assert tick["seq"] == first + 2

            await returning.send({"type": "resume", "after": first + 2})
            assert await returning.frame() == {"type": "tick", "seq": first + 2, "events": []}


@pytest.mark.parametrize("after", [0, 2**60], ids=["too old", "never counted"])
async def test_resume_after_unknown_seq_is_answered_with_hello(
    stream: Stream, alice: User, after: int
) -> None:
    async with chatting(stream, alice) as socket:
        await socket.post("one")
        await socket.hears("one")
        await socket.send({"type": "resume", "after": after})

        hello = await socket.frame()
        assert (hello["type"], [event["text"] for event in hello["history"]]) == ("hello", ["one"])


@pytest.mark.parametrize("name", ["nobody", "%00", "a%00b", "x" * 151, "%ED%A0%80", "%F0%9F%98%80"])
async def test_unknown_room_closes_with_4004(name: str) -> None:
    assert await close_code_of(f"/ws/live/{name}/chat/") == 4004


async def test_foreign_or_forged_ticket_is_refused(stream: Stream, alice: User) -> None:
    other = await sync_to_async(StreamFactory)()
    ticket = await ticket_for(other, alice)

    assert await close_code_of(path_of(stream, ticket)) == 4001
    assert await close_code_of(path_of(stream, ticket[:-3] + "abc")) == 4001
    assert await close_code_of(path_of(stream, "x" * 3000)) == 4001


async def test_ticket_expires_after_a_minute(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await ticket_for(stream, alice)
    assert tickets.read(ticket, stream.pk).username == "alice"
    monkeypatch.setattr("django.core.signing.time.time", lambda now=time.time: now() + 61)

    assert await close_code_of(path_of(stream, ticket)) == 4001


async def test_private_room_is_not_found_for_strangers(alice: User) -> None:
    stream = await sync_to_async(StreamFactory)(visibility="private")

    assert await close_code_of(path_of(stream)) == 4004
    assert await close_code_of(path_of(stream, await ticket_for(stream, alice))) == 4004
    async with chatting(stream, stream.channel.owner):
        pass


async def test_room_that_becomes_private_closes_sockets_of_strangers(
    stream: Stream, alice: User, owner: User
) -> None:
    async with chatting(stream) as reader, chatting(stream, owner) as own:
        await sync_to_async(services.edit_stream)(stream, visibility="private")

        assert await reader.close_code() == 4004
        await own.post("alone at last")
        await own.hears("alone at last")


async def test_deleted_channel_closes_its_room(stream: Stream, owner: User) -> None:
    async with chatting(stream) as reader:

        def delete() -> None:
            log_stream = Stream.objects.get(pk=stream.pk)
            owner.delete()
            log.state_changed(log_stream)

        await sync_to_async(delete)()

        assert await reader.close_code() == 4004


async def test_suspended_account_loses_its_socket(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:

        def suspend() -> None:
            User.objects.filter(pk=alice.pk).update(is_active=False)
            log.state_changed(stream)

        await sync_to_async(suspend)()

        assert await socket.close_code() == 4001


async def test_revocation_closes_only_that_persons_sockets(stream: Stream, alice: User, bob: User) -> None:
    async with chatting(stream, alice) as alices, chatting(stream, bob) as bobs:
        await sync_to_async(access.revoke)(await User.objects.aget(pk=alice.pk))

        assert await alices.close_code() == 4001
        await bobs.post("still here")
        await bobs.hears("still here")


async def test_ticket_older_than_revocation_cannot_post(stream: Stream, alice: User) -> None:
    ticket = await ticket_for(stream, alice)
    await sync_to_async(access.revoke)(await User.objects.aget(pk=alice.pk))

    async with joined(path_of(stream, ticket)) as socket:
        assert (await socket.frame())["type"] == "hello"
        await socket.post("still here", nonce="1")

        assert (await socket.error())["code"] == "silenced"


async def test_rate_limit_covers_all_sockets_of_a_person(stream: Stream, alice: User, bob: User) -> None:
    async with (
        chatting(stream, alice) as one,
        chatting(stream, alice) as other,
        chatting(stream, bob) as third,
    ):
        for number in range(10):
            await one.post(f"one {number}")
            await other.post(f"other {number}")
        await one.hears("one 9")
        await other.hears("other 9")
        await one.post("too much", nonce="21")

        error = await one.error()
        assert error == {
            "type": "error",
            "code": "rate_limited",
            "detail": "You are sending messages too fast. Wait a moment.",
            "nonce": "21",
            "retry_after_s": error["retry_after_s"],
        }
        assert 0 < error["retry_after_s"] <= 30
        await third.post("I may")
        await third.hears("I may")


async def test_slow_mode_does_not_bind_moderators(stream: Stream, alice: User, owner: User) -> None:
    async with chatting(stream, alice) as socket, chatting(stream, owner) as own:
        await own.send({"type": "mode", "slow_s": 30})
        assert await socket.hears_type("mode") == {"type": "mode", **QUIET, "slow_s": 30}
        await own.hears_type("mode")
        await socket.post("first")
        await socket.hears("first")
        await socket.post("second", nonce="2")
        error = await socket.error()
        assert (error["code"], error["nonce"]) == ("slow_mode", "2")
        assert 25 < error["retry_after_s"] <= 30
        await own.post("a")
        await own.post("b")
        await own.hears("b")


async def test_followers_only_mode_refuses_others(
    stream: Stream, alice: User, bob: User, owner: User
) -> None:
    await sync_to_async(Follow.objects.create)(follower=bob, channel=stream.channel)
    async with (
        chatting(stream, alice) as stranger,
        chatting(stream, bob) as fan,
        chatting(stream, owner) as own,
    ):
        await own.send({"type": "mode", "followers_only": True})
        await stranger.hears_type("mode")
        await stranger.post("hello?")
        assert (await stranger.error())["code"] == "followers_only"
        await fan.post("hello!")
        await own.hears("hello!")
        await sync_to_async(Follow.objects.create)(follower=alice, channel=stream.channel)
        await stranger.post("now")
        await own.hears("now")


async def test_person_silenced_by_the_site_cannot_post_in_any_room(stream: Stream, alice: User) -> None:
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    await sync_to_async(sanctions.decide_about)(
        alice, by=moderator, action="time_out", duration=timedelta(hours=1)
    )
    async with chatting(stream, alice) as socket:
        await socket.post("hello")
        assert (await socket.error())["code"] == "silenced"


async def test_emotes_only_mode_refuses_words(stream: Stream, alice: User, owner: User) -> None:
    async with chatting(stream, alice) as socket, chatting(stream, owner) as own:
        await own.send({"type": "mode", "emotes_only": True})
        await socket.hears_type("mode")
        await socket.post("words")
        assert (await socket.error())["code"] == "emotes_only"
        await socket.post("👍🏽 🇨🇳 👨‍👩‍👧 ❤️")
        await socket.hears("👍🏽 🇨🇳 👨‍👩‍👧 ❤️")


async def test_mode_persists_after_the_room_closes(stream: Stream, owner: User) -> None:
    async with chatting(stream, owner) as own:
        await own.send({"type": "mode", "slow_s": 5, "emotes_only": True})
        await own.hears_type("mode")
    async with joined(path_of(stream)) as late:
        assert (await late.frame())["mode"] == {"slow_s": 5, "followers_only": False, "emotes_only": True}


async def test_broadcast_event_reaches_the_room(stream: Stream) -> None:
    async with chatting(stream) as reader:
        await sync_to_async(log.publish)(stream, {"type": "broadcast", "status": "live"})

        assert await reader.hears_type("broadcast") == {"type": "broadcast", "status": "live"}
        async with joined(path_of(stream)) as late:
            assert (await late.frame())["status"] == "live"


async def test_hello_carries_the_broadcast_status(stream: Stream) -> None:
    await sync_to_async(BroadcastFactory)(stream=stream, status="reconnecting")
    async with joined(path_of(stream)) as reader:
        assert (await reader.frame())["status"] == "reconnecting"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "bad_frame"),
        ("[]", "bad_frame"),
        ("{", "bad_frame"),
        ("[" * 4000, "bad_frame"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":["say"]}', "unknown_type"),
        ("x" * 5000, "too_long"),
        (json.dumps({"type": "say", "text": "x" * 501}), "too_long"),
        (json.dumps({"type": "say", "text": " \u200b "}), "empty"),
        (json.dumps({"type": "say", "text": "a\x00b"}), "bad_characters"),
        (json.dumps({"type": "say", "text": "a\ud800b"}), "bad_characters"),
        (json.dumps({"type": "say", "text": "a", "nonce": "n" * 65}), "bad_nonce"),
        (json.dumps({"type": "resume", "after": True}), "bad_frame"),
    ],
)
async def test_bad_frame_gets_an_error_and_the_socket_stays_open(
    stream: Stream, alice: User, frame: str, code: str
) -> None:
    async with chatting(stream, alice) as socket:
        await socket.send(frame)
        error = await socket.error()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["detail"]
        await socket.post("still here")
        await socket.hears("still here")


async def test_binary_frame_is_refused(stream: Stream, alice: User) -> None:
    async with chatting(stream, alice) as socket:
        await socket.communicator.send_to(bytes_data=b"\xff\x00")
        assert (await socket.error())["code"] == "bad_frame"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
frames = st.text(max_size=100) | st.builds(
    lambda kind, fields: json.dumps({**fields, "type": kind}),
    st.sampled_from(["say", "resume", "delete", "timeout", "ban", "unban", "mode"]) | json_values,
    st.dictionaries(
        st.sampled_from(["text", "nonce", "after", "id", "username", "seconds", "slow_s", "emotes_only"]),
        json_values,
    ),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(frames, min_size=5, max_size=15))
async def test_no_frame_closes_a_socket(stream: Stream, alice: User, sent: list[str]) -> None:
    async with chatting(stream, alice) as socket:
        for frame in sent:
            await socket.send(frame)
        await socket.post("still here")
        while "still here" not in [event.get("text") for event in (await socket.frame()).get("events", [])]:
            pass


async def test_client_flooding_with_invalid_frames_is_disconnected(stream: Stream) -> None:
    communicator = WebsocketCommunicator(application, path_of(stream))
    await communicator.connect()
    for _ in range(150):
        await communicator.send_to(text_data="nonsense")
    while (output := await communicator.receive_output(10))["type"] != "websocket.close":
        pass
    assert output["code"] == 4008
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.future


async def test_repeated_resume_is_refused_and_then_closes_the_socket(stream: Stream) -> None:
    async with chatting(stream) as socket:
        for _ in range(150):
            await socket.send({"type": "resume", "after": 0})
        errors, hellos = 0, 0
        while (output := await socket.communicator.receive_output(10))["type"] != "websocket.close":
            frame = json.loads(output["text"])
            hellos += frame["type"] == "hello"
            errors += frame.get("code") == "rate_limited"

        assert output["code"] == 4008
        assert hellos <= 6
        assert errors >= 100


async def test_errors_are_in_the_language_of_the_page(stream: Stream) -> None:
    headers = [(b"accept-language", b"de;q=0.9, zh-CN, en;q=0.5"), (b"cookie", b"a=b; django_language=en")]
    async with joined(path_of(stream), headers) as socket:
        await socket.frame()
        await socket.send("?")
        assert (await socket.error())["detail"] == "Unknown message format."
