"""From the rooms' journal in Redis into SQL, in bulk and in order.

An entry leaves the journal only after SQL has it, so what is interrupted is done
again, and doing anything twice changes nothing.  A deletion is an entry after
its message: whoever stores the message stores the deletion, too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import redis
from django.db import IntegrityError, transaction

from accounts.models import User
from live.chat.clients import shared_client
from live.chat.log import JOURNAL
from live.chat.moderation import CLEARED_FOR
from live.models import Broadcast, ChatMessage, Stream

logger = logging.getLogger(__name__)

BATCH = 500
BATCHES = 40  # in one task: what is left is the next one's, two seconds later


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry of the journal."""

    entry_id: str
    seq: int
    fields: dict[str, Any]

    @property
    def is_message(self) -> bool:
        return "text" in self.fields


def store_chat() -> None:
    """Write what was said and deleted since the last time."""
    try:
        for _ in range(BATCHES):
            if not store_batch():
                return
    except redis.RedisError:
        logger.warning("Chat not stored yet: Redis does not answer")
    except IntegrityError:
        # Somebody's account or channel went while we wrote; next time we know.
        logger.warning("Chat not stored yet: someone has gone")


def store_batch() -> int:
    """Store the oldest entries; return how many there were."""
    client = shared_client()
    found: Any = client.xrange(JOURNAL, count=BATCH)
    entries = list(_read(found))
    for is_message, run in groupby(entries, key=lambda entry: entry.is_message):
        if is_message:
            _store_messages(list(run))
        else:
            for entry in run:
                _store_removal(entry)
    if found:
        client.xdel(JOURNAL, *(entry_id for entry_id, _ in found))
    return len(found)


def _read(found: Iterable[tuple[str, dict[str, str]]]) -> Iterator[Noted]:
    for entry_id, pair in found:
        yield Noted(entry_id, int(pair["seq"]), json.loads(pair["entry"]))


@transaction.atomic
def _store_messages(entries: Sequence[Noted]) -> None:
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


def _existing(model: type[User] | type[Stream], pks: set[int]) -> set[int]:
    return set(model._default_manager.filter(pk__in=pks).values_list("pk", flat=True))


def _sent_at(entry: Noted) -> datetime:
    return datetime.fromisoformat(entry.fields["sent_at"])


def _broadcasts(streams: set[int], entries: Sequence[Noted]) -> dict[int, list[Broadcast]]:
    """Broadcasts that may have been on air when these were sent, by stream, newest first."""
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


def _store_removal(entry: Noted) -> None:
    """Mark what was taken away before SQL knew it, or brought back."""
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
