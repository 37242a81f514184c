"""Tests of notifications: rows, sentences, socket, API and pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts import moderation, notifications, outbox, services
from accounts.consumers import NotificationConsumer
from accounts.models import Notification, OutboxEntry, User
from accounts.notifications import detail, notify, sentence
from accounts.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

API = "/api/v1/notifications/"
Kind = Notification.Kind


def notify_times(person: User, count: int = 1) -> None:
    for number in range(count):
        notify(person=person, kind=Kind.VIDEO_READY, data={"title": f"Lamps {number}"}, url="/watch/a/")


def as_user(person: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Kind.REPLY, {"name": "Mara", "title": "Lamps"}, "Mara replied to you on “Lamps”"),
        (Kind.MENTION, {"name": "Mara", "title": "Lamps"}, "Mara mentioned you on “Lamps”"),
        (Kind.FOLLOW, {"name": "Mara"}, "Mara followed you"),
        (Kind.VIDEO_READY, {"title": "100 % lamps"}, "“100 % lamps” is ready to watch"),
        (Kind.VIDEO_FAILED, {"title": "Lamps"}, "“Lamps” could not be processed"),
        (Kind.CHANNEL_LIVE, {"name": "Mara", "title": "Lamps"}, "Mara is live: Lamps"),
        (
            Kind.MODERATION,
            {"action": "suspend", "until": "2026-03-01T12:00:00+00:00", "reason": "hate"},
            "Your account is suspended until Mar 1, 2026 12:00 UTC: Hate speech",
        ),
        (Kind.MODERATION, {"action": "ban"}, "Your account is banned: Other"),
        (
            Kind.MODERATION,
            {"action": "undo", "title": "A"},
            "Moderators reversed their decision about “A”",
        ),
        (Kind.MODERATION, {"action": "undo"}, "Moderators restored your account. Welcome back."),
    ],
)
def test_sentence_is_made_from_the_data(kind: str, data: dict[str, Any], expected: str) -> None:
    assert sentence(Notification(kind=kind, data=data)) == expected


def test_end_of_suspension_is_a_localizable_time_element() -> None:
    data = {"action": "suspend", "until": "2026-03-01T12:00:00+00:00", "reason": "hate"}

    html = notifications.sentence_html(Notification(kind=Kind.MODERATION, data=data))

    assert html == (
        'Your account is suspended until <time datetime="2026-03-01T12:00:00+00:00" '
        'data-local="datetime">Mar 1, 2026 12:00 UTC</time>: Hate speech'
    )


def test_names_and_titles_are_escaped_in_html() -> None:
    data = {"name": "<b>Mara</b>", "title": "a & b 100 %"}

    html = notifications.sentence_html(Notification(kind=Kind.REPLY, data=data))

    assert html == "&lt;b&gt;Mara&lt;/b&gt; replied to you on “a &amp; b 100 %”"


def test_every_kind_has_a_sentence_and_an_icon() -> None:
    from accounts.templatetags.notifications import icon_name

    for kind in Kind.values:
        assert sentence(Notification(kind=kind))
        assert icon_name(Notification(kind=kind))


def test_detail_is_the_comment_s_text() -> None:
    assert detail(Notification(kind=Kind.REPLY, data={"text": "Nice"})) == "Nice"
    assert detail(Notification(kind=Kind.FOLLOW)) == ""


def test_notification_with_the_same_key_is_dropped() -> None:
    person = UserFactory()

    for _time in range(2):
        notify(person=person, kind=Kind.FOLLOW, data={"name": "Mara"}, key="follow:7")

    assert Notification.objects.count() == 1


def test_repeated_follow_notifies_the_owner_once() -> None:
    channel, follower = UserFactory(username="mara").channel, UserFactory(username="noor")

    for _time in range(2):
        services.follow(user=follower, channel=channel)
        services.unfollow(user=follower, channel=channel)

    notified = Notification.objects.get()
    assert (notified.person, sentence(notified), notified.url) == (
        channel.owner,
        "noor followed you",
        "/@noor/",
    )


def test_oldest_notifications_are_deleted_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.KEPT", 2)
    person = UserFactory()

    notify_times(person, 4)

    kept = Notification.objects.of(person).values_list("data__title", flat=True)
    assert list(kept) == ["Lamps 3", "Lamps 2"]


def test_notifying_several_people_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    people = [UserFactory().pk for _person in range(3)]

    with django_assert_num_queries(1):
        notifications.notify_all(people, kind=Kind.CHANNEL_LIVE, data={"name": "Mara"})


def test_followers_are_notified_in_batches_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 2)
    channel = UserFactory().channel
    people = [UserFactory() for _person in range(5)]
    for person in people:
        services.follow(user=person, channel=channel)
    services.set_active(user=people[0], active=False, by=None)
    Notification.objects.all().delete()
    first = [channel.pk, Kind.CHANNEL_LIVE, {"name": "Mara"}, "/@mara/live/", "event:b1", 0]

    again, batches = notifications.notify_follower_batch(*first), 1
    while again is not None:
        again = notifications.notify_follower_batch(*again)
        batches += 1
    notifications.notify_follower_batch(*first)  # a repeated call

    assert batches == 3
    assert sorted(Notification.objects.values_list("person", flat=True)) == [p.pk for p in people[1:]]


def test_followers_are_notified_by_one_outbox_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 2)
    channel = UserFactory().channel
    for _person in range(5):
        services.follow(user=UserFactory(), channel=channel)
    notified = {"kind": Kind.CHANNEL_LIVE, "data": {"name": "Mara"}, "url": "/@mara/live/", "key": "event:b1"}

    notifications.notify_followers(channel, **notified)  # type: ignore[arg-type]
    batches = 0
    while OutboxEntry.objects.exists():
        outbox.work()
        batches += 1

    assert batches == 3
    assert Notification.objects.filter(kind=Kind.CHANNEL_LIVE).count() == 5


def test_prune_deletes_old_and_excess_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.KEPT", 3)
    old, busy = UserFactory(), UserFactory()
    notify_times(old, 1)
    Notification.objects.update(created_at=timezone.now() - timedelta(days=91))
    notifications.notify_all([busy.pk] * 5, kind=Kind.FOLLOW, data={})

    notifications.prune()

    assert Notification.objects.of(old).count() == 0
    assert Notification.objects.of(busy).count() == 3


def test_person_whose_notifications_cannot_be_pruned_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("accounts.notifications.KEPT", 1)
    bad, good = UserFactory(), UserFactory()
    notifications.notify_all([bad.pk, good.pk], kind=Kind.FOLLOW, data={})
    notifications.notify_all([bad.pk, good.pk], kind=Kind.FOLLOW, data={})
    make_room = notifications._make_room

    def fail_for_one(person_id: int) -> None:
        if person_id == bad.pk:
            raise ValueError("broken row")
        make_room(person_id)

    monkeypatch.setattr(notifications, "_make_room", fail_for_one)

    notifications.prune()

    assert [Notification.objects.of(person).count() for person in (bad, good)] == [2, 1]


def test_api_lists_own_notifications_newest_first_in_the_request_s_language() -> None:
    person = UserFactory()
    notify_times(person, 2)
    notify_times(UserFactory())

    body = as_user(person).get(API, headers={"Accept-Language": "en"}).json()

    assert body["unread_count"] == 2
    assert [row["sentence"] for row in body["results"]] == [
        "“Lamps 1” is ready to watch",
        "“Lamps 0” is ready to watch",
    ]
    assert body["results"][0] | {"id": "", "created_at": ""} == {
        "id": "",
        "kind": "video_ready",
        "sentence": "“Lamps 1” is ready to watch",
        "detail": "",
        "url": "/watch/a/",
        "data": {"title": "Lamps 1"},
        "is_read": False,
        "created_at": "",
    }
    assert APIClient().get(API).status_code == 401


def test_some_or_all_own_notifications_are_marked_read() -> None:
    person, other = UserFactory(), UserFactory()
    notify_times(person, 3)
    notify_times(other)
    client = as_user(person)
    newest = client.get(API).json()["results"][0]["id"]
    others = str(Notification.objects.of(other).get().pk)

    bodies: list[dict[str, Any]] = [{"ids": [newest, others]}, {"ids": []}, {}]
    answers = [client.post(f"{API}read/", body).json() for body in bodies]

    assert answers == [{"unread_count": 2}, {"unread_count": 2}, {"unread_count": 0}]
    assert notifications.unread_count(other) == 1


@pytest.mark.parametrize("body", [{"ids": ["x"]}, {"ids": ["9" * 30]}, {"ids": "1"}, [], {"ids": [None]}])
def test_invalid_ids_mark_nothing_read(body: Any) -> None:
    person = UserFactory()
    notify_times(person)

    assert as_user(person).post(f"{API}read/", body).status_code == 400
    assert notifications.unread_count(person) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_list_query_counts_are_constant(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person = UserFactory()
    notify_times(person, count)
    client = Client()
    client.force_login(person)

    with django_assert_num_queries(2):  # the page of notifications, and the unread count
        as_user(person).get(API)
    with django_assert_num_queries(3):  # with session and person
        client.get("/notifications/recent/")
    with django_assert_num_queries(6):  # and the count, the unread count and the person's channel
        client.get("/notifications/")


def test_page_shows_notifications_and_marks_them_read() -> None:
    person = UserFactory()
    notify(person=person, kind=Kind.REPLY, data={"name": "<b>", "title": "Lamps", "text": "<script>"})
    client = Client()
    client.force_login(person)

    html = client.get("/notifications/").content.decode()
    client.post("/notifications/")

    assert "&lt;b&gt; replied to you on “Lamps”" in html
    assert "&lt;script&gt;" in html
    assert notifications.unread_count(person) == 0
    assert "Mark all as read" not in client.get("/notifications/").content.decode()


def test_empty_page_explains_itself() -> None:
    client = Client()
    client.force_login(UserFactory())

    assert "No notifications yet" in client.get("/notifications/").content.decode()
    assert "No notifications yet" in client.get("/notifications/recent/").content.decode()


def test_anonymous_visitor_is_redirected_to_sign_in() -> None:
    for path in ("/notifications/", "/notifications/recent/", "/report/channel/mara/"):
        assert Client().get(path).status_code == 302


def test_bell_adds_no_query_to_a_page(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = UserFactory()
    notify_times(person, 3)
    client = Client()
    client.force_login(person)
    # Session, person, channel, broadcasts, videos, those to continue, those of followed channels,
    # those that trend.
    with django_assert_num_queries(8):
        html = client.get("/").content.decode()

    assert "<notification-bell>" in html
    assert "<notification-bell>" not in Client().get("/").content.decode()


def listening(user: Any) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(NotificationConsumer.as_asgi(), "/ws/notifications/")
    socket.scope["user"] = user
    return socket


@pytest.mark.django_db(transaction=True)
async def test_ban_closes_the_bell_s_socket() -> None:
    person = await sync_to_async(UserFactory)()
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    socket = listening(person)
    await socket.connect()
    await socket.receive_json_from()

    await sync_to_async(moderation.decide_about)(person, by=moderator, action="ban")

    assert await socket.receive_output(timeout=5) == {"type": "websocket.close", "code": 1012}


@pytest.mark.django_db(transaction=True)
async def test_bell_sends_the_count_after_notifications_and_reads() -> None:
    person = await sync_to_async(UserFactory)()
    socket = listening(person)
    await socket.connect()
    first = await socket.receive_json_from()

    await sync_to_async(notify_times)(person, 2)
    notified = await socket.receive_json_from(timeout=5)
    await sync_to_async(notifications.mark_read)(person)
    read = await socket.receive_json_from(timeout=5)
    await socket.disconnect()

    assert [first, notified, read] == [{"type": "unread", "count": count} for count in (0, 2, 0)]


@pytest.mark.django_db(transaction=True)
async def test_anonymous_bell_is_closed_with_a_code() -> None:
    socket = listening(AnonymousUser())
    await socket.connect()

    assert await socket.receive_output() == {"type": "websocket.close", "code": 4001}
