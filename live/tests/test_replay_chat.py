"""Tests of chat messages as danmaku over the replay."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.tests.factories import UserFactory
from comments.tests.test_changes import heard
from live.models import Broadcast, ChatMessage
from live.recording.replay_chat import MOST_LETTERS, chat_of
from live.reportable import remove_message, restore_message
from live.tests.factories import BroadcastFactory, ChatMessageFactory
from videos.models import Video
from videos.services import recordings
from videos.services.recordings import RecordedRendition
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

R0 = RecordedRendition("r0", 640, 360, 30.0, 800_000, "avc1.64001e,mp4a.40.2")


@pytest.fixture
def began_at() -> datetime:
    return timezone.now() - timedelta(hours=1)


@pytest.fixture
def broadcast(began_at: datetime) -> Broadcast:
    """Return a broadcast with two recorded spans of 8 s, 20 s apart."""
    made: Broadcast = BroadcastFactory(started_at=began_at)
    video = recordings.start_recording(
        channel=made.stream.channel, title="Live", category="gaming", visibility="public"
    )
    recordings.record_renditions(video, [R0])
    for later_s in (0, 28):
        run = recordings.open_run(video, is_continuous=False, began_at=began_at + timedelta(seconds=later_s))
        for _ in range(2):
            recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    made.recording = video
    made.save()
    return made


def post(broadcast: Broadcast, text: str, sent_at: datetime, **fields: object) -> None:
    ChatMessageFactory(stream=broadcast.stream, broadcast=broadcast, text=text, sent_at=sent_at, **fields)


def offsets(video: Video, from_ms: int = 0, to_ms: int = 30_000) -> list[tuple[str, int]]:
    return [(flying.text, flying.offset_ms) for flying in chat_of(video, from_ms, to_ms)]


def test_message_flies_at_its_moment_after_an_interruption(broadcast: Broadcast, began_at: datetime) -> None:
    for text, after_s in (("first", 1.5), ("while away", 15), ("back again", 30)):
        post(broadcast, text, began_at + timedelta(seconds=after_s))

    assert broadcast.recording
    assert offsets(broadcast.recording) == [("first", 1500), ("back again", 10_000)]
    assert offsets(broadcast.recording, from_ms=5000) == [("back again", 10_000)]


def test_long_messages_and_messages_with_links_do_not_fly(broadcast: Broadcast, began_at: datetime) -> None:
    texts = ("https://lamps.example/", "see www.lamps.example", "啊" * 100, "啊" * MOST_LETTERS)
    for second, text in enumerate(texts, start=1):
        post(broadcast, text, began_at + timedelta(seconds=second))

    assert broadcast.recording
    assert offsets(broadcast.recording) == [("啊" * MOST_LETTERS, 4000)]


def test_deleted_message_does_not_fly(broadcast: Broadcast, began_at: datetime) -> None:
    post(broadcast, "gone", began_at + timedelta(seconds=1), deleted_at=timezone.now())

    assert broadcast.recording
    assert offsets(broadcast.recording) == []


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_removal_and_restoration_reach_an_open_replay(broadcast: Broadcast, began_at: datetime) -> None:
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    message: ChatMessage = await sync_to_async(ChatMessageFactory)(
        stream=broadcast.stream, broadcast=broadcast, sent_at=began_at + timedelta(seconds=1)
    )
    assert broadcast.recording

    changes = [
        *await heard(broadcast.recording, lambda: remove_message(message, moderator)),
        *await heard(broadcast.recording, lambda: restore_message(message, moderator)),
    ]

    about = {"kind": "danmaku", "ids": [message.public_id]}
    assert changes == [{"type": "taken", **about}, {"type": "restored", **about}]


def test_uploaded_video_has_no_chat(broadcast: Broadcast) -> None:
    assert offsets(VideoFactory()) == []
