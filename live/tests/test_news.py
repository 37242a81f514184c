"""Tests of the events about a stream that keep open pages current."""

from __future__ import annotations

import json
from typing import Any

import pytest

from live import broadcasting, services
from live.chat import log
from live.models import Stream
from live.tests.factories import BroadcastFactory, ReplayedFactory, StreamFactory
from videos.services import recordings
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


def published(stream: Stream) -> list[dict[str, Any]]:
    return [json.loads(entry.event) for entry in log.recent(stream)]


def test_broadcast_event_carries_all_data_for_the_page() -> None:
    stream = StreamFactory(title="Lamps, live", category="gaming")
    broadcast = BroadcastFactory(stream=stream, recording=VideoFactory(channel=stream.channel))

    broadcasting.publish_state(broadcast)

    media = f"{broadcast.public_id}/open/multivariant.m3u8"
    assert published(stream) == [
        {
            "type": "broadcast",
            "status": "live",
            "title": "Lamps, live",
            "category": "gaming",
            "latency": "low",
            "started_at": broadcast.started_at.isoformat(),
            "broadcast_id": broadcast.public_id,
            "playback": {"hls_url": f"/live-media/{media}", "dvr_url": f"/live-dvr/{media}"},
            "replay_id": None,
            "replay_broadcast_id": None,
        }
    ]


def test_event_of_ended_broadcast_carries_the_replay() -> None:
    broadcast = ReplayedFactory()

    broadcasting.publish_state(broadcast)

    [event] = published(broadcast.stream)
    assert (event["status"], event["playback"], event["started_at"]) == ("offline", None, None)
    assert (event["replay_id"], event["replay_broadcast_id"]) == (
        broadcast.recording.public_id,
        broadcast.public_id,
    )


def test_event_of_private_stream_carries_no_media_path() -> None:
    broadcast = BroadcastFactory(stream=StreamFactory(visibility="private"))

    broadcasting.publish_state(broadcast)

    assert published(broadcast.stream) == [{"type": "broadcast", "status": "live"}]


def test_changed_title_and_category_are_published_to_the_room() -> None:
    stream = StreamFactory(title="Lamps")

    services.edit_stream(stream, title="Lamps and more", category="music")
    services.edit_stream(stream, record=False)

    about = {"title": "Lamps and more", "category": "music", "latency": "low"}
    assert published(stream) == [{"type": "stream", **about}]


def test_completed_replay_is_published_to_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    broadcast = ReplayedFactory()
    monkeypatch.setattr(recordings, "finish_recording", lambda *_args, **_options: None)

    broadcasting.complete_recording(broadcast)

    ids = {"replay_id": broadcast.recording.public_id, "replay_broadcast_id": broadcast.public_id}
    assert published(broadcast.stream) == [{"type": "stream", **ids}]
