"""Telling people, and what they read of it: rows, sentences, socket, API and pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from accounts import moderation, notifications, services, tasks
from accounts.consumers import NotificationConsumer
from accounts.models import Notification, User
from accounts.notifications import detail, notify, sentence
from accounts.tests.factories import UserFactory
from videoplatform.celery import app

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

API = "/api/v1/notifications/"
Kind = Notification.Kind


def tell(person: User, count: int = 1) -> None:
    for number in range(count):
        notify(person=person, kind=Kind.VIDEO_READY, data={"title": f"Lamps {number}"}, url="/watch/a/")


def as_user(person: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


# --- Telling --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (Kind.REPLY, {"name": "Mara", "title": "Lamps"}, "Mara replied to you under “Lamps”"),
        (Kind.MENTION, {"name": "Mara", "title": "Lamps"}, "Mara mentioned you under “Lamps”"),
        (Kind.FOLLOW, {"name": "Mara"}, "Mara follows you"),
        (Kind.VIDEO_READY, {"title": "100 % lamps"}, "“100 % lamps” is ready"),
        (Kind.VIDEO_FAILED, {"title": "Lamps"}, "“Lamps” could not be prepared"),
        (Kind.CHANNEL_LIVE, {"name": "Mara", "title": "Lamps"}, "Mara is live: Lamps"),
        (
            Kind.MODERATION,
            {"action": "suspend", "until": "2026-03-01T12:00:00+00:00", "reason": "hate"},
            "Your account is suspended until March 1, 2026, noon: Hate against a group",
        ),
        (Kind.MODERATION, {"action": "ban"}, "Your account is closed: Something else"),
        (
            Kind.MODERATION,
            {"action": "undo", "title": "A"},
            "Moderators took back what they had decided about “A”",
        ),
        (Kind.MODERATION, {"action": "undo"}, "Moderators opened your account again. Welcome back."),
    ],
)
def test_a_sentence_is_made_of_what_is_known(kind: str, data: dict[str, Any], said: str) -> None:
    assert sentence(Notification(kind=kind, data=data)) == said


def test_every_kind_has_a_sentence_and_an_icon() -> None:
    from accounts.templatetags.notifications import icon_name

    for kind in Kind.values:
        assert sentence(Notification(kind=kind))
        assert icon_name(Notification(kind=kind))


def test_the_second_line_is_what_was_written() -> None:
    assert detail(Notification(kind=Kind.REPLY, data={"text": "Nice"})) == "Nice"
    assert detail(Notification(kind=Kind.FOLLOW)) == ""


def test_what_is_told_twice_is_told_once() -> None:
    person = UserFactory()

    for _time in range(2):
        notify(person=person, kind=Kind.FOLLOW, data={"name": "Mara"}, key="follow:7")

    assert Notification.objects.count() == 1


def test_a_follower_is_told_once_however_often_they_come_back() -> None:
    channel, follower = UserFactory(username="mara").channel, UserFactory(username="noor")

    for _time in range(2):
        services.follow(user=follower, channel=channel)
        services.unfollow(user=follower, channel=channel)

    told = Notification.objects.get()
    assert (told.person, sentence(told), told.url) == (channel.owner, "noor follows you", "/@noor/")


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.KEPT", 2)
    person = UserFactory()

    tell(person, 4)

    kept = Notification.objects.of(person).values_list("data__title", flat=True)
    assert list(kept) == ["Lamps 3", "Lamps 2"]


def test_telling_costs_the_same_however_many_people(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    people = [UserFactory().pk for _person in range(3)]

    with django_assert_num_queries(1):
        notifications.tell(people, kind=Kind.CHANNEL_LIVE, data={"name": "Mara"})


def test_followers_are_told_in_batches_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 2)
    channel = UserFactory().channel
    people = [UserFactory() for _person in range(5)]
    for person in people:
        services.follow(user=person, channel=channel)
    services.set_active(user=people[0], active=False, by=None)
    Notification.objects.all().delete()
    asked: dict[str, Any] = {
        "kind": Kind.CHANNEL_LIVE,
        "data": {"name": "Mara"},
        "url": "/@mara/live/",
        "key": "live:b1",
    }

    after, batches = notifications.tell_some_followers(channel.pk, 0, **asked), 1
    while after is not None:
        after = notifications.tell_some_followers(channel.pk, after, **asked)
        batches += 1
    notifications.tell_some_followers(channel.pk, 0, **asked)  # a task that came twice

    assert batches == 3
    assert sorted(Notification.objects.values_list("person", flat=True)) == [p.pk for p in people[1:]]


def test_a_worker_tells_batch_after_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.FOLLOWERS_AT_ONCE", 2)
    monkeypatch.setitem(app.conf, "task_always_eager", True)
    channel = UserFactory().channel
    for _person in range(5):
        services.follow(user=UserFactory(), channel=channel)

    tasks.tell_followers.delay(channel.pk, Kind.CHANNEL_LIVE, {"name": "Mara"}, "/@mara/live/", "live:b1")

    assert Notification.objects.filter(kind=Kind.CHANNEL_LIVE).count() == 5


def test_a_worker_is_woken_when_what_it_will_read_is_committed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    channel = UserFactory().channel
    told = {"kind": Kind.CHANNEL_LIVE, "data": {}, "url": "/", "key": "live:b1"}

    with django_capture_on_commit_callbacks(execute=True), redis.Redis.from_url(settings.REDIS_URL) as broker:
        notifications.tell_followers(channel, **told)  # type: ignore[arg-type]
        before = broker.llen("default")

    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        assert (before, broker.llen("default")) == (0, 1)


def test_what_is_old_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.notifications.KEPT", 3)
    old, busy = UserFactory(), UserFactory()
    tell(old, 1)
    Notification.objects.update(created_at=timezone.now() - timedelta(days=91))
    notifications.tell([busy.pk] * 5, kind=Kind.FOLLOW, data={})

    notifications.prune()

    assert Notification.objects.of(old).count() == 0
    assert Notification.objects.of(busy).count() == 3


# --- The API --------------------------------------------------------------------------


def test_notifications_are_one_s_own_newest_first_in_one_s_language() -> None:
    person = UserFactory()
    tell(person, 2)
    tell(UserFactory())

    body = as_user(person).get(API, headers={"Accept-Language": "en"}).json()

    assert body["unread_count"] == 2
    assert [row["sentence"] for row in body["results"]] == ["“Lamps 1” is ready", "“Lamps 0” is ready"]
    assert body["results"][0] | {"id": "", "created_at": ""} == {
        "id": "",
        "kind": "video_ready",
        "sentence": "“Lamps 1” is ready",
        "detail": "",
        "url": "/watch/a/",
        "data": {"title": "Lamps 1"},
        "is_read": False,
        "created_at": "",
    }
    assert APIClient().get(API).status_code == 401


def test_some_or_all_are_marked_read_and_only_one_s_own() -> None:
    person, other = UserFactory(), UserFactory()
    tell(person, 3)
    tell(other)
    client = as_user(person)
    newest = client.get(API).json()["results"][0]["id"]
    others = str(Notification.objects.of(other).get().pk)

    bodies: list[dict[str, Any]] = [{"ids": [newest, others]}, {"ids": []}, {}]
    answers = [client.post(f"{API}read/", body).json() for body in bodies]

    assert answers == [{"unread_count": 2}, {"unread_count": 2}, {"unread_count": 0}]
    assert notifications.unread_count(other) == 1


@pytest.mark.parametrize("body", [{"ids": ["x"]}, {"ids": ["9" * 30]}, {"ids": "1"}, [], {"ids": [None]}])
def test_nonsense_marks_nothing_read(body: Any) -> None:
    person = UserFactory()
    tell(person)

    assert as_user(person).post(f"{API}read/", body).status_code == 400
    assert notifications.unread_count(person) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_lists_cost_the_same_however_long(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person = UserFactory()
    tell(person, count)
    client = Client()
    client.force_login(person)

    with django_assert_num_queries(2):  # and how many are unread
        as_user(person).get(API)
    with django_assert_num_queries(3):  # with session and person
        client.get("/notifications/recent/")
    with django_assert_num_queries(6):  # and the count, the unread and the person's channel
        client.get("/notifications/")


# --- Pages ----------------------------------------------------------------------------


def test_the_page_shows_them_and_marks_them_read() -> None:
    person = UserFactory()
    notify(person=person, kind=Kind.REPLY, data={"name": "<b>", "title": "Lamps", "text": "<script>"})
    client = Client()
    client.force_login(person)

    html = client.get("/notifications/").content.decode()
    client.post("/notifications/")

    assert "&lt;b&gt; replied to you under “Lamps”" in html
    assert "&lt;script&gt;" in html
    assert notifications.unread_count(person) == 0
    assert "Mark all as read" not in client.get("/notifications/").content.decode()


def test_an_empty_page_says_what_will_be_here() -> None:
    client = Client()
    client.force_login(UserFactory())

    assert "Nothing yet" in client.get("/notifications/").content.decode()
    assert "Nothing yet" in client.get("/notifications/recent/").content.decode()


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/notifications/", "/notifications/recent/", "/report/channel/mara/"):
        assert Client().get(path).status_code == 302


def test_a_page_with_the_bell_asks_nothing_more_of_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = UserFactory()
    tell(person, 3)
    client = Client()
    client.force_login(person)
    with django_assert_num_queries(5):  # session, person, channel, who is live, videos
        html = client.get("/").content.decode()

    assert "<notification-bell>" in html
    assert "<notification-bell>" not in Client().get("/").content.decode()


# --- The socket -----------------------------------------------------------------------


def listening(user: Any) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(NotificationConsumer.as_asgi(), "/ws/notifications/")
    socket.scope["user"] = user
    return socket


@pytest.mark.django_db(transaction=True)
async def test_the_bell_is_silent_while_its_person_is_locked_out() -> None:
    person = await sync_to_async(UserFactory)()
    moderator = await sync_to_async(UserFactory)(is_superuser=True)
    socket = listening(person)
    await socket.connect()
    await socket.receive_json_from()

    await sync_to_async(moderation.decide_about)(person, by=moderator, action="ban")
    assert await socket.receive_nothing(timeout=1.5)
    await sync_to_async(moderation.forgive)(person, by=moderator)

    assert await socket.receive_json_from(timeout=5) == {"type": "unread", "count": 2}
    await socket.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_the_bell_rings_when_something_is_told_and_when_it_is_read() -> None:
    person = await sync_to_async(UserFactory)()
    socket = listening(person)
    await socket.connect()
    first = await socket.receive_json_from()

    await sync_to_async(tell)(person, 2)
    told = await socket.receive_json_from(timeout=5)
    await sync_to_async(notifications.mark_read)(person)
    read = await socket.receive_json_from(timeout=5)
    await socket.disconnect()

    assert [first, told, read] == [{"type": "unread", "count": count} for count in (0, 2, 0)]


@pytest.mark.django_db(transaction=True)
async def test_nobody_s_bell_is_closed_with_a_code() -> None:
    socket = listening(AnonymousUser())
    await socket.connect()

    assert await socket.receive_output() == {"type": "websocket.close", "code": 4001}
