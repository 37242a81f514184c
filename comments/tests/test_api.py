"""Tests of the API of comments and danmaku, as programs use it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from accounts.models import Decision, Report, User
from accounts.moderation import report, undo
from accounts.tests.factories import UserFactory
from comments import services
from comments.models import Comment
from comments.spam import rules
from comments.tests.factories import CommentFactory, DanmakuFactory
from videos.models import Video
from videos.services import edit_video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

FIELDS = {"id", "author", "text", "created_at", "reply_count", "like_count", "is_pinned"}


def signed_in(user: User | None) -> APIClient:
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


@pytest.fixture
def api(alice: User) -> APIClient:
    return signed_in(alice)


def comments_of(video: Video) -> str:
    return f"/api/v1/videos/{video.public_id}/comments/"


def danmaku_of(video: Video) -> str:
    return f"/api/v1/videos/{video.public_id}/danmaku/"


def texts(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [one["text"] for one in answer.json()["results"]]


def code(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"type", "errors"}
    return answer.status_code, body["errors"][0]["code"]


def test_posted_comment_and_reply_are_readable_by_everybody(api: APIClient, video: Video) -> None:
    posted = api.post(comments_of(video), {"text": "Lovely harbour"})
    reply = api.post(comments_of(video), {"text": "Yes", "parent": posted.json()["id"]})
    listed = APIClient().get(comments_of(video)).json()
    replies = APIClient().get(comments_of(video), {"parent": posted.json()["id"]})

    assert (posted.status_code, reply.status_code) == (201, 201)
    assert set(listed) == {"results", "next", "previous"}
    [root] = listed["results"]
    assert set(root) >= FIELDS
    assert (root["text"], root["reply_count"], root["parent"]) == ("Lovely harbour", 1, None)
    assert root["author"] == {"username": "Alice", "display_name": "Alice", "avatar_url": None}
    assert texts(replies) == ["Yes"]
    assert reply.json()["parent"] == root["id"]


def test_list_is_ordered_by_best_or_newest_after_the_pinned_comment(
    api: APIClient, video: Video, creator: User, alice: User
) -> None:
    liked, pinned, newest = (
        CommentFactory(target=video, text=text) for text in ("liked", "pinned", "newest")
    )
    services.like(comment=liked, user=alice)
    services.pin(comment=pinned, by=creator)

    assert texts(api.get(comments_of(video))) == ["pinned", "liked", "newest"]
    assert texts(api.get(comments_of(video), {"ordering": "newest"})) == ["pinned", "newest", "liked"]
    assert code(api.get(comments_of(video), {"ordering": "x"})) == (400, "invalid")
    assert newest.public_id


@pytest.mark.parametrize("ordering", ["best", "newest"])
def test_pages_cover_all_comments_without_repetition(api: APIClient, video: Video, ordering: str) -> None:
    comments = [CommentFactory(target=video, text=str(number), like_count=number % 2) for number in range(7)]
    Comment.objects.filter(pk=comments[3].pk).update(is_pinned=True)

    url: str | None = f"{comments_of(video)}?page_size=2&ordering={ordering}"
    pages = []
    while url:
        answer = api.get(url).json()
        pages.append([one["text"] for one in answer["results"]])
        url = answer["next"] and f"{urlsplit(answer['next']).path}?{urlsplit(answer['next']).query}"

    assert pages[0][0] == "3"
    assert sorted(text for page in pages for text in page) == [str(number) for number in range(7)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_list_query_count_is_constant(
    video: Video, alice: User, count: int, is_signed_in: bool, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        comment = CommentFactory(target=video, author=UserFactory())
        CommentFactory(parent=comment)
        services.like(comment=comment, user=alice)
    client = signed_in(alice if is_signed_in else None)

    # The video with its channel, the pinned comments, the page, and the moderator check.
    with django_assert_num_queries(3 + is_signed_in):
        assert len(client.get(comments_of(video)).json()["results"]) == count


def test_deleted_root_keeps_its_place_without_text(api: APIClient, video: Video, creator: User) -> None:
    root = CommentFactory(target=video, text="secret")
    CommentFactory(parent=root)
    services.delete(comment=root, by=creator)

    [gone] = api.get(comments_of(video)).json()["results"]

    assert (gone["author"], gone["text"], gone["is_gone"], gone["reply_count"]) == (None, "", True, 1)
    assert code(api.get(f"/api/v1/comments/{root.public_id}/")) == (404, "not_found")


def test_author_edits_and_deletes_their_comment(api: APIClient, video: Video, alice: User) -> None:
    comment = CommentFactory(target=video, author=alice)
    path = f"/api/v1/comments/{comment.public_id}/"

    edited = api.patch(path, {"text": "better"})
    deleted = api.delete(path)

    assert (edited.json()["text"], bool(edited.json()["edited_at"])) == ("better", True)
    assert deleted.status_code == 204
    assert code(api.get(path)) == (404, "not_found")


def test_permissions_by_role(video: Video, alice: User, creator: User, moderator: User) -> None:
    comment = CommentFactory(target=video, author=alice)
    path = f"/api/v1/comments/{comment.public_id}/"
    stranger = UserFactory()

    def statuses(method: str, suffix: str = "", body: Any = None) -> list[int]:
        people = (None, stranger, moderator, creator, alice)
        return [getattr(signed_in(user), method)(f"{path}{suffix}", body).status_code for user in people]

    assert statuses("get") == [200] * 5
    assert statuses("patch", body={"text": "x"}) == [401, 403, 403, 403, 200]
    assert statuses("put", "like/") == [401, 204, 204, 204, 204]
    assert statuses("delete", "like/") == [401, 204, 204, 204, 204]
    assert statuses("put", "pin/") == [401, 403, 403, 204, 403]
    assert statuses("delete", "pin/") == [401, 403, 403, 204, 403]
    assert statuses("put", "heart/") == [401, 403, 403, 204, 403]
    assert statuses("delete", "heart/") == [401, 403, 403, 204, 403]
    assert statuses("put", "approve/") == [401, 403, 204, 204, 403]
    assert statuses("delete") == [401, 403, 204, 404, 404]


def test_comments_and_danmaku_of_a_private_video_are_private(video: Video, creator: User) -> None:
    comment = CommentFactory(target=video)
    flying = DanmakuFactory(target=video)
    Video.objects.update(visibility="private")
    stranger = signed_in(UserFactory())

    secret = [
        stranger.get(comments_of(video)),
        stranger.post(comments_of(video), {"text": "hm"}),
        stranger.get(danmaku_of(video)),
        stranger.post(danmaku_of(video), {"text": "hm", "offset_ms": 0}),
        stranger.get(f"/api/v1/comments/{comment.public_id}/"),
        stranger.put(f"/api/v1/comments/{comment.public_id}/like/"),
        stranger.delete(f"/api/v1/comments/{comment.public_id}/"),
        stranger.delete(f"/api/v1/danmaku/{flying.public_id}/"),
    ]

    assert [answer.status_code for answer in secret] == [404] * 8
    assert texts(signed_in(creator).get(comments_of(video))) == [comment.text]
    assert texts(signed_in(creator).get(danmaku_of(video))) == [flying.text]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "required")),
        ({"text": ""}, (400, "blank")),
        ({"text": "x" * 2001}, (400, "max_length")),
        ({"text": "x" * 9000}, (400, "max_length")),
        ({"text": "a\0"}, (400, "null_characters_not_allowed")),
        ({"text": "a\x07"}, (400, "forbidden_characters")),
        ({"text": "hm", "parent": "nothing"}, (400, "does_not_exist")),
        ({"text": "hm", "parent": "x" * 99}, (400, "max_length")),
        ({"text": [1]}, (400, "invalid")),
        ([], (400, "invalid")),
    ],
)
def test_invalid_comment_is_refused_with_its_code(
    api: APIClient, video: Video, body: Any, expected: tuple[int, str]
) -> None:
    assert code(api.post(comments_of(video), body)) == expected


def test_surrogate_is_refused(api: APIClient, video: Video) -> None:
    broken = b'{"text": "\\ud800", "offset_ms": 1}'

    for path in (comments_of(video), danmaku_of(video)):
        assert api.post(path, broken, content_type="application/json").status_code == 400


def test_closed_comments_and_exceeded_rate_have_their_codes(api: APIClient, video: Video) -> None:
    for number in range(rules.MAX_COMMENTS_PER_WINDOW):
        api.post(comments_of(video), {"text": f"number {number}"})
    hasty = api.post(comments_of(video), {"text": "one more"})
    edit_video(video, comments_mode="closed")
    closed = api.post(comments_of(video), {"text": "hm"})

    assert code(hasty) == (429, "too_fast")
    assert hasty["Retry-After"] == str(rules.WINDOW_S)
    assert code(closed) == (403, "comments_closed")


def test_held_comment_is_reported_as_held_and_can_be_approved(
    api: APIClient, video: Video, creator: User
) -> None:
    edit_video(video, comments_mode="held")

    posted = api.post(comments_of(video), {"text": "hm"})
    approved = signed_in(creator).put(f"/api/v1/comments/{posted.json()['id']}/approve/")

    assert (posted.status_code, posted.json()["is_held"], approved.status_code) == (201, True, 204)
    assert texts(APIClient().get(comments_of(video))) == ["hm"]


@pytest.mark.parametrize(
    "query", ["cursor=abc", "page_size=999999", "parent=zzz", "parent=" + "z" * 400, "ordering=%F0"]
)
def test_malformed_query_is_no_server_error(api: APIClient, video: Video, query: str) -> None:
    assert api.get(f"{comments_of(video)}?{query}").status_code in {200, 400, 404}


def test_danmaku_is_posted_at_a_moment_and_read_by_its_bucket(api: APIClient, video: Video) -> None:
    posted = api.post(
        danmaku_of(video), {"offset_ms": 31_500, "text": "哇", "mode": "top", "color": "#FF6B6B"}
    )
    read = APIClient().get(danmaku_of(video), {"from_s": 30, "to_s": 60}).json()

    assert posted.status_code == 201
    assert read["results"] == [posted.json()]
    assert {**posted.json(), "id": "", "created_at": ""} == {
        "id": "",
        "offset_ms": 31_500,
        "text": "哇",
        "mode": "top",
        "color": "#ff6b6b",
        "created_at": "",
        "kind": "danmaku",
    }


def test_danmaku_without_window_is_paginated_to_the_end(api: APIClient, video: Video, alice: User) -> None:
    Video.objects.update(duration_s=1500)
    for offset_ms in (1400_000, 0, 599_999):
        DanmakuFactory(target=video, author=alice, offset_ms=offset_ms)

    read, url = [], danmaku_of(video)
    while url:
        page = api.get(url).json()
        read.append([one["offset_ms"] for one in page["results"]])
        url = page["next"] and page["next"].removeprefix("http://testserver")

    assert read == [[0, 599_999], [], [1_400_000]]


def test_public_bucket_is_cacheable_and_unlisted_bucket_is_private(
    video: Video, alice: User, creator: User
) -> None:
    client = APIClient()
    client.force_login(alice)
    public = client.get(danmaku_of(video), {"from_s": 0, "to_s": 30})
    unchanged = client.get(danmaku_of(video), {"from_s": 0, "to_s": 30}, HTTP_IF_NONE_MATCH=public["ETag"])
    DanmakuFactory(target=video, author=alice)
    signed_in(alice).post(danmaku_of(video), {"offset_ms": 1, "text": "new"})
    changed = client.get(danmaku_of(video), {"from_s": 0, "to_s": 30}, HTTP_IF_NONE_MATCH=public["ETag"])
    Video.objects.update(visibility="unlisted")
    unlisted = client.get(danmaku_of(video), {"from_s": 0, "to_s": 30})

    assert public["Cache-Control"] == "max-age=5, public"
    assert "Cookie" not in public["Vary"]
    assert not public.cookies
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.status_code == 200
    assert unlisted["Cache-Control"] == "max-age=5, private"


@pytest.mark.parametrize("count", [1, 3])
def test_bucket_query_count_is_constant(
    video: Video, alice: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        DanmakuFactory(target=video, author=alice)

    with django_assert_num_queries(2):  # the video, the bucket
        APIClient().get(danmaku_of(video), {"from_s": 0, "to_s": 30})
    with django_assert_num_queries(1):
        APIClient().get(danmaku_of(video), {"from_s": 0, "to_s": 30})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": "hm"}, (400, "required")),
        ({"text": "hm", "offset_ms": -1}, (400, "min_value")),
        ({"text": "hm", "offset_ms": 10**12}, (400, "max_value")),
        ({"text": "hm", "offset_ms": 130_000}, (400, "max_value")),
        ({"text": "x" * 101, "offset_ms": 1}, (400, "max_length")),
        ({"text": "hm", "offset_ms": 1, "mode": "spin"}, (400, "invalid_choice")),
        ({"text": "hm", "offset_ms": 1, "color": "red"}, (400, "invalid")),
        ({"text": "www.example.com", "offset_ms": 1}, (400, "no_links")),
    ],
)
def test_invalid_danmaku_is_refused_with_its_code(
    api: APIClient, video: Video, body: Any, expected: tuple[int, str]
) -> None:
    assert code(api.post(danmaku_of(video), body)) == expected


@pytest.mark.parametrize("query", ["from_s=-1", "from_s=nan", "to_s=x", "to_s=inf", "from_s=1e300"])
def test_malformed_window_is_refused(query: str, video: Video) -> None:
    assert APIClient().get(f"{danmaku_of(video)}?{query}").status_code == 400


@pytest.mark.parametrize("query", ["from_s=9&to_s=3", "to_s=1e300", "from_s=0.5&to_s=0.75"])
def test_empty_window_has_no_messages(query: str, video: Video) -> None:
    assert texts(APIClient().get(f"{danmaku_of(video)}?{query}")) == []


def test_danmaku_is_deleted_by_its_author_or_the_creator(
    api: APIClient, video: Video, alice: User, creator: User
) -> None:
    mine, other = DanmakuFactory(target=video, author=alice), DanmakuFactory(target=video)

    refused = api.delete(f"/api/v1/danmaku/{other.public_id}/")
    statuses = [
        api.delete(f"/api/v1/danmaku/{mine.public_id}/").status_code,
        signed_in(creator).delete(f"/api/v1/danmaku/{other.public_id}/").status_code,
        signed_in(creator).delete(f"/api/v1/danmaku/{other.public_id}/").status_code,
        APIClient().delete(f"/api/v1/danmaku/{other.public_id}/").status_code,
    ]

    assert code(refused) == (403, "permission_denied")
    assert statuses == [204, 204, 404, 401]
    assert texts(api.get(danmaku_of(video))) == []


@pytest.mark.parametrize(
    ("kind", "make", "path"),
    [("comment", CommentFactory, "comments"), ("danmaku", DanmakuFactory, "danmaku")],
)
def test_removal_by_the_creator_is_a_decision_and_leaves_reports_open(
    kind: str, make: Any, path: str, video: Video, alice: User, creator: User, moderator: User
) -> None:
    theirs, own = make(target=video, author=alice), make(target=video, author=creator)
    report(by=UserFactory(), target_type=kind, target_id=theirs.public_id, reason="hate")

    for row in (theirs, theirs, own):
        signed_in(creator).delete(f"/api/v1/{path}/{row.public_id}/")

    decision = Decision.objects.get()
    assert (decision.action, decision.moderator, decision.person) == ("remove", creator, alice)
    assert (decision.title, decision.case and decision.case.target_id) == (theirs.text[:80], theirs.public_id)
    assert Report.objects.get().status == Report.Status.OPEN
    undo(decision, by=moderator)
    theirs.refresh_from_db()
    assert theirs.deleted_at is None


def test_anonymous_posts_are_refused(video: Video) -> None:
    stranger = APIClient()

    assert code(stranger.post(comments_of(video), {"text": "hm"})) == (401, "not_authenticated")
    assert code(stranger.post(danmaku_of(video), {"text": "hm", "offset_ms": 1})) == (
        401,
        "not_authenticated",
    )
