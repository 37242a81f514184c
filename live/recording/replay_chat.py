"""Danmaku of a replay: the chat of its broadcast, shown at its time in the video.

As over a live broadcast, long messages and those with links are left out
(``static/js/player/flies.js``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models.functions import Length

from comments.danmaku import buckets
from comments.danmaku.buckets import Flying
from comments.text import link_count
from live.models import ChatMessage
from videos.models import Video
from videos.services.recordings import Stretch, stretches

MOST_AT_ONCE = 2000
MOST_LETTERS = 50


def chat_of(target: Any, from_ms: int, to_ms: int) -> Iterator[Flying]:
    """Yield the chat between two positions of a replay in order, without pauses of the broadcast."""
    if not isinstance(target, Video) or target.source_key:
        return
    for stretch in stretches(target):
        start_ms, end_ms = max(from_ms, stretch.start_s * 1000), min(to_ms, stretch.end_s * 1000)
        if start_ms < end_ms:
            yield from _chat_in(target, stretch, start_ms, end_ms)


def _chat_in(video: Video, stretch: Stretch, start_ms: float, end_ms: float) -> Iterator[Flying]:
    """Yield the chat from ``start_ms`` until before ``end_ms`` of the video, both within the stretch."""
    zero = stretch.began_at - timedelta(seconds=stretch.start_s)
    messages = ChatMessage.objects.filter(
        broadcast__recording=video,
        deleted_at=None,
        user__is_active=True,
        sent_at__gte=zero + timedelta(milliseconds=start_ms),
        sent_at__lt=zero + timedelta(milliseconds=end_ms),
    )
    short = messages.annotate(letters=Length("text")).filter(letters__lte=MOST_LETTERS)
    for message in short.order_by("sent_at", "seq")[:MOST_AT_ONCE]:
        if link_count(message.text):
            continue
        yield Flying(
            id=message.public_id,
            offset_ms=round((message.sent_at - zero).total_seconds() * 1000),
            text=message.text,
            mode="scroll",
            color="#ffffff",
            created_at=message.sent_at,
            kind="chat_message",
        )


def register() -> None:
    buckets.register(chat_of)
