"""Tests of moderators' acts in SQL."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import redis
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import moderation as decisions
from accounts.errors import CannotUndo
from accounts.models import Case, Decision, Report, Sanction, User
from accounts.tests.factories import UserFactory
from live import redis_connections
from live.chat import log, room_moderation, stored
from live.chat.errors import NoSuchMessage, NoSuchPerson, NotAllowedHere
from live.chat.rules import RoomMode
from live.models import ChatRestriction, Stream
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def owner(stream: Stream) -> User:
    return stream.channel.owner


def events_of(stream: Stream) -> list[str]:
    return [entry.event for entry in log.recent(stream)]


def test_strangers_and_suspended_moderators_cannot_moderate(stream: Stream) -> None:
    stranger, suspended = UserFactory(), UserFactory(is_superuser=True, is_active=False)
    for by in (stranger, suspended):
        with pytest.raises(NotAllowedHere):
            room_moderation.delete_message(stream=stream, by=by, message_id="x")
        with pytest.raises(NotAllowedHere):
            room_moderation.ban(stream=stream, by=by, username=stranger.username)
        with pytest.raises(NotAllowedHere):
            room_moderation.set_mode(stream=stream, by=by, slow_s=3)
    assert events_of(stream) == []


def test_owner_staff_and_moderators_cannot_be_silenced(stream: Stream, owner: User) -> None:
    moderator, staff = UserFactory(is_superuser=True), UserFactory(is_staff=True)
    for person in (owner, staff, moderator):
        with pytest.raises(NotAllowedHere):
            room_moderation.time_out(stream=stream, by=moderator, username=person.username, seconds=10)
    with pytest.raises(NotAllowedHere):
        room_moderation.ban(stream=stream, by=owner, username=moderator.username)
    assert not ChatRestriction.objects.exists()


def test_message_of_another_room_is_not_found(stream: Stream, owner: User) -> None:
    elsewhere = ChatMessageFactory()
    with pytest.raises(NoSuchMessage):
        room_moderation.delete_message(stream=stream, by=owner, message_id=elsewhere.public_id)
    with pytest.raises(NoSuchPerson):
        room_moderation.ban(stream=stream, by=owner, username="nobody")


def test_deletion_of_stored_message_is_published_to_the_room(stream: Stream, owner: User) -> None:
    message = ChatMessageFactory(stream=stream)
    room_moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)

    message.refresh_from_db()
    assert message.deleted_by == owner
    assert events_of(stream) == [f'{{"type":"message_deleted","id":"{message.public_id}"}}']


def test_restoration_of_deleted_message_is_published_to_the_room(stream: Stream, owner: User) -> None:
    message = ChatMessageFactory(stream=stream, text="as it was")
    room_moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)

    room_moderation.restore_message(message=message, by=owner)
    room_moderation.restore_message(message=message, by=owner)

    message.refresh_from_db()
    assert (message.deleted_at, message.deleted_by) == (None, None)
    _deleted, restored = map(json.loads, events_of(stream))
    assert (restored["type"], restored["id"]) == ("message_restored", message.public_id)
    assert (restored["message"]["text"], restored["message"]["seq"]) == ("as it was", message.seq)


def test_timeout_does_not_shorten_a_ban_and_a_ban_outlasts_a_timeout(stream: Stream, owner: User) -> None:
    person = UserFactory()
    for act in ("time out", "ban", "time out"):
        if act == "ban":
            room_moderation.ban(stream=stream, by=owner, username=person.username)
        else:
            room_moderation.time_out(stream=stream, by=owner, username=person.username, seconds=60)
    restriction = ChatRestriction.objects.get()
    assert (restriction.user, restriction.until, restriction.created_by) == (person, None, owner)

    room_moderation.unban(stream=stream, by=owner, username=person.username)
    assert not ChatRestriction.objects.exists()


def trail() -> list[tuple[str, str, str, str]]:
    lines = Decision.objects.order_by("pk")
    return [(line.action, line.moderator_name, line.person_name, line.room) for line in lines]


def test_acts_of_a_streamer_in_their_chat_are_recorded_as_decisions(stream: Stream, owner: User) -> None:
    message = ChatMessageFactory(stream=stream, text="buy lamps", user=UserFactory(username="bob"))
    room = stream.username

    room_moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)
    room_moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)
    room_moderation.time_out(stream=stream, by=owner, username="bob", seconds=60)
    room_moderation.unban(stream=stream, by=owner, username="bob")
    room_moderation.unban(stream=stream, by=owner, username="bob")
    room_moderation.ban(stream=stream, by=owner, username="bob")
    room_moderation.unban(stream=stream, by=owner, username="bob")

    assert trail() == [
        ("remove", owner.username, "bob", ""),
        ("time_out", owner.username, "bob", room),
        ("undo", owner.username, "bob", room),
        ("ban", owner.username, "bob", room),
        ("undo", owner.username, "bob", room),
    ]
    removed, timed_out, allowed, banned, back = Decision.objects.order_by("pk")
    assert (removed.title, removed.case and removed.case.target_id) == ("buy lamps", message.public_id)
    assert timed_out.until is not None
    assert banned.until is None
    assert (allowed.undoes, back.undoes) == (timed_out, banned)
    assert not Sanction.objects.exists()


def test_act_against_a_banned_person_leaves_no_further_decision(stream: Stream, owner: User) -> None:
    UserFactory(username="bob")
    room_moderation.ban(stream=stream, by=owner, username="bob")

    room_moderation.time_out(stream=stream, by=owner, username="bob", seconds=60)
    room_moderation.ban(stream=stream, by=owner, username="bob")

    assert trail() == [("ban", owner.username, "bob", stream.username)]
    banned = Decision.objects.get()
    assert decisions.undo(banned, by=UserFactory(is_superuser=True)).undoes == banned


def test_deletion_by_a_moderator_answers_reports_and_one_by_the_streamer_leaves_them_open(
    stream: Stream, owner: User
) -> None:
    moderator = UserFactory(is_superuser=True)
    for by in (moderator, owner):
        message = ChatMessageFactory(stream=stream)
        decisions.report(
            by=UserFactory(), target_type="chat_message", target_id=message.public_id, reason="hate"
        )
        room_moderation.delete_message(stream=stream, by=by, message_id=message.public_id)

    assert [*Report.objects.order_by("pk").values_list("status", flat=True)] == ["upheld", "open"]
    assert [*Case.objects.order_by("pk").values_list("status", "content")] == [
        ("closed", "removed"),
        ("open", "removed"),
    ]


def test_message_claimed_by_another_moderator_is_deleted_from_chat_at_once(stream: Stream) -> None:
    at_desk, in_chat = UserFactory(is_superuser=True), UserFactory(is_superuser=True)
    message = ChatMessageFactory(stream=stream)
    case = decisions.open_case("chat_message", message.public_id, by=at_desk)
    decisions.claim(case, by=at_desk)

    room_moderation.delete_message(stream=stream, by=in_chat, message_id=message.public_id)

    message.refresh_from_db()
    assert message.deleted_by == in_chat
    assert trail() == [("remove", in_chat.username, message.user.username, "")]


def test_undone_chat_ban_is_lifted_and_published_to_the_room(stream: Stream, owner: User) -> None:
    moderator, person = UserFactory(is_superuser=True), UserFactory(username="bob")
    room_moderation.time_out(stream=stream, by=owner, username="bob", seconds=60)
    room_moderation.ban(stream=stream, by=owner, username="bob")
    timed_out, banned = Decision.objects.order_by("pk")

    with pytest.raises(CannotUndo):
        decisions.undo(timed_out, by=moderator)  # the ban has replaced it
    line = decisions.undo(banned, by=moderator)

    assert (line.undoes, line.room, line.moderator) == (banned, stream.username, moderator)
    assert not ChatRestriction.objects.filter(user=person).exists()
    assert json.loads(events_of(stream)[-1]) == {"type": "user_allowed", "username": "bob"}
    with pytest.raises(CannotUndo):
        decisions.undo(banned, by=moderator)


def test_restriction_deleted_in_the_admin_is_lifted_in_the_room(stream: Stream, owner: User) -> None:
    boss = UserFactory(is_superuser=True, is_staff=True)
    room_moderation.ban(stream=stream, by=owner, username=UserFactory(username="bob").username)
    client = Client()
    client.force_login(boss)

    address = reverse("admin:live_chatrestriction_delete", args=[ChatRestriction.objects.get().pk])
    answer = client.post(address, {"post": "yes"})

    assert answer.status_code == 302
    assert trail()[-1] == ("undo", boss.username, "bob", stream.username)
    assert json.loads(events_of(stream)[-1])["type"] == "user_allowed"


def test_expired_restrictions_are_not_loaded(stream: Stream, owner: User) -> None:
    now = timezone.now()
    over, running, for_good = UserFactory(), UserFactory(), UserFactory()
    for user, until in (
        (over, now - timedelta(seconds=1)),
        (running, now + timedelta(minutes=1)),
        (for_good, None),
    ):
        ChatRestriction.objects.create(stream=stream, user=user, until=until)

    state = stored.find_room(stream.username.upper())

    assert state is not None
    assert state.restrictions == {running.pk: (now + timedelta(minutes=1)).timestamp(), for_good.pk: None}


def test_room_states_follow_stream_owner_and_broadcast(stream: Stream) -> None:
    BroadcastFactory(stream=stream, status="reconnecting")
    private = StreamFactory(visibility="private", slow_s=3, emotes_only=True)
    suspended = StreamFactory(is_suspended=True)
    off = StreamFactory()
    User.objects.filter(pk=off.channel.owner_id).update(is_active=False)

    states = stored.room_states([stream.pk, private.pk, suspended.pk, off.pk, 0])

    assert {pk: state.is_open for pk, state in states.items()} == {
        stream.pk: True,
        private.pk: False,
        suspended.pk: False,
        off.pk: False,
    }
    assert states[stream.pk].status == "reconnecting"
    assert states[private.pk].mode == RoomMode(3, False, True)


def test_stored_messages_are_read_as_their_original_events(stream: Stream, owner: User) -> None:
    ChatMessageFactory(stream=stream, deleted_at=timezone.now())
    moderator = UserFactory(is_superuser=True)
    for user in (owner, moderator, UserFactory(username="carol")):
        ChatMessageFactory(stream=stream, user=user, text="hi")

    events = stored.last_messages(stream.pk, 10)

    assert [event.is_kept for event in events] == [True, True, False]
    assert [event.user_id for event in events][:2] == [owner.pk, moderator.pk]
    assert '"user":{"username":"carol","display_name":"carol","badges":[]},"text":"hi"' in events[-1].json


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_is_the_same_for_one_and_three_rooms(
    count: int, stream: Stream, django_assert_num_queries: object
) -> None:
    for _ in range(count):
        ChatMessageFactory(stream=stream)
    streams = [StreamFactory().pk for _ in range(count)]

    with django_assert_num_queries(2):  # type: ignore[operator]
        stored.last_messages(stream.pk, 10)
    with django_assert_num_queries(3):  # type: ignore[operator]
        stored.room_states(streams)


def test_moderation_without_redis_writes_sql_and_raises_nothing(
    stream: Stream, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    message, person = ChatMessageFactory(stream=stream), UserFactory()

    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(redis_connections.shared_client(), "execute_command", fail)
    room_moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)
    room_moderation.ban(stream=stream, by=owner, username=person.username)
    room_moderation.unban(stream=stream, by=owner, username=person.username)
    room_moderation.set_mode(stream=stream, by=owner, slow_s=3)

    message.refresh_from_db()
    stream.refresh_from_db()
    assert message.deleted_at is not None
    assert stream.slow_s == 3
    assert "Redis does not answer" in caplog.text
