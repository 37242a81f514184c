"""Tests of comment services: posting, editing, deleting, restoring and permissions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache

from accounts.models import Decision, User
from accounts.moderation import decide_about
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from comments import decisions, reportable, services
from comments.danmaku import writing
from comments.models import MAX_COMMENT, Comment
from comments.spam import rules
from comments.tests.conftest import long_ago
from comments.tests.factories import CommentFactory, DanmakuFactory
from common.errors import Refusal
from videos.models import Video
from videos.services import edit_video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def code_of(act: Callable[..., Any], **asked: Any) -> str:
    """Return the code of the error that ``act`` raises."""
    with pytest.raises(Refusal) as refused:
        act(**asked)
    return refused.value.code


def seen(video: Video, user: User | AnonymousUser) -> dict[str, str]:
    """Return the comments that ``user`` sees, by text; unreadable ones as a dash."""
    rows = Comment.objects.of(video).seen_by(user, can_moderate=video.can_moderate(user))
    return {row.text: row.text if row.is_readable else "–" for row in rows}


def test_comment_is_stored_as_plain_text_with_its_mentions(video: Video, alice: User) -> None:
    UserFactory(username="Bob")

    comment = services.post(target=video, author=alice, text="  @bob @nobody <b>look</b> at\r\n1:23 ")

    assert comment.text == "@bob @nobody <b>look</b> at\n1:23"
    assert comment.mentions == ["Bob"]
    assert not comment.is_held


def test_reply_to_a_reply_joins_the_root_s_thread(video: Video, alice: User, creator: User) -> None:
    root = services.post(target=video, author=alice, text="root")
    reply = services.post(target=video, author=creator, text="reply", parent=root)
    deeper = services.post(target=video, author=alice, text="deeper", parent=reply)

    assert (reply.parent, deeper.parent) == (root, root)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "blank"),
        (" \n\u200b", "blank"),
        ("x" * (MAX_COMMENT + 1), "max_length"),
        ("a\0", "forbidden_characters"),
    ],
)
def test_invalid_text_is_refused(video: Video, alice: User, text: str, code: str) -> None:
    assert code_of(services.post, target=video, author=alice, text=text) == code
    assert not Comment.objects.exists()


def test_closed_comments_refuse_posts_and_edits(video: Video, alice: User) -> None:
    comment = services.post(target=video, author=alice, text="before")
    edit_video(video, comments_mode="closed")

    assert code_of(services.post, target=video, author=alice, text="after") == "comments_closed"
    assert code_of(services.edit, comment=comment, by=alice, text="after") == "comments_closed"
    assert seen(video, AnonymousUser()) == {"before": "before"}


def test_reply_to_foreign_or_deleted_comment_is_refused(video: Video, alice: User, creator: User) -> None:
    elsewhere = CommentFactory(target=creator.channel)
    gone = CommentFactory(target=video)
    services.delete(comment=gone, by=creator)

    for parent in (elsewhere, gone):
        reply = {"target": video, "author": alice, "text": "hm", "parent": parent}
        assert code_of(services.post, **reply) == "does_not_exist"


def test_held_comment_is_visible_to_author_and_moderators_until_approved(
    video: Video, alice: User, creator: User, moderator: User
) -> None:
    edit_video(video, comments_mode="held")
    comment = services.post(target=video, author=alice, text="hello")
    services.post(target=video, author=creator, text="mine")

    everyone = [
        seen(video, user).get("hello") for user in (AnonymousUser(), UserFactory(), alice, creator, moderator)
    ]
    refused = code_of(services.approve, comment=comment, by=alice)
    services.approve(comment=comment, by=creator)

    assert everyone == [None, None, "hello", "hello", "hello"]
    assert refused == "permission_denied"
    assert seen(video, AnonymousUser()) == {"hello": "hello", "mine": "mine"}


def test_edited_comment_is_held_again_if_comments_are_held(video: Video, alice: User, creator: User) -> None:
    comment = services.post(target=video, author=alice, text="harmless")
    edit_video(video, comments_mode="held")

    services.edit(comment=comment, by=alice, text="not harmless")

    assert comment.edited_at
    assert comment.is_held


def test_only_the_author_edits_a_comment(video: Video, alice: User, creator: User, moderator: User) -> None:
    comment = services.post(target=video, author=alice, text="mine")

    for by in (creator, moderator):
        assert code_of(services.edit, comment=comment, by=by, text="yours") == "permission_denied"
    services.edit(comment=comment, by=alice, text="mine @creator")

    comment.refresh_from_db()
    assert (comment.text, comment.mentions) == ("mine @creator", ["creator"])


def silence_by_deleting(comment: Comment, creator: User, moderator: User) -> None:
    services.delete(comment=comment, by=creator)


def silence_by_hiding(comment: Comment, creator: User, moderator: User) -> None:
    services.hide(comment=comment, by=moderator)


def silence_by_suspending(comment: Comment, creator: User, moderator: User) -> None:
    User.objects.filter(comments=comment).update(is_active=False)


def silence_by_deleting_the_account(comment: Comment, creator: User, moderator: User) -> None:
    assert comment.author
    comment.author.delete()


@pytest.mark.parametrize(
    "silence",
    [silence_by_deleting, silence_by_hiding, silence_by_suspending, silence_by_deleting_the_account],
)
def test_removed_root_keeps_its_place_while_replies_are_readable(
    video: Video, creator: User, moderator: User, silence: Callable[[Comment, User, User], None]
) -> None:
    root, lonely = CommentFactory(target=video, text="root"), CommentFactory(target=video, text="lonely")
    reply = CommentFactory(parent=root, text="reply")
    for comment in (root, lonely):
        silence(comment, creator, moderator)

    with_reply = seen(video, AnonymousUser())
    silence(reply, creator, moderator)
    without = seen(video, AnonymousUser())

    assert with_reply == {"root": "–", "reply": "reply"}
    assert without == {}


def test_hidden_comment_is_visible_to_moderators_only_and_can_be_restored(
    video: Video, alice: User, creator: User, moderator: User
) -> None:
    comment = CommentFactory(target=video, author=alice, text="rude")
    refused = code_of(services.hide, comment=comment, by=creator)
    services.hide(comment=comment, by=moderator)
    hidden = [bool(seen(video, user)) for user in (AnonymousUser(), alice, creator, moderator)]
    services.restore(comment=comment, by=moderator)

    assert refused == "permission_denied"
    assert hidden == [False, False, False, True]
    assert seen(video, AnonymousUser()) == {"rude": "rude"}


def test_author_creator_and_moderator_can_delete_a_comment(
    video: Video, alice: User, creator: User, moderator: User
) -> None:
    comments = [CommentFactory(target=video, author=alice) for _ in range(3)]
    refused = code_of(services.delete, comment=comments[0], by=UserFactory())
    for comment, by in zip(comments, (alice, creator, moderator), strict=True):
        services.delete(comment=comment, by=by)

    assert refused == "permission_denied"
    assert list(Comment.objects.order_by("pk").values_list("deleted_by", flat=True)) == [
        alice.pk,
        creator.pk,
        moderator.pk,
    ]


def test_comments_are_deleted_with_their_video(video: Video) -> None:
    CommentFactory(parent=CommentFactory(target=video))

    video.delete()

    assert not Comment.objects.exists()


def test_like_counts_once_per_person_and_raises_the_score(video: Video, alice: User) -> None:
    comment, other = CommentFactory(target=video), CommentFactory(target=video)

    for _ in range(2):
        services.like(comment=comment, user=alice)
    comment.refresh_from_db()
    liked = (comment.like_count, comment.score > other.score)
    for _ in range(2):
        services.unlike(comment=comment, user=alice)
    comment.refresh_from_db()

    assert liked == (1, True)
    assert comment.like_count == 0


def test_creator_pins_at_most_one_comment(video: Video, alice: User, creator: User, moderator: User) -> None:
    first, second = CommentFactory(target=video, author=alice), CommentFactory(target=video)
    reply = CommentFactory(parent=second)
    refused = [code_of(services.pin, comment=first, by=by) for by in (alice, moderator)]
    services.pin(comment=first, by=creator)
    services.pin(comment=second, by=creator)

    assert refused == ["permission_denied"] * 2
    assert code_of(services.pin, comment=reply, by=creator) == "not_a_root"
    assert list(Comment.objects.filter(is_pinned=True)) == [second]
    services.delete(comment=second, by=creator)
    assert not Comment.objects.filter(is_pinned=True).exists()


def test_only_the_creator_gives_a_heart(video: Video, alice: User, creator: User) -> None:
    comment = CommentFactory(target=video, author=alice)

    assert code_of(services.give_heart, comment=comment, by=alice) == "permission_denied"
    services.give_heart(comment=comment, by=creator)
    assert comment.has_heart
    services.remove_heart(comment=comment, by=creator)
    assert not comment.has_heart


def notifications_of(person: User) -> list[tuple[str, str]]:
    return [(one.kind, one.data["text"]) for one in person.notifications.order_by("pk")]


def test_answered_and_mentioned_people_are_notified_once(video: Video, alice: User, creator: User) -> None:
    bob = UserFactory(username="bob")
    root = services.post(target=video, author=alice, text="hello @bob @Alice")
    reply = services.post(target=video, author=creator, text="hi @alice @bob", parent=root)
    services.post(target=video, author=bob, text="both", parent=reply)

    assert notifications_of(alice) == [("reply", "hi @alice @bob")]
    assert notifications_of(bob) == [("mention", "hello @bob @Alice"), ("mention", "hi @alice @bob")]
    assert notifications_of(creator) == [("reply", "both")]
    [first] = bob.notifications.filter(data__text=root.text)
    assert first.url == f"/watch/{video.public_id}/?comment={root.public_id}#comment-{root.public_id}"


def test_nobody_is_notified_of_held_comments_or_invisible_videos(
    video: Video, alice: User, creator: User
) -> None:
    edit_video(video, comments_mode="held")
    held = services.post(target=video, author=alice, text="hello @creator")
    before = notifications_of(creator)
    services.approve(comment=held, by=creator)
    Video.objects.update(visibility="private")
    video.refresh_from_db()
    services.post(target=video, author=creator, text="secret @alice")

    assert before == []
    assert notifications_of(creator) == [("mention", "hello @creator")]
    assert notifications_of(alice) == []


def test_timed_out_person_cannot_post_or_edit(video: Video, alice: User, moderator: User) -> None:
    comment = CommentFactory(target=video, author=alice)
    decide_about(alice, by=moderator, action="time_out", duration=timedelta(hours=1))

    assert code_of(services.post, target=video, author=alice, text="hm") == "may_not_speak"
    assert code_of(services.edit, comment=comment, by=alice, text="hm") == "may_not_speak"
    assert code_of(writing.post, target=video, author=alice, text="hm", offset_ms=0) == "may_not_speak"


@pytest.mark.parametrize("factory", [CommentFactory, DanmakuFactory])
def test_moderator_s_deletion_is_a_decision_that_can_be_undone(
    video: Video, alice: User, moderator: User, factory: Any
) -> None:
    text = factory(target=video, author=alice, text="rude")

    decisions.remove(text, moderator)
    text.refresh_from_db()
    deleted = text.deleted_at
    decisions.undo_latest(text, moderator)
    text.refresh_from_db()

    assert deleted
    assert text.deleted_at is None
    assert Decision.objects.count() == 2
    assert alice.notifications.filter(kind="moderation").count() == 2


def test_author_s_deletion_cannot_be_restored_by_a_moderator(
    video: Video, alice: User, moderator: User
) -> None:
    comment = CommentFactory(target=video, author=alice)
    services.delete(comment=comment, by=alice)

    services.restore(comment=comment, by=moderator)

    assert comment.deleted_at


def test_people_can_report_only_texts_they_can_read(
    video: Video, alice: User, creator: User, moderator: User
) -> None:
    comment, flying = (
        CommentFactory(target=video, text="rude"),
        DanmakuFactory(target=video, offset_ms=61_000),
    )
    hidden = CommentFactory(target=video, is_hidden=True)

    assert reportable.find_comment(comment.public_id, Viewer(alice)) == comment
    assert reportable.find_danmaku(flying.public_id, Viewer(alice)) == flying
    assert reportable.find_comment(hidden.public_id, Viewer(alice)) is None
    assert reportable.find_comment(hidden.public_id, Viewer(moderator)) == hidden
    assert reportable.context_of(flying)["about_url"] == f"/watch/{video.public_id}/?t=61"
    Video.objects.update(visibility="private")
    assert reportable.find_comment(comment.public_id, Viewer(alice)) is None
    assert reportable.find_danmaku(flying.public_id, Viewer(alice)) is None


def test_repeated_long_text_is_refused_everywhere_and_short_text_per_target(
    video: Video, alice: User, creator: User
) -> None:
    other = creator.channel.videos.create(title="Other")
    long_text = "I have already said this elsewhere, have I not"
    for text in ("lol", long_text):
        services.post(target=video, author=alice, text=text)

    again = code_of(services.post, target=video, author=alice, text="LOL!")
    elsewhere = code_of(services.post, target=other, author=alice, text=long_text)
    services.post(target=other, author=alice, text="lol")

    assert (again, elsewhere) == ("said_before", "said_before")


def test_burst_is_refused_except_from_the_creator(video: Video, alice: User, creator: User) -> None:
    for number in range(rules.MAX_COMMENTS_PER_WINDOW):
        services.post(target=video, author=alice, text=f"number {number}")
        services.post(target=video, author=creator, text="thanks")

    assert code_of(services.post, target=video, author=alice, text="one more") == "too_fast"
    services.post(target=video, author=creator, text="thanks")


def test_without_rate_limits_nothing_is_counted(video: Video, alice: User, settings: Any) -> None:
    settings.RATE_LIMITS = False

    for _ in range(rules.MAX_COMMENTS_PER_WINDOW + 2):
        services.post(target=video, author=alice, text="again")

    client = cache._cache.get_client()  # type: ignore[attr-defined]
    assert list(client.scan_iter(match="*said*")) == []


def test_same_text_by_many_accounts_is_held(video: Video) -> None:
    text = "The very same words from every one of these people"
    held = [
        services.post(target=video, author=UserFactory(**long_ago()), text=text).is_held
        for _ in range(rules.SAME_TEXT_AUTHORS + 1)
    ]

    assert held == [False] * rules.SAME_TEXT_AUTHORS + [True]


def test_link_by_a_new_account_is_held_in_posts_and_edits(video: Video) -> None:
    newcomer = UserFactory()
    linked = services.post(target=video, author=newcomer, text="see https://example.org")
    edited = services.post(target=video, author=newcomer, text="see")
    services.edit(comment=edited, by=newcomer, text="see www.example.org")

    assert (linked.is_held, edited.is_held) == (True, True)
