"""Tests of moderating streams and chat through reports and the desk."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import charts, moderation, notifications
from accounts.models import Case, Decision, Notification, Sanction, User
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from live.chat import log, stored
from live.edge import control
from live.models import Broadcast, ChatMessage, Stream
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
    moderation.undo_latest("chat_message", message.public_id, by=moderator)
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


def on_streams(moderator: User, action: str, stream: Stream) -> None:
    admin = Client()
    admin.force_login(moderator)
    admin.post(
        reverse("admin:live_stream_changelist"), {"action": action, "_selected_action": str(stream.pk)}
    )
    stream.refresh_from_db()


def test_suspending_and_allowing_a_stream_leave_decisions_and_notify_the_streamer(moderator: User) -> None:
    broadcast = BroadcastFactory()
    stream = broadcast.stream

    on_streams(moderator, "suspend", stream)
    suspended = stream.is_suspended
    on_streams(moderator, "lift_suspension", stream)

    assert (suspended, stream.is_suspended) == (True, False)
    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.SUSPENDED
    owner = stream.channel.owner
    hidden, undone = Decision.objects.order_by("pk")
    assert (hidden.action, hidden.moderator, hidden.person) == ("hide", moderator, owner)
    assert (undone.action, undone.undoes) == ("undo", hidden)
    sentences = [
        notifications.sentence(each) for each in Notification.objects.filter(person=owner).order_by("pk")
    ]
    assert sentences == [
        "Moderators suspended your channel from going live: Other",
        "Your channel may go live again.",
    ]


def test_stream_is_suspended_again_after_it_was_allowed(moderator: User) -> None:
    stream = StreamFactory()

    for action in ("suspend", "lift_suspension", "suspend"):
        on_streams(moderator, action, stream)

    assert stream.is_suspended


def test_stream_suspended_without_a_decision_is_allowed_again(moderator: User) -> None:
    stream = StreamFactory(is_suspended=True)

    on_streams(moderator, "lift_suspension", stream)

    assert not stream.is_suspended


@pytest.mark.parametrize(("first", "content"), [("suspend", ""), ("lift_suspension", "hidden")])
def test_allowing_a_stream_leaves_other_decisions_about_it_in_force(
    moderator: User, first: str, content: str
) -> None:
    stream = StreamFactory()
    on_streams(moderator, first, stream)
    case = moderation.open_case("stream", str(stream.pk), by=moderator)
    day = timedelta(days=1)
    time_out = moderation.decide(case, by=moderator, action="time_out", duration=day, content=content)

    for _ in range(2):
        on_streams(moderator, "lift_suspension", stream)

    assert not stream.is_suspended
    assert Sanction.objects.in_force().filter(person=stream.channel.owner).exists()
    assert time_out in Decision.objects.standing()


def test_suspension_follows_the_stream_whose_owner_was_renamed(moderator: User) -> None:
    stream, other = StreamFactory(), StreamFactory()
    on_streams(moderator, "suspend", stream)
    owner = stream.channel.owner
    taken, owner.username = owner.username, "renamed"
    owner.save()
    User.objects.filter(pk=other.channel.owner_id).update(username=taken)

    moderation.undo(Decision.objects.get(), by=moderator)

    stream.refresh_from_db()
    assert not stream.is_suspended


def test_who_may_not_decide_does_not_suspend_a_stream() -> None:
    stream = StreamFactory()
    editor = UserFactory(is_staff=True)
    editor.user_permissions.add(*Permission.objects.filter(codename__in=["change_stream", "view_stream"]))

    on_streams(editor, "suspend", stream)

    assert not stream.is_suspended


def test_broadcast_ended_by_a_moderator_leaves_a_decision(moderator: User) -> None:
    broadcast = BroadcastFactory()

    answer = ended_by(moderator, broadcast)

    assert (answer, broadcast.ending) == (204, Broadcast.Ending.SUSPENDED)
    assert Decision.objects.get(case__target_id=broadcast.public_id).action == "remove"


def test_broadcast_is_ended_although_another_moderator_has_claimed_its_case(moderator: User) -> None:
    broadcast = BroadcastFactory()
    case = moderation.open_case("broadcast", broadcast.public_id, by=moderator)
    Case.objects.filter(pk=case.pk).update(status=Case.Status.OPEN)
    moderation.claim(case, by=UserFactory(is_superuser=True))

    assert ended_by(moderator, broadcast) == 204
    assert not broadcast.is_running


def test_broadcast_that_went_on_after_its_removal_is_ended_again(moderator: User) -> None:
    broadcast = BroadcastFactory()
    Broadcast.objects.update(status=Broadcast.Status.ENDED, ending=Broadcast.Ending.UNPUBLISHED)
    moderation.act("broadcast", broadcast.public_id, by=moderator, action="remove")
    broadcast.refresh_from_db()
    ending = broadcast.ending
    Broadcast.objects.update(status=Broadcast.Status.LIVE)

    assert ended_by(moderator, broadcast) == 204
    assert (ending, broadcast.is_running) == (Broadcast.Ending.SUSPENDED, False)


def ended_by(person: User, broadcast: Broadcast) -> int:
    client = APIClient()
    client.force_authenticate(person)
    status: int = client.post(f"/api/v1/live/{broadcast.stream.username}/end/").status_code
    broadcast.refresh_from_db()
    return status


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

    assert found.find(target.public_id, Viewer(UserFactory())) is None
    assert found.find(target.public_id, Viewer(stream.channel.owner)) == target


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
