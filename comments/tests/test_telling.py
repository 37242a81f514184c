"""Notifications about a comment."""

from __future__ import annotations

import pytest

from accounts.models import Notification, User
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.reply_notifications import SHOWN, notify_about
from comments.tests.factories import CommentFactory
from videos.models import Video

pytestmark = pytest.mark.django_db

Kind = Notification.Kind


@pytest.fixture
def bob(db: None) -> User:
    return UserFactory(username="Bob")


def told(comment: Comment, video: Video, answered: User | None = None) -> list[tuple[str, str]]:
    """Notify; return the people and the kinds of their notifications, by name."""
    notify_about(comment, video, answered=answered)
    rows = Notification.objects.order_by("person__username")
    return [(row.person.username, row.kind) for row in rows.select_related("person")]


def said(author: User, video: Video, *mentions: str, text: str = "Hello") -> Comment:
    comment: Comment = CommentFactory(author=author, target=video, text=text, mentions=list(mentions))
    return comment


def test_answered_person_and_mentioned_people_are_notified(alice: User, bob: User, video: Video) -> None:
    UserFactory(username="Carol")

    assert told(said(alice, video, "Carol"), video, answered=bob) == [
        ("Bob", Kind.REPLY),
        ("Carol", Kind.MENTION),
    ]


def test_answered_person_who_is_mentioned_is_notified_once(alice: User, bob: User, video: Video) -> None:
    assert told(said(alice, video, "Bob"), video, answered=bob) == [("Bob", Kind.REPLY)]


def test_author_is_not_notified_of_own_words(alice: User, video: Video) -> None:
    assert told(said(alice, video, "Alice"), video, answered=alice) == []


def test_unknown_name_is_no_mention(alice: User, video: Video) -> None:
    assert told(said(alice, video, "Nobody"), video) == []


def test_locked_person_is_not_notified(alice: User, video: Video) -> None:
    locked = UserFactory(username="Dave", is_active=False)

    assert told(said(alice, video, "Dave"), video, answered=locked) == []


def test_people_who_may_not_see_the_video_are_not_notified(alice: User, bob: User, video: Video) -> None:
    Video.objects.update(visibility=Video.Visibility.PRIVATE)
    video.refresh_from_db()

    assert told(said(alice, video, "Bob", "creator"), video) == [("creator", Kind.MENTION)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * SHOWN, "x" * SHOWN), ("x" * (SHOWN + 1), "x" * (SHOWN - 1) + "…")],
    ids=["short enough", "too long"],
)
def test_notification_shows_the_beginning_of_the_comment(
    text: str, shown: str, alice: User, bob: User, video: Video
) -> None:
    comment = said(alice, video, text=text)

    notify_about(comment, video, answered=bob)

    found = Notification.objects.get()
    assert found.data == {"name": alice.channel.name, "title": str(video), "text": shown}
    assert found.url == comment.get_absolute_url()
