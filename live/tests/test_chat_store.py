"""Tests of storing the journal in SQL: complete, in order, idempotent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import redis_connections
from live.chat import log, room_moderation, store
from live.chat.log import JOURNAL, PostLimits
from live.chat.messages import message_around_seq
from live.chat.stored import sent_at_text
from live.models import Broadcast, ChatMessage, Stream
from live.tests.factories import BroadcastFactory, StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


def post(stream: Stream, user: User, *texts: str, at: datetime | None = None) -> list[str]:
    """Post messages as the consumer does, without a socket; return the log's verdicts."""
    sent_at = sent_at_text(at or timezone.now())

    async def post_all() -> list[str]:
        client = redis_connections.new_hub_client()
        verdicts = []
        for text in texts:
            author = {"username": user.username}
            around = message_around_seq(public_id=text, user=author, text=text, sent_at=sent_at)
            entry = {"id": text, "text": text, "sent_at": sent_at}
            answer = await log.post(
                client, stream.pk, user.pk, around_seq=around, entry=entry, limits=PostLimits()
            )
            verdicts.append(answer.verdict)
        await client.aclose()
        await client.connection_pool.disconnect()
        return verdicts

    return async_to_sync(post_all)()


def stored() -> list[str]:
    return list(ChatMessage.objects.order_by("seq").values_list("text", flat=True))


def waiting() -> int:
    count: Any = redis_connections.shared_client().xlen(JOURNAL)
    return int(count)


@pytest.fixture
def stream() -> Stream:
    made: Stream = StreamFactory()
    return made


@pytest.fixture
def alice() -> User:
    return UserFactory(username="alice")


def test_entries_are_stored_in_order_and_leave_the_journal(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 7)
    other = StreamFactory()
    texts = [f"{number:02}" for number in range(30)]
    for text in texts:
        post(stream if int(text) % 2 else other, alice, text)

    store.store_chat()

    assert [row.text for row in ChatMessage.objects.order_by("sent_at", "pk")] == texts
    assert waiting() == 0
    row = ChatMessage.objects.get(text="01")
    assert (row.stream, row.user, row.public_id, row.broadcast) == (stream, alice, "01", None)


def test_message_belongs_to_the_broadcast_that_was_on_air(stream: Stream, alice: User) -> None:
    now = timezone.now()
    hour = timedelta(hours=1)
    ended: Broadcast = BroadcastFactory(
        stream=stream, status="ended", started_at=now - 3 * hour, ended_at=now - 2 * hour
    )
    running: Broadcast = BroadcastFactory(stream=stream, started_at=now - hour)
    BroadcastFactory()
    post(stream, alice, "before", at=now - 4 * hour)
    post(stream, alice, "then", at=now - 2.5 * hour)
    post(stream, alice, "between", at=now - 1.5 * hour)
    post(stream, alice, "now", at=now)

    store.store_chat()

    found = dict(ChatMessage.objects.values_list("text", "broadcast"))
    assert found == {"before": None, "then": ended.pk, "between": None, "now": running.pk}


def test_worker_that_dies_before_trimming_the_journal_stores_nothing_twice(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(stream, alice, "one", "two")
    with monkeypatch.context() as patch:

        def die(*_args: object) -> None:
            raise redis.ConnectionError("killed")

        patch.setattr(redis_connections.shared_client(), "xdel", die)
        store.store_chat()
    assert (stored(), waiting()) == (["one", "two"], 2)

    post(stream, alice, "three")
    store.store_chat()
    assert (stored(), waiting()) == (["one", "two", "three"], 0)


def test_two_concurrent_workers_store_everything_once(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second worker reads the entries before the first one removes them."""
    post(stream, alice, "one", "two")
    client = redis_connections.shared_client()
    seen = client.xrange(JOURNAL)
    store.store_batch()
    with monkeypatch.context() as patch:
        patch.setattr(client, "xrange", lambda *_args, **_options: seen)
        assert store.store_batch() == 2

    assert stored() == ["one", "two"]


@pytest.mark.parametrize("gone", ["user", "stream"])
def test_entries_of_deleted_user_or_stream_are_dropped_alone(stream: Stream, alice: User, gone: str) -> None:
    other = UserFactory()
    post(stream, alice, "doomed")
    post(StreamFactory(), other, "kept")
    if gone == "user":
        alice.delete()
    else:
        stream.channel.owner.delete()

    store.store_chat()

    assert (stored(), waiting()) == (["kept"], 0)


def test_message_deleted_before_it_was_stored_is_stored_as_deleted(stream: Stream, alice: User) -> None:
    owner = stream.channel.owner
    post(stream, alice, "doomed", "kept")
    room_moderation.delete_message(stream=stream, by=owner, message_id="doomed")

    store.store_chat()

    doomed, kept = ChatMessage.objects.order_by("seq")
    assert (doomed.deleted_by, kept.deleted_at) == (owner, None)
    assert doomed.deleted_at is not None


def test_message_restored_before_its_deletion_was_stored_stays(stream: Stream, alice: User) -> None:
    owner = stream.channel.owner
    post(stream, alice, "spared")
    store.store_chat()
    room_moderation.delete_message(stream=stream, by=owner, message_id="spared")
    room_moderation.restore_message(message=ChatMessage.objects.get(), by=owner)

    store.store_chat()

    assert ChatMessage.objects.get().deleted_at is None


def test_message_deleted_during_storing_is_deleted(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion comes after the worker read the message and before it wrote it to SQL."""
    owner = stream.channel.owner
    post(stream, alice, "doomed")
    write = store._store_messages

    def delete_first(entries: Any) -> None:
        patch.setattr(store, "_store_messages", write)
        room_moderation.delete_message(stream=stream, by=owner, message_id="doomed")
        write(entries)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_store_messages", delete_first)
        store.store_batch()
    store.store_chat()

    assert ChatMessage.objects.get().deleted_at is not None


def test_time_out_clears_messages_in_sql(stream: Stream, alice: User) -> None:
    owner, bob = stream.channel.owner, UserFactory()
    post(stream, alice, "stored")
    store.store_chat()
    post(stream, alice, "waiting")
    post(stream, bob, "innocent")
    post(StreamFactory(), alice, "elsewhere")
    room_moderation.time_out(stream=stream, by=owner, username="alice", seconds=1)
    # A time-out does not remove later messages.
    redis_connections.shared_client().delete(f"chat:{stream.pk}:barred:{alice.pk}")
    post(stream, alice, "allowed")

    store.store_chat()

    deleted = dict(ChatMessage.objects.values_list("text", "deleted_by"))
    assert deleted == {
        "stored": owner.pk,
        "waiting": owner.pk,
        "innocent": None,
        "elsewhere": None,
        "allowed": None,
    }


def test_full_journal_refuses_messages_and_loses_none(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_POST", log._POST.replace(f">= {log.JOURNAL_LENGTH}", ">= 2"))
    assert post(stream, alice, "one", "two", "three") == ["posted", "posted", "full"]

    store.store_chat()
    post(stream, alice, "four")
    store.store_chat()
    assert stored() == ["one", "two", "four"]


def test_storing_waits_without_redis(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(redis_connections.shared_client(), "xrange", fail)
    store.store_chat()

    assert "Chat not stored yet" in caplog.text


def journal_entry(stream: Stream, user: User, changes: dict[str, Any]) -> dict[str, Any]:
    """Return a journal entry of a message, with ``changes``."""
    entry = {"stream": stream.pk, "user": user.pk, "id": "bad", "text": "bad"}
    return {"seq": "7", "entry": json.dumps({**entry, "sent_at": "2026-01-01T00:00:00Z", **changes})}


@pytest.mark.parametrize(
    "changes",
    [
        {"sent_at": "yesterday"},
        {"id": None},
        {"user": {"pk": 1}},
        {"text": "x", "stream": "everywhere"},
    ],
    ids=["no moment", "no id", "no user", "no stream"],
)
def test_entry_refused_by_sql_does_not_block_later_ones(
    stream: Stream, alice: User, changes: dict[str, Any]
) -> None:
    client: Any = redis_connections.shared_client()
    client.xadd(JOURNAL, journal_entry(stream, alice, changes))
    post(stream, alice, "good")

    store.store_chat()

    assert (stored(), waiting()) == (["good"], 0)
    ((_, kept),) = client.xrange(store.UNSTORABLE)
    assert kept["seq"] == "7"


@pytest.mark.parametrize(
    "pair",
    [
        {"seq": "x", "entry": "{}"},
        {"seq": "1", "entry": "[]"},
        {"seq": "1", "entry": "no JSON"},
        {"news": "of another version"},
        {"seq": "1", "entry": '{"deleted": "m", "by": 1}'},
        {"seq": "1", "entry": '{"pinned": "m"}'},
    ],
)
def test_unreadable_entry_does_not_block_later_ones(
    stream: Stream, alice: User, pair: dict[str, str]
) -> None:
    client: Any = redis_connections.shared_client()
    client.xadd(JOURNAL, pair)
    post(stream, alice, "good")

    store.store_chat()

    assert (stored(), waiting()) == (["good"], 0)
    assert client.xlen(store.UNSTORABLE) == 1


def test_entries_put_aside_are_bounded(stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_UNSTORABLE", 2)
    client: Any = redis_connections.shared_client()
    for number in range(5):
        client.xadd(JOURNAL, {"seq": str(number), "entry": "no JSON"})

    store.store_chat()

    assert [kept["seq"] for _, kept in client.xrange(store.UNSTORABLE)] == ["3", "4"]


def test_without_sql_nothing_is_put_aside(
    stream: Stream, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    post(stream, alice, "later")

    def fail(*_args: object) -> None:
        raise OperationalError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_existing", fail)
        store.store_chat()
    assert (stored(), waiting()) == ([], 1)
    assert "Chat not stored yet" in caplog.text

    store.store_chat()
    assert (stored(), waiting()) == (["later"], 0)
