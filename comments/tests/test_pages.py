"""Tests of comments on the watch page: with htmx, and by forms alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory
from comments import services
from comments.models import Comment
from comments.tests.factories import CommentFactory
from comments.thread import PAGE_SIZE, REPLIES_PAGE_SIZE
from videos.models import Video
from videos.services import edit_video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

HTMX: Any = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    """Return a client with Alice signed in."""
    client.force_login(alice)
    return client


def watch(video: Video) -> str:
    return f"/watch/{video.public_id}/"


def html(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_watch_page_escapes_comments(client: Client, video: Video) -> None:
    CommentFactory(target=video, text="<script>alert(1)</script> at 1:23")

    page = html(client.get(watch(video)))

    assert "&lt;script&gt;alert(1)&lt;/script&gt; at <a" in page
    assert 'data-seek="83"' in page


@pytest.mark.parametrize("count", [1, 3])
def test_watch_page_query_count_is_constant(
    browser: Client, video: Video, alice: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        comment = CommentFactory(target=video, author=UserFactory())
        CommentFactory(parent=comment)
        services.like(comment=comment, user=alice)
    browser.get(watch(video))

    # One each for captions, clips, the position in the watch history, and the pinned comment.
    with django_assert_num_queries(18):
        browser.get(watch(video))


def test_next_page_begins_after_the_given_comment(client: Client, video: Video, creator: User) -> None:
    comments = [CommentFactory(target=video, text=f"«{number}»") for number in range(PAGE_SIZE + 2)]
    services.pin(comment=comments[0], by=creator)
    first = html(client.get(f"{watch(video)}?order=newest"))
    last = comments[3]
    services.delete(comment=last, by=creator)  # its place is still known
    more = html(client.get(f"{watch(video)}comments/?order=newest&after={last.public_id}", **HTMX))

    assert first.index("«0»") < first.index(f"«{PAGE_SIZE + 1}»")
    assert f"after={last.public_id}" in first
    assert [number for number in range(PAGE_SIZE + 2) if f"«{number}»" in more] == [1, 2]
    assert "<html" not in more


def test_replies_are_paginated(client: Client, video: Video) -> None:
    root = CommentFactory(target=video)
    replies = [CommentFactory(parent=root, text=f"«{number}»") for number in range(REPLIES_PAGE_SIZE + 1)]
    path = f"{watch(video)}comments/{root.public_id}/?show=replies"

    first = html(client.get(path, **HTMX))
    rest = html(client.get(f"{path}&after={replies[-2].public_id}", **HTMX))

    assert f"«{REPLIES_PAGE_SIZE - 1}»" in first
    assert f"«{REPLIES_PAGE_SIZE}»" not in first
    assert f"«{REPLIES_PAGE_SIZE}»" in rest


def test_linked_reply_is_shown_from_any_page(client: Client, video: Video) -> None:
    root = CommentFactory(target=video)
    replies = [CommentFactory(parent=root, text=f"«{number}»") for number in range(REPLIES_PAGE_SIZE + 5)]

    page = html(client.get(f"{watch(video)}?comment={replies[-1].public_id}"))

    assert page.count(f'id="comment-{root.public_id}"') == 1
    assert "is-chosen" in page
    assert f"«{REPLIES_PAGE_SIZE + 4}»" in page


@pytest.mark.parametrize(
    "query", ["order=x", "after=nothing", "comment=%F0", "comment=" + "a" * 300, "order=held"]
)
def test_malformed_query_shows_the_default_list(client: Client, video: Video, query: str) -> None:
    CommentFactory(target=video, text="usual")
    CommentFactory(target=video, text="waiting", is_held=True)

    page = html(client.get(f"{watch(video)}?{query}"))

    assert "usual" in page
    assert ">waiting<" not in page


def test_comments_of_a_private_video_are_not_found(browser: Client, video: Video) -> None:
    comment = CommentFactory(target=video)
    Video.objects.update(visibility="private")
    path = f"{watch(video)}comments/"

    answers = [
        browser.get(path, **HTMX),
        browser.post(path, {"text": "hm"}),
        browser.get(f"{path}{comment.public_id}/", **HTMX),
        browser.post(f"{path}{comment.public_id}/", {"do": "like"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


def test_form_without_htmx_redirects_to_the_new_comment(browser: Client, video: Video) -> None:
    answer = browser.post(f"{watch(video)}comments/", {"text": "hello"}, follow=True)

    comment = Comment.objects.get()
    assert answer.redirect_chain == [
        (f"{watch(video)}?comment={comment.public_id}#comment-{comment.public_id}", 302)
    ]
    assert "hello" in html(answer)


def test_refused_form_without_htmx_keeps_its_text(browser: Client, video: Video) -> None:
    answer = browser.post(f"{watch(video)}comments/", {"text": "x" * 2001})

    assert answer.status_code == 422
    assert "Too long" in answer.content.decode()
    assert "x" * 2001 in answer.content.decode()


def test_htmx_post_returns_an_empty_form_and_the_new_comment(browser: Client, video: Video) -> None:
    answer = browser.post(f"{watch(video)}comments/", {"text": "hello"}, **HTMX)

    assert "afterbegin:#comment-list" in html(answer)
    assert json.loads(answer["HX-Trigger"])["toast"]
    assert json.loads(answer["HX-Trigger-After-Settle"]) == {
        "comment-posted": Comment.objects.get().public_id
    }


def test_reply_joins_its_thread(browser: Client, video: Video, creator: User) -> None:
    root = CommentFactory(target=video, author=creator)
    reply = CommentFactory(parent=root, author=creator)
    form = html(browser.get(f"{watch(video)}comments/{reply.public_id}/?show=reply", **HTMX))
    answer = browser.post(f"{watch(video)}comments/", {"text": "so", "parent": reply.public_id}, **HTMX)

    assert ">@creator </textarea>" in form
    assert f"beforeend:#replies-{root.public_id}" in html(answer)
    assert "2 replies" in html(answer)


def test_each_menu_action_changes_the_comment(
    client: Client, video: Video, alice: User, creator: User, moderator: User
) -> None:
    comment = CommentFactory(target=video, author=alice, is_held=True)
    path = f"{watch(video)}comments/{comment.public_id}/"

    def do(user: User, what: str, **more: Any) -> Any:
        client.force_login(user)
        answer = client.post(path, {"do": what, **more}, **HTMX)
        comment.refresh_from_db()
        return answer

    assert "Approve" in html(_as(client, creator).get(f"{watch(video)}?order=held"))
    do(creator, "approve")
    assert not comment.is_held
    assert 'aria-pressed="true"' in html(do(alice, "like"))
    assert comment.like_count == 1
    assert do(creator, "pin")["HX-Retarget"] == "#comments"
    assert "hearted this" in html(do(creator, "heart"))
    assert "changed" in html(do(alice, "edit", text="changed"))
    do(creator, "unpin"), do(creator, "unheart"), do(alice, "unlike")
    assert (comment.is_pinned, comment.has_heart, comment.like_count) == (False, False, 0)
    assert "Hidden" in html(do(moderator, "hide"))
    do(moderator, "restore")
    assert do(alice, "delete")["HX-Retarget"] == f"#comment-{comment.public_id}"
    assert comment.deleted_at


def _as(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def test_refused_action_shows_its_reason_and_changes_nothing(browser: Client, video: Video) -> None:
    comment = CommentFactory(target=video)
    path = f"{watch(video)}comments/{comment.public_id}/"

    with_htmx = browser.post(path, {"do": "delete"}, **HTMX)
    without = browser.post(path, {"do": "pin"}, follow=True)
    nonsense = browser.post(path, {"do": "explode"})

    assert json.loads(with_htmx["HX-Trigger"]) == {"toast": "You do not have permission to do this."}
    assert "You do not have permission to do this." in html(without)
    assert nonsense.status_code == 400
    assert browser.get(f"{path}?show=edit").status_code == 404
    assert not Comment.objects.filter(deleted_at__isnull=False).exists()


def test_anonymous_visitor_is_redirected_to_sign_in(client: Client, video: Video) -> None:
    comment = CommentFactory(target=video)
    path = f"{watch(video)}comments/"

    for answer in (
        client.post(path, {"text": "hm"}),
        client.post(f"{path}{comment.public_id}/", {"do": "like"}),
    ):
        assert answer["Location"].startswith("/accounts/login/?next=")
    assert client.get(f"{path}{comment.public_id}/?show=reply", **HTMX)["HX-Redirect"]


def test_unknown_parent_is_refused(browser: Client, video: Video) -> None:
    for parent in ("\0", "nothing", "x" * 99, "数"):
        answer = browser.post(f"{watch(video)}comments/", {"text": "hm", "parent": parent}, **HTMX)
        assert answer.status_code == 422
        assert "was deleted" in answer.content.decode()


def test_creator_closes_and_holds_comments_in_the_studio(client: Client, video: Video, creator: User) -> None:
    client.force_login(creator)
    form = {"title": video.title, "category": "other", "visibility": "public", "tags": ""}
    seen = []
    for mode in ("closed", "held", ""):
        client.post(f"/studio/{video.public_id}/", {**form, "comments_mode": mode})
        video.refresh_from_db()
        seen.append(video.comments_mode)

    assert seen == ["closed", "held", "held"]


def test_page_explains_closed_and_held_comments(browser: Client, video: Video) -> None:
    notices = {"closed": "Comments are turned off", "held": "reviews comments before"}
    for mode, notice in notices.items():
        edit_video(video, comments_mode=mode)
        page = html(browser.get(watch(video)))
        assert notice in page
        assert ("<comment-composer" in page) == (mode == "held")
        assert "Danmaku is turned off." in page
