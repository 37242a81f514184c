"""Tests of moderating streams and chat through reports and the desk."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import charts, moderation, notifications
from accounts.models import Decision, Notification, User
from accounts.tests.factories import UserFactory
from live.chat import log, stored
from live.edge import control
from live.models import Broadcast, ChatMessage
from live.services import allow_live
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


@pytest.fixture
def moderator() -> User:
    user: User = UserFactory(is_superuser=True, is_staff=True)
    return user


def test_reported_message_is_removed_and_restored(moderator: User) -> None:
    message = ChatMessageFactory()
    moderation.report(
        by=UserFactory(), target_type="chat_message", target_id=message.public_id, reason="spam"
    )

    moderation.act("chat_message", message.public_id, by=moderator, action="remove", reason="spam")
    message.refresh_from_db()
    removed_at = message.deleted_at
    moderation.put_back("chat_message", message.public_id, by=moderator)
    message.refresh_from_db()

    assert removed_at is not None
    assert message.deleted_at is None


def test_ban_clears_the_last_days_messages_and_undoing_it_restores_them(moderator: User) -> None:
    author, stream = UserFactory(), StreamFactory()
    old, taken, first, last = (
        ChatMessageFactory(user=author, stream=stream, **more)
        for more in ({"sent_at": timezone.now() - timedelta(days=2)}, {"deleted_at": timezone.now()}, {}, {})
    )
    other = ChatMessageFactory(stream=stream)

    decision = moderation.decide_about(author, by=moderator, action="ban")
    shown_meanwhile = [event.id for event in stored.last_messages(stream.pk, 10)]
    moderation.undo(decision, by=moderator)

    cleared, *restored = [json.loads(entry.event) for entry in log.recent(stream)]
    assert cleared == {"type": "user_cleared", "username": author.username}
    assert [event["type"] for event in restored] == ["message_restored"] * 2
    assert [event["message"]["text"] for event in restored] == [first.text, last.text]
    assert shown_meanwhile == [other.public_id]
    standing = ChatMessage.objects.filter(deleted_at=None)
    assert set(standing) == {old, first, last, other}
    assert taken not in standing


def test_suspending_and_allowing_a_stream_leave_decisions_and_notify_the_streamer(moderator: User) -> None:
    broadcast = BroadcastFactory()
    stream = broadcast.stream
    admin = Client()
    admin.force_login(moderator)
    page = reverse("admin:live_stream_changelist")

    admin.post(page, {"action": "suspend", "_selected_action": str(stream.pk)})
    stream.refresh_from_db()
    suspended = stream.is_suspended
    admin.post(page, {"action": "restore", "_selected_action": str(stream.pk)})
    stream.refresh_from_db()

    assert (suspended, stream.is_suspended) == (True, False)
    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.SUSPENDED
    decided = Decision.objects.order_by("pk").values_list("action", "moderator", "person")
    owner = stream.channel.owner
    assert list(decided) == [("hide", moderator.pk, owner.pk), ("undo", moderator.pk, owner.pk)]
    told = [notifications.sentence(each) for each in Notification.objects.filter(person=owner).order_by("pk")]
    assert told == [
        "Moderators suspended your channel from going live: Other",
        "Your channel may go live again.",
    ]


def test_stream_suspended_without_a_decision_is_allowed_again(moderator: User) -> None:
    stream = StreamFactory(is_suspended=True)

    allow_live(stream, by=moderator)

    stream.refresh_from_db()
    assert not stream.is_suspended


def test_broadcast_ended_by_a_moderator_leaves_a_decision(moderator: User) -> None:
    broadcast = BroadcastFactory()
    client = APIClient()
    client.force_authenticate(moderator)

    answer = client.post(f"/api/v1/live/{broadcast.stream.username}/end/")

    broadcast.refresh_from_db()
    assert (answer.status_code, broadcast.ending) == (204, Broadcast.Ending.SUSPENDED)
    assert Decision.objects.get(case__target_id=broadcast.public_id).action == "remove"


def test_refused_decision_about_a_broadcast_leaves_it_running(
    moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = BroadcastFactory()
    ended: list[str] = []
    monkeypatch.setattr(control, "end", ended.append)
    monkeypatch.setattr(notifications, "notify", mock.Mock(side_effect=DatabaseError))

    with pytest.raises(DatabaseError):
        moderation.act("broadcast", broadcast.public_id, by=moderator, action="remove")

    broadcast.refresh_from_db()
    assert (broadcast.status, ended) == (Broadcast.Status.LIVE, [])


def test_desk_shows_the_messages_around_a_message() -> None:
    stream = StreamFactory()
    messages = [ChatMessageFactory(stream=stream) for _ in range(3)]
    kind = moderation.kind_named("chat_message")
    assert kind

    assert kind.context(messages[1])["around"] == messages


def test_desk_has_a_page_for_a_message_and_for_a_broadcast(moderator: User) -> None:
    stream = StreamFactory(title="Testing the air")
    before, message = (
        ChatMessageFactory(stream=stream, text=text) for text in ("said before", "buy <lamps>")
    )
    broadcast = BroadcastFactory(stream=stream)
    browser = Client()
    browser.force_login(moderator)

    pages = []
    for kind, target in (("chat_message", message), ("broadcast", broadcast)):
        case = moderation.open_case(kind, target.public_id, by=moderator)
        pages.append(browser.get(f"/admin/accounts/case/{case.pk}/change/").content.decode())

    assert "buy &lt;lamps&gt;" in pages[0]
    lines = re.findall(
        r'<li class="([^"]*)"[^>]*>.*?<span class="desk-said">(.*?)</span>', pages[0], re.DOTALL
    )
    assert lines == [("", before.text), ("is-reported", "buy &lt;lamps&gt;")]
    # Messages can be removed, but not hidden.
    assert re.search(r'value="hide"[^>]*disabled', pages[0])
    assert not re.search(r'<option value="hidden"', pages[0])
    assert f"<span>@{stream.username}</span>" in pages[0]
    assert "Watch it live" in pages[1]
    assert "0 peak viewers" in pages[1]


def test_reported_broadcast_is_taken_off_the_air(moderator: User) -> None:
    broadcast = BroadcastFactory()

    moderation.act("broadcast", broadcast.public_id, by=moderator, action="remove", reason="violence")

    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.SUSPENDED


@pytest.mark.parametrize("kind", ["chat_message", "broadcast"])
def test_hidden_targets_cannot_be_reported(kind: str) -> None:
    stream = StreamFactory(visibility="private")
    target: Any = {
        "chat_message": ChatMessageFactory(stream=stream),
        "broadcast": BroadcastFactory(stream=stream),
    }[kind]
    found = moderation.kind_named(kind)
    assert found

    assert found.find(target.public_id, UserFactory()) is None
    assert found.find(target.public_id, stream.channel.owner) == target


def test_charts_count_broadcasts_and_messages() -> None:
    BroadcastFactory()
    ChatMessageFactory()

    drawn = {
        chart["name"]: chart["lines"][0]["counts"][-1] for chart in charts.read(lambda _: True)["charts"]
    }

    assert (drawn["live"], drawn["chat"]) == (1, 1)


def test_admin_shows_a_broadcast_in_words(moderator: User) -> None:
    source = {"width_px": 1920, "height_px": 1080, "frame_rate": 29.97, "video_bitrate_bps": 4_500_000}
    rendition = {"name": "r0", "width_px": 1280, "height_px": 720, "bitrate_bps": 2_400_000, "codecs": "avc1"}
    broadcast = BroadcastFactory(source_json=source, renditions_json=[rendition])
    browser = Client()
    browser.force_login(moderator)

    page = browser.get(f"/admin/live/broadcast/{broadcast.pk}/change/").content.decode()

    assert "1920 × 1080 · 29.97 fps · 4.5 Mb/s" in page
    assert "1280 × 720 · 2.4 Mb/s · avc1" in page
    assert "width_px" not in page
