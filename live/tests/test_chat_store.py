"""From the journal into SQL: complete, in order, and the same however often it is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from live.chat import clients, log, moderation, store
from live.chat.log import JOURNAL, Limits
from live.chat.messages import message_around_seq
from live.models import Broadcast, ChatMessage, Stream
from live.tests.factories import BroadcastFactory, StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


def say(stream: Stream, user: User, *texts: str, at: datetime | None = None) -> list[str]:
    """As the consumer does, without a socket; what the log answered."""
    sent_at = moderation.sent_at_text(at or timezone.now())

    async def say_all() -> list[str]:
        client = clients.new_async_client()
        verdicts = []
        for text in texts:
            author = {"username": user.username}
            around = message_around_seq(public_id=text, user=author, text=text, sent_at=sent_at)
            entry = {"id": text, "text": text, "sent_at": sent_at}
            answer = await log.say(
                client, stream.pk, user.pk, around_seq=around, entry=entry, limits=Limits()
            )
            verdicts.append(answer.verdict)
        await client.aclose()
        await client.connection_pool.disconnect()
        return verdicts

    return async_to_sync(say_all)()


def stored() -> list[str]:
    return list(ChatMessage.objects.order_by("seq").values_list("text", flat=True))


def waiting() -> int:
    count: Any = clients.shared_client().xlen(JOURNAL)
    return int(count)


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


def test_everything_is_stored_in_order_and_leaves_the_journal(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 7)
    other = StreamFactory()
    texts = [f"{number:02}" for number in range(30)]
    for text in texts:
        say(stream if int(text) % 2 else other, alice, text)

    store.store_chat()

    assert [row.text for row in ChatMessage.objects.order_by("sent_at", "pk")] == texts
    assert waiting() == 0
    row = ChatMessage.objects.get(text="01")
    assert (row.stream, row.user, row.public_id, row.broadcast) == (stream, alice, "01", None)


def test_a_message_belongs_to_the_broadcast_that_was_on_air(stream: Stream, alice: User) -> None:
    now = timezone.now()
    hour = timedelta(hours=1)
    ended: Broadcast = BroadcastFactory(
        stream=stream, status="ended", started_at=now - 3 * hour, ended_at=now - 2 * hour
    )
    running: Broadcast = BroadcastFactory(stream=stream, started_at=now - hour)
    BroadcastFactory()
    say(stream, alice, "before", at=now - 4 * hour)
    say(stream, alice, "then", at=now - 2.5 * hour)
    say(stream, alice, "between", at=now - 1.5 * hour)
    say(stream, alice, "now", at=now)

    store.store_chat()

    found = dict(ChatMessage.objects.values_list("text", "broadcast"))
    assert found == {"before": None, "then": ended.pk, "between": None, "now": running.pk}


def test_a_worker_that_dies_before_it_forgets_stores_nothing_twice(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(stream, alice, "one", "two")
    with monkeypatch.context() as patch:

        def die(*_args: object) -> None:
            raise redis.ConnectionError("killed")

        patch.setattr(clients.shared_client(), "xdel", die)
        store.store_chat()
    assert (stored(), waiting()) == (["one", "two"], 2)

    say(stream, alice, "three")
    store.store_chat()
    assert (stored(), waiting()) == (["one", "two", "three"], 0)


def test_two_workers_at_once_store_everything_once(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read the same entries before the first has forgotten them."""
    say(stream, alice, "one", "two")
    client = clients.shared_client()
    seen = client.xrange(JOURNAL)
    store.store_batch()
    with monkeypatch.context() as patch:
        patch.setattr(client, "xrange", lambda *_args, **_options: seen)
        assert store.store_batch() == 2

    assert stored() == ["one", "two"]


@pytest.mark.parametrize("gone", ["user", "stream"])
def test_who_is_gone_takes_only_their_own_rows(stream: Stream, alice: User, gone: str) -> None:
    other = UserFactory()
    say(stream, alice, "doomed")
    say(StreamFactory(), other, "kept")
    if gone == "user":
        alice.delete()
    else:
        stream.channel.owner.delete()

    store.store_chat()

    assert (stored(), waiting()) == (["kept"], 0)


def test_a_message_deleted_before_it_was_stored_is_stored_as_deleted(stream: Stream, alice: User) -> None:
    owner = stream.channel.owner
    say(stream, alice, "doomed", "kept")
    moderation.delete_message(stream=stream, by=owner, message_id="doomed")

    store.store_chat()

    doomed, kept = ChatMessage.objects.order_by("seq")
    assert (doomed.deleted_by, kept.deleted_at) == (owner, None)
    assert doomed.deleted_at is not None


def test_a_message_brought_back_before_its_deletion_was_stored_stays(stream: Stream, alice: User) -> None:
    owner = stream.channel.owner
    say(stream, alice, "spared")
    store.store_chat()
    moderation.delete_message(stream=stream, by=owner, message_id="spared")
    moderation.restore_message(message=ChatMessage.objects.get(), by=owner)

    store.store_chat()

    assert ChatMessage.objects.get().deleted_at is None


def test_a_message_deleted_while_it_is_stored_is_deleted(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has read the message and not yet written it; the deletion finds nothing in SQL."""
    owner = stream.channel.owner
    say(stream, alice, "doomed")
    write = store._store_messages

    def delete_first(entries: Any) -> None:
        moderation.delete_message(stream=stream, by=owner, message_id="doomed")
        write(entries)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_store_messages", delete_first)
        store.store_batch()
    store.store_chat()

    assert ChatMessage.objects.get().deleted_at is not None


def test_who_is_silenced_is_cleared_in_sql_too(stream: Stream, alice: User) -> None:
    owner, bob = stream.channel.owner, UserFactory()
    say(stream, alice, "stored")
    store.store_chat()
    say(stream, alice, "waiting")
    say(stream, bob, "innocent")
    say(StreamFactory(), alice, "elsewhere")
    moderation.time_out(stream=stream, by=owner, username="alice", seconds=1)
    # Said after it all: a timeout takes nothing that comes later.
    clients.shared_client().delete(f"chat:{stream.pk}:barred:{alice.pk}")
    say(stream, alice, "forgiven")

    store.store_chat()

    deleted = dict(ChatMessage.objects.values_list("text", "deleted_by"))
    assert deleted == {
        "stored": owner.pk,
        "waiting": owner.pk,
        "innocent": None,
        "elsewhere": None,
        "forgiven": None,
    }


def test_a_full_journal_refuses_and_forgets_nothing(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_SAY", log._SAY.replace(f">= {log.JOURNAL_LENGTH}", ">= 2"))
    assert say(stream, alice, "one", "two", "three") == ["said", "said", "full"]

    store.store_chat()
    say(stream, alice, "four")
    store.store_chat()
    assert stored() == ["one", "two", "four"]


def test_without_redis_it_waits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(clients.shared_client(), "xrange", fail)
    store.store_chat()

    assert "Chat not stored yet" in caplog.text
