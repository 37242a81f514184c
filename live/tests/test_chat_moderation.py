"""What moderators may do, in SQL."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from live.chat import clients, log, moderation
from live.chat.errors import NoSuchMessage, NoSuchPerson, NotAllowed
from live.chat.rules import Mode
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


def test_nobody_else_moderates(stream: Stream) -> None:
    stranger, suspended = UserFactory(), UserFactory(is_superuser=True, is_active=False)
    for by in (stranger, suspended):
        with pytest.raises(NotAllowed):
            moderation.delete_message(stream=stream, by=by, message_id="x")
        with pytest.raises(NotAllowed):
            moderation.ban(stream=stream, by=by, username=stranger.username)
        with pytest.raises(NotAllowed):
            moderation.set_mode(stream=stream, by=by, slow_s=3)
    assert events_of(stream) == []


def test_owner_and_staff_are_beyond_moderators(stream: Stream, owner: User) -> None:
    moderator, staff = UserFactory(is_superuser=True), UserFactory(is_staff=True)
    for person in (owner, staff, moderator):
        with pytest.raises(NotAllowed):
            moderation.time_out(stream=stream, by=moderator, username=person.username, seconds=10)
    with pytest.raises(NotAllowed):
        moderation.ban(stream=stream, by=owner, username=moderator.username)
    assert not ChatRestriction.objects.exists()


def test_a_message_of_another_room_does_not_exist_here(stream: Stream, owner: User) -> None:
    elsewhere = ChatMessageFactory()
    with pytest.raises(NoSuchMessage):
        moderation.delete_message(stream=stream, by=owner, message_id=elsewhere.public_id)
    with pytest.raises(NoSuchPerson):
        moderation.ban(stream=stream, by=owner, username="nobody")


def test_a_stored_message_is_deleted_and_the_room_told(stream: Stream, owner: User) -> None:
    message = ChatMessageFactory(stream=stream)
    moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)

    message.refresh_from_db()
    assert message.deleted_by == owner
    assert events_of(stream) == [f'{{"type":"message_deleted","id":"{message.public_id}"}}']


def test_a_deleted_message_is_brought_back_and_the_room_told(stream: Stream, owner: User) -> None:
    message = ChatMessageFactory(stream=stream, text="as it was")
    moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)

    moderation.restore_message(message=message, by=owner)
    moderation.restore_message(message=message, by=owner)

    message.refresh_from_db()
    assert (message.deleted_at, message.deleted_by) == (None, None)
    _deleted, restored = map(json.loads, events_of(stream))
    assert (restored["type"], restored["id"]) == ("message_restored", message.public_id)
    assert (restored["message"]["text"], restored["message"]["seq"]) == ("as it was", message.seq)


def test_a_timeout_does_not_shorten_a_ban_and_a_ban_outlasts_a_timeout(stream: Stream, owner: User) -> None:
    person = UserFactory()
    for act in ("time out", "ban", "time out"):
        if act == "ban":
            moderation.ban(stream=stream, by=owner, username=person.username)
        else:
            moderation.time_out(stream=stream, by=owner, username=person.username, seconds=60)
    restriction = ChatRestriction.objects.get()
    assert (restriction.user, restriction.until, restriction.created_by) == (person, None, owner)

    moderation.unban(stream=stream, by=owner, username=person.username)
    assert not ChatRestriction.objects.exists()


def test_restrictions_that_have_ended_are_not_loaded(stream: Stream, owner: User) -> None:
    now = timezone.now()
    over, running, for_good = UserFactory(), UserFactory(), UserFactory()
    for user, until in (
        (over, now - timedelta(seconds=1)),
        (running, now + timedelta(minutes=1)),
        (for_good, None),
    ):
        ChatRestriction.objects.create(stream=stream, user=user, until=until)

    state = moderation.find_room(stream.username.upper())

    assert state is not None
    assert state.restrictions == {running.pk: (now + timedelta(minutes=1)).timestamp(), for_good.pk: None}


def test_a_room_is_what_sql_says(stream: Stream) -> None:
    BroadcastFactory(stream=stream, status="reconnecting")
    private = StreamFactory(visibility="private", slow_s=3, emotes_only=True)
    suspended = StreamFactory(is_suspended=True)
    off = StreamFactory()
    User.objects.filter(pk=off.channel.owner_id).update(is_active=False)

    states = moderation.room_states([stream.pk, private.pk, suspended.pk, off.pk, 0])

    assert {pk: state.is_open for pk, state in states.items()} == {
        stream.pk: True,
        private.pk: False,
        suspended.pk: False,
        off.pk: False,
    }
    assert states[stream.pk].status == "reconnecting"
    assert states[private.pk].mode == Mode(3, False, True)


def test_the_last_messages_are_the_events_they_were(stream: Stream, owner: User) -> None:
    ChatMessageFactory(stream=stream, deleted_at=timezone.now())
    moderator = UserFactory(is_superuser=True)
    for user in (owner, moderator, UserFactory(username="carol")):
        ChatMessageFactory(stream=stream, user=user, text="hi")

    events = moderation.last_messages(stream.pk, 10)

    assert [event.is_kept for event in events] == [True, True, False]
    assert [event.user_id for event in events][:2] == [owner.pk, moderator.pk]
    assert '"user":{"username":"carol","display_name":"carol","badges":[]},"text":"hi"' in events[-1].json


@pytest.mark.parametrize("count", [1, 3])
def test_reading_rooms_and_messages_costs_the_same_for_one_and_three(
    count: int, stream: Stream, django_assert_num_queries: object
) -> None:
    for _ in range(count):
        ChatMessageFactory(stream=stream)
    streams = [StreamFactory().pk for _ in range(count)]

    with django_assert_num_queries(2):  # type: ignore[operator]
        moderation.last_messages(stream.pk, 10)
    with django_assert_num_queries(3):  # type: ignore[operator]
        moderation.room_states(streams)


def test_without_redis_sql_is_written_and_nothing_raised(
    stream: Stream, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    message, person = ChatMessageFactory(stream=stream), UserFactory()

    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(clients.shared_client(), "execute_command", fail)
    moderation.delete_message(stream=stream, by=owner, message_id=message.public_id)
    moderation.ban(stream=stream, by=owner, username=person.username)
    moderation.unban(stream=stream, by=owner, username=person.username)
    moderation.set_mode(stream=stream, by=owner, slow_s=3)

    message.refresh_from_db()
    stream.refresh_from_db()
    assert message.deleted_at is not None
    assert stream.slow_s == 3
    assert "Redis does not answer" in caplog.text
