"""Transfer of the rooms' journal from Redis into SQL, in bulk and in order.

An entry leaves the journal only after SQL has it, so an interrupted batch runs
again; storing an entry twice changes nothing.  A deletion is a later entry than
its message, so it is stored after it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import redis
from django.db import DatabaseError, DataError, IntegrityError, transaction

from accounts.models import User
from live.chat.log import JOURNAL
from live.chat.messages import dumps
from live.chat.stored import CLEARED_FOR
from live.models import Broadcast, ChatMessage, Stream
from live.redis_connections import shared_client

logger = logging.getLogger(__name__)

BATCH = 500
BATCHES = 40  # in one task; the next task, two seconds later, continues
# Entries that SQL refuses are kept here for inspection and repair.
UNSTORABLE = "chat:unstorable"
MAX_UNSTORABLE = 1000
MESSAGE = {"id": str, "text": str, "sent_at": str, "user": int, "stream": int}
# Errors caused by the entry itself, not by a database that does not answer.
BAD_ENTRY = (DataError, IntegrityError, ValueError, KeyError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Entry of the journal."""

    entry_id: str
    seq: int
    fields: dict[str, Any]

    @property
    def is_message(self) -> bool:
        return "text" in self.fields


def store_chat() -> None:
    """Write the journal's messages and removals into SQL."""
    try:
        for _ in range(BATCHES):
            if not store_batch():
                return
    except redis.RedisError:
        logger.warning("Chat not stored yet: Redis does not answer")
    except DatabaseError as error:
        logger.warning("Chat not stored yet: SQL does not answer", extra={"error": repr(error)})


def store_batch() -> int:
    """Store the oldest entries and return their number.

    An entry that cannot be stored is put aside, so that it does not block later
    ones.  Raises RedisError, and DatabaseError if the cause is not an entry.
    """
    client = shared_client()
    found: Any = client.xrange(JOURNAL, count=BATCH)
    entries = [parsed for entry_id, pair in found if (parsed := _read(entry_id, pair))]
    for is_message, run in groupby(entries, key=lambda entry: entry.is_message):
        store = _store_messages if is_message else _store_removals
        _store_run(store, list(run))
    if found:
        client.xdel(JOURNAL, *(entry_id for entry_id, _ in found))
    return len(found)


def _read(entry_id: str, pair: dict[str, str]) -> JournalEntry | None:
    """Parse an entry; put an unreadable one aside and return None."""
    try:
        fields = json.loads(pair["entry"])
        parsed = JournalEntry(entry_id, int(pair["seq"]), dict(fields))
        # bulk_create with ignore_conflicts would silently drop an invalid row.
        if parsed.is_message and not all(
            isinstance(fields.get(name), kind) for name, kind in MESSAGE.items()
        ):
            raise ValueError("not a message")
        return parsed
    except (*BAD_ENTRY, RecursionError) as error:
        _put_aside(pair, error)
        return None


def _store_run(store: Callable[[Sequence[JournalEntry]], None], entries: Sequence[JournalEntry]) -> None:
    """Store ``entries`` together, or one by one if any of them fails."""
    try:
        store(entries)
    except BAD_ENTRY:
        for entry in entries:
            try:
                store([entry])
            except BAD_ENTRY as error:
                _put_aside({"seq": str(entry.seq), "entry": dumps(entry.fields)}, error)


def _put_aside(pair: dict[str, str], error: Exception) -> None:
    logger.error("Chat entry not stored, put aside", extra={"seq": pair.get("seq"), "error": repr(error)})
    kept: dict[Any, Any] = {**pair, "error": repr(error)[:500]}
    shared_client().xadd(UNSTORABLE, kept, maxlen=MAX_UNSTORABLE, approximate=False)


@transaction.atomic
def _store_messages(entries: Sequence[JournalEntry]) -> None:
    users = _existing(User, {entry.fields["user"] for entry in entries})
    streams = _existing(Stream, {entry.fields["stream"] for entry in entries})
    broadcasts = _broadcasts(streams, entries)
    rows = [
        ChatMessage(
            public_id=entry.fields["id"],
            stream_id=entry.fields["stream"],
            broadcast_id=_broadcast_at(broadcasts.get(entry.fields["stream"], ()), _sent_at(entry)),
            user_id=entry.fields["user"],
            seq=entry.seq,
            text=entry.fields["text"],
            sent_at=_sent_at(entry),
        )
        for entry in entries
        if entry.fields["user"] in users and entry.fields["stream"] in streams
    ]
    ChatMessage.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def _store_removals(entries: Sequence[JournalEntry]) -> None:
    for entry in entries:
        _store_removal(entry)


def _existing(model: type[User] | type[Stream], pks: set[int]) -> set[int]:
    return set(model._default_manager.filter(pk__in=pks).values_list("pk", flat=True))


def _sent_at(entry: JournalEntry) -> datetime:
    return datetime.fromisoformat(entry.fields["sent_at"])


def _broadcasts(streams: set[int], entries: Sequence[JournalEntry]) -> dict[int, list[Broadcast]]:
    """Return, by stream, the broadcasts that overlap the entries' times, newest first."""
    sent = [_sent_at(entry) for entry in entries]
    begun = Broadcast.objects.filter(stream__in=streams, started_at__lte=max(sent))
    candidates = begun.exclude(ended_at__lt=min(sent)).order_by("-started_at")
    found: dict[int, list[Broadcast]] = {}
    for broadcast in candidates.only("stream_id", "started_at", "ended_at"):
        found.setdefault(broadcast.stream_id, []).append(broadcast)
    return found


def _broadcast_at(broadcasts: Sequence[Broadcast], moment: datetime) -> int | None:
    for broadcast in broadcasts:
        if broadcast.started_at <= moment and (broadcast.ended_at is None or moment <= broadcast.ended_at):
            return broadcast.pk
    return None


def _store_removal(entry: JournalEntry) -> None:
    """Apply a deletion, clearing or restoration to messages that SQL may have stored after it."""
    fields = entry.fields
    if "restored" in fields:
        messages = ChatMessage.objects.filter(stream=fields["stream"], public_id=fields["restored"])
        messages.update(deleted_at=None, deleted_by=None)
        return
    at = datetime.fromisoformat(fields["at"])
    messages = ChatMessage.objects.filter(
        stream=fields["stream"], seq__lt=entry.seq, deleted_at=None, sent_at__gte=at - CLEARED_FOR
    )
    if "deleted" in fields:
        messages = messages.filter(public_id=fields["deleted"])
    else:
        messages = messages.filter(user=fields["cleared"])
    by = User.objects.filter(pk=fields["by"]).first()
    messages.update(deleted_at=at, deleted_by=by)
