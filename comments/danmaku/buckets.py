"""Danmaku as players read it: buckets of 30 seconds in the cache.

Readers request buckets at fixed addresses, so browsers and CDNs share them.  Each
bucket stays in the cache until a message is posted into it.  Other apps may add
their own messages, as a replay adds the chat of its broadcast: see :func:`register`.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from comments.models import Danmaku, target_columns

if TYPE_CHECKING:
    from comments.targets import Target


BUCKET_S = 30
MAX_WINDOW_S = 600
MOST_A_SECOND = 8  # a message flies for eight seconds, and a frame has room for so many lines
KEPT_S = 60
STAMP_KEPT_S = 24 * 3600  # much longer than any bucket stored under it


@dataclass(frozen=True, slots=True)
class Flying:
    """Message that flies over the video, as players read it."""

    id: str
    offset_ms: int
    text: str
    mode: str
    color: str
    created_at: datetime
    kind: str = "danmaku"  # its type in a report


class Provider(Protocol):
    """Source of other messages between two moments of ``target``; it may have none."""

    def __call__(self, target: Any, from_ms: int, to_ms: int) -> Iterable[Flying]: ...


_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Add ``provider`` as a source; an app calls this once, from ``ready()``."""
    if provider not in _providers:
        _providers.append(provider)


def between(target: Target, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
    """Return the messages with ``from_ms <= offset_ms < to_ms``, in order, with one query at most."""
    numbers = range(from_ms // _BUCKET_MS, -(-to_ms // _BUCKET_MS))
    keys = _keys(target, numbers)
    known: dict[str, list[dict[str, Any]]] = cache.get_many(keys.values())
    missing = [number for number in numbers if keys[number] not in known]
    if missing:
        fresh = _read(target, missing[0], missing[-1] + 1)
        made = {keys[number]: fresh.get(number, []) for number in missing}
        cache.set_many(made, KEPT_S)
        known |= made
    flying = (one for number in numbers for one in known[keys[number]])
    return [one for one in flying if from_ms <= one["offset_ms"] < to_ms]


_BUCKET_MS = BUCKET_S * 1000


def _read(target: Target, first: int, end: int) -> dict[int, list[dict[str, Any]]]:
    """Return the non-empty buckets with numbers from ``first`` until before ``end``."""
    from_ms, to_ms = first * _BUCKET_MS, end * _BUCKET_MS
    found = _stored(target, from_ms, to_ms)
    for provider in _providers:
        found.extend(provider(target, from_ms, to_ms))
    buckets: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in thinned(found, MOST_A_SECOND):
        buckets[one.offset_ms // _BUCKET_MS].append(asdict(one))
    return buckets


def _stored(target: Target, from_ms: int, to_ms: int) -> list[Flying]:
    """Return the newest of each second, so an author always sees their own message."""
    newest_first = Window(RowNumber(), partition_by=[F("offset_ms") / 1000], order_by=F("id").desc())
    rows = (
        Danmaku.objects.of(target)
        .spoken()
        .filter(offset_ms__gte=from_ms, offset_ms__lt=to_ms)
        .annotate(place=newest_first)
        .filter(place__lte=MOST_A_SECOND)
    )
    return [
        Flying(row.public_id, row.offset_ms, row.text, row.mode, row.color, row.created_at)
        for row in rows.order_by("offset_ms", "id")
    ]


def thinned(flying: Iterable[Flying], most: int) -> list[Flying]:
    """Return the ``most`` newest messages of each second, ordered by moment."""
    seconds: dict[int, list[Flying]] = defaultdict(list)
    for one in flying:
        seconds[one.offset_ms // 1000].append(one)
    kept = (
        one for texts in seconds.values() for one in sorted(texts, key=lambda one: one.created_at)[-most:]
    )
    return sorted(kept, key=lambda one: (one.offset_ms, one.created_at, one.id))


def forget(target: Target) -> None:
    """Drop all buckets of ``target``, because a provider's messages have changed."""
    _stamp(_target_stamp(target))


def forget_bucket(target: Any, offset_ms: int) -> None:
    _stamp(_bucket_stamp(target, offset_ms // _BUCKET_MS))


def _stamp(key: str) -> None:
    """Change the stamp now and on commit: a reader in between may store the old rows."""
    fresh = partial(cache.set, timeout=STAMP_KEPT_S)
    fresh(key, _new_stamp())
    transaction.on_commit(lambda: fresh(key, _new_stamp()))


def _keys(target: Target, numbers: Iterable[int]) -> dict[int, str]:
    """Return the cache key of each bucket.

    A key contains stamps that change with every change of the bucket.  Rows that were
    read before a change are therefore stored under a key that is not read again.
    """
    wanted = {number: _bucket_stamp(target, number) for number in numbers}
    whole = _target_stamp(target)
    stamps = cache.get_many([whole, *wanted.values()])
    common = stamps.get(whole, "")
    return {number: f"{key}:{common}:{stamps.get(key, '')}:rows" for number, key in wanted.items()}


def _target_stamp(target: Target) -> str:
    return "danmaku:{target_type.pk}.{target_id}".format(**target_columns(target))


def _bucket_stamp(target: Target, number: int) -> str:
    return f"{_target_stamp(target)}:{number}"


def _new_stamp() -> str:
    return secrets.token_hex(4)
