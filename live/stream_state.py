"""State of a stream for its viewers, as answered by the API and embedded in the live page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from common.storage import media_url
from live import viewers
from live.models import Broadcast, Stream
from videos.models import Video

OFFLINE = "offline"
NO_REPLAY: dict[str, str | None] = {"replay_id": None, "replay_broadcast_id": None}
DESCRIBED = frozenset({"title", "category", "latency"})


def states(streams: Sequence[Stream]) -> list[dict[str, Any]]:
    """Return the states of several streams, in two queries and one Redis round trip."""
    running = {
        broadcast.stream_id: broadcast
        for broadcast in Broadcast.objects.running().filter(stream__in=[stream.pk for stream in streams])
    }
    counts = viewers.viewer_counts(streams)
    replays = _replays([stream for stream in streams if stream.pk not in running])
    no_replay = (None, None)
    return [
        _state(stream, running.get(stream.pk), counts.get(stream.pk, 0), replays.get(stream.pk, no_replay))
        for stream in streams
    ]


def state(stream: Stream) -> dict[str, Any]:
    return states([stream])[0]


def news(stream: Stream, broadcast: Broadcast) -> dict[str, Any]:
    """Return the event that updates open pages after a change of ``broadcast``.

    ``title`` is empty if the stream has none: each page shows a default in its own
    language.  A private stream's event has the status only, because its media paths
    grant access.
    """
    status = broadcast.status if broadcast.is_running else OFFLINE
    if stream.visibility == Video.Visibility.PRIVATE:
        return {"status": status}
    is_running = broadcast.is_running
    return {
        "status": status,
        **description(stream),
        "started_at": broadcast.started_at.isoformat() if is_running else None,
        "broadcast_id": broadcast.public_id if is_running else None,
        "playback": _paths(broadcast) if is_running else None,
        **(NO_REPLAY if is_running else replay_of(stream)),
    }


def description(stream: Stream) -> dict[str, str]:
    """Return the streamer's description of the stream, for events to the room."""
    return {name: getattr(stream, name) for name in sorted(DESCRIBED)}


def replay_of(stream: Stream) -> dict[str, str | None]:
    """Return the ids of the newest replay that is open to everyone and of its broadcast."""
    replay_id, broadcast_id = _replays([stream]).get(stream.pk, (None, None))
    return {"replay_id": replay_id, "replay_broadcast_id": broadcast_id}


def _state(
    stream: Stream,
    broadcast: Broadcast | None,
    viewer_count: int,
    replay: tuple[str | None, str | None],
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
        "replay_id": replay[0],
        "replay_broadcast_id": replay[1],
    }


def playback(broadcast: Broadcast) -> dict[str, str | None]:
    """Return the players' addresses: live edge, poster, and the DVR if the broadcast is recorded."""
    poster_url = media_url(broadcast.poster_key) if broadcast.poster_key else None
    return {**_paths(broadcast), "poster_url": poster_url}


def _paths(broadcast: Broadcast) -> dict[str, str | None]:
    dvr_path = f"/live-dvr/{broadcast.public_id}/{broadcast.access}/multivariant.m3u8"
    return {"hls_url": broadcast.hls_path, "dvr_url": dvr_path if broadcast.recording_id else None}


def _replays(streams: Sequence[Stream]) -> dict[int, tuple[str, str]]:
    """Return the ids of the newest replay and of its broadcast, by stream id.

    An unlisted replay is left out unless the page that would name it is unlisted, too.
    """
    is_public = Q(recording__visibility=Video.Visibility.PUBLIC)
    are_unlisted = Q(
        recording__visibility=Video.Visibility.UNLISTED, stream__visibility=Video.Visibility.UNLISTED
    )
    replays = Broadcast.objects.filter(
        is_public | are_unlisted,
        stream__in=[stream.pk for stream in streams],
        recording__is_playable=True,
        recording__withheld="",
    )
    newest = replays.order_by("stream_id", "started_at")
    rows = newest.values_list("stream_id", "recording__public_id", "public_id")
    return {stream_id: (replay_id, broadcast_id) for stream_id, replay_id, broadcast_id in rows}
