"""A stream as everyone who may watch it sees it: what the API answers and what the live page begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from live import viewers
from live.models import Broadcast, Stream
from videoplatform.storage import media_url

OFFLINE = "offline"


def states(streams: Sequence[Stream]) -> list[dict[str, Any]]:
    """The states of several streams, in two queries and one look at Redis."""
    running = {
        broadcast.stream_id: broadcast
        for broadcast in Broadcast.objects.running().filter(stream__in=[stream.pk for stream in streams])
    }
    counts = viewers.viewer_counts(streams)
    replays = _replays([stream for stream in streams if stream.pk not in running])
    return [
        _state(stream, running.get(stream.pk), counts.get(stream.pk, 0), replays.get(stream.pk))
        for stream in streams
    ]


def state(stream: Stream) -> dict[str, Any]:
    return states([stream])[0]


def _state(
    stream: Stream, broadcast: Broadcast | None, viewer_count: int, replay_id: str | None
) -> dict[str, Any]:
    if broadcast is not None:
        broadcast.stream = stream
    return {
        "username": stream.username,
        "channel": stream.channel,
        "status": broadcast.status if broadcast else OFFLINE,
        "title": str(stream.shown_title),
        "category": stream.category,
        "visibility": stream.visibility,
        "latency": stream.latency,
        "record": stream.record,
        "started_at": broadcast.started_at if broadcast else None,
        "viewer_count": viewer_count if broadcast else 0,
        "playback": playback(broadcast) if broadcast else None,
        "chat": {"websocket_path": f"/ws/live/{stream.username}/chat/"},
        "broadcast_id": broadcast.public_id if broadcast else None,
        "replay_id": replay_id,
    }


def playback(broadcast: Broadcast) -> dict[str, str | None]:
    """Addresses for players: the live edge, and everything since the beginning where it is recorded."""
    dvr_path = f"/live-dvr/{broadcast.public_id}/{broadcast.access}/multivariant.m3u8"
    return {
        "hls_url": broadcast.hls_path,
        "dvr_url": dvr_path if broadcast.recording_id else None,
        "poster_url": media_url(broadcast.poster_key) if broadcast.poster_key else None,
    }


def _replays(streams: Sequence[Stream]) -> dict[int, str]:
    """The newest replay that anyone may watch, by stream: where viewers of an ended broadcast go on."""
    replays = Broadcast.objects.filter(
        stream__in=[stream.pk for stream in streams],
        recording__is_playable=True,
        recording__visibility__in=["public", "unlisted"],
    )
    newest = replays.order_by("stream_id", "started_at").values_list("stream_id", "recording__public_id")
    return dict(newest)
