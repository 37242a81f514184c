"""Tests that PostgreSQL uses an index for each list, count and sweep of a large site.

Sequential scans and sorts are disabled in the planner, so the plans are the same on an
empty table: a query without an index in the order of its list still sorts.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Model, QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Channel, User
from accounts.tests.factories import UserFactory
from comments.models import Comment, Danmaku
from comments.tests.factories import CommentFactory, DanmakuFactory
from comments.thread import Place, Thread
from live.models import Broadcast, ChatMessage
from live.tests.factories import ChatMessageFactory
from videos import cleaning, queue, sweeping
from videos.listing import Listing
from videos.models import Job, Tag, Video, VideoText
from videos.tests.factories import VideoFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.redis,
    pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="about PostgreSQL"),
]


@pytest.fixture
def plans() -> Callable[[Callable[[], object]], list[str]]:
    """Return a function that returns the plan of every SELECT of a call."""

    def explain(call: Callable[[], object]) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            call()
        asked = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            return [_plan(cursor, sql) for sql in asked]

    return explain


def _plan(cursor: Any, sql: str) -> str:
    cursor.execute(f"EXPLAIN {sql}")
    return "\n".join(row[0] for row in cursor.fetchall())


@pytest.fixture
def thread() -> Callable[[Any], Thread]:
    """Return a function that returns the comments of a video for a user."""
    video = VideoFactory()
    CommentFactory(target=video)
    return lambda user: Thread(Place(video, "", ""), user)


@pytest.mark.parametrize("order", ["best", "newest"])
def test_comments_are_listed_in_the_order_of_an_index(order: str, plans: Any, thread: Any) -> None:
    found = plans(lambda: thread(AnonymousUser()).page(order))
    listed = next(plan for plan in found if f"comment_{order}" in plan)
    assert "Sort" not in listed


def test_comments_are_counted_from_an_index(plans: Any, thread: Any) -> None:
    (plan,) = plans(lambda: thread(AnonymousUser()).count)
    assert "Index Only Scan using comment_spoken" in plan


@pytest.mark.parametrize(
    ("ordering", "index"),
    [("-published_at", "video_listing"), ("-views", "video_popular"), ("-likes", "video_liked")],
)
def test_videos_are_listed_in_the_order_of_an_index(ordering: str, index: str, plans: Any) -> None:
    (plan,) = plans(lambda: Listing(ordering=ordering).page(Video.objects.listed().for_cards()))
    assert index in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (User.objects.filter(username__icontains="something"), "user_username_parts"),
        (User.objects.filter(email__icontains="something"), "user_email_parts"),
        (Channel.objects.filter(display_name__icontains="something"), "channel_name_parts"),
    ],
)
def test_parts_of_names_have_an_index(rows: QuerySet[Any], index: str, plans: Any) -> None:
    (plan,) = plans(lambda: list(rows.all()))
    assert index in plan


def test_rare_word_is_found_by_the_index_of_searched_texts() -> None:
    channel = UserFactory().channel
    rows = [Video(channel=channel, title=f"Title {n}", is_playable=True) for n in range(2_000)]
    Video.objects.bulk_create(rows)
    VideoText.objects.bulk_create(
        VideoText(video=video, **VideoText.fields_of(video.title, "A description")) for video in rows
    )
    with connection.cursor() as cursor:
        # New rows wait in a list of the index, whose reading the planner counts.
        cursor.execute("SELECT gin_clean_pending_list('video_text_searched')")
        cursor.execute("ANALYZE videos_video, videos_videotext")
        cursor.execute("SET LOCAL enable_seqscan = off")
        with CaptureQueriesContext(connection) as captured:
            list(Video.objects.matching("something"))
        found = [_plan(cursor, query["sql"]) for query in captured if "videos_videotext" in query["sql"]]
    assert "video_text_searched" in "\n".join(found)


def test_tag_is_looked_up_before_its_videos(plans: Any) -> None:
    Tag.objects.create(name="music")
    found = plans(lambda: list(Video.objects.tagged("Music")))
    assert len(found) == 2
    assert "Seq Scan" not in "\n".join(found)


@pytest.mark.parametrize(
    ("model", "index"),
    [
        (Comment, "comment_created"),
        (Danmaku, "danmaku_created"),
        (Video, "video_created"),
        (User, "user_joined"),
        (Channel, "accounts_channel_pkey"),
        (Broadcast, "broadcast_started"),
        (ChatMessage, "live_chatmessage_pkey"),
    ],
)
def test_list_of_the_admin_is_read_in_the_order_of_an_index(
    model: type[Model], index: str, plans: Any, rf: RequestFactory
) -> None:
    request = rf.get("/")
    request.user = UserFactory(is_superuser=True, is_staff=True)
    lists = admin.site.get_model_admin(model)
    found = plans(lambda: list(lists.get_changelist_instance(request).result_list))
    counted, listed = [plan for plan in found if f" on {model._meta.db_table}" in plan][-2:]
    assert counted.startswith("Aggregate")
    assert "Limit" in counted
    assert index in listed
    assert "Sort" not in listed


@pytest.mark.parametrize("model", [Comment, Danmaku, ChatMessage])
def test_search_of_the_admin_reads_its_list_by_key(model: Any, plans: Any, rf: RequestFactory) -> None:
    person = UserFactory(username="person777")
    rows: dict[Any, Callable[[], Any]] = {
        Comment: lambda: CommentFactory(author=person, target=VideoFactory()),
        Danmaku: lambda: DanmakuFactory(author=person, target=VideoFactory()),
        ChatMessage: lambda: ChatMessageFactory(user=person),
    }
    row = rows[model]()
    request = rf.get("/", {"q": "person777"})
    request.user = UserFactory(is_superuser=True, is_staff=True)
    lists = admin.site.get_model_admin(model)
    found = plans(lambda: list(lists.get_changelist_instance(request).result_list))
    counted, listed = [plan for plan in found if f" on {model._meta.db_table}" in plan][-2:]
    for plan in (counted, listed):
        conditions = [line for line in plan.splitlines() if "Filter" in line or "Cond" in line]
        assert any(f"(id = {row.pk})" in line for line in conditions)
        assert not any("author_id" in line or "user_id" in line for line in conditions if "Filter" in line)


def test_short_word_is_searched_in_the_newest_titles_without_joins(plans: Any) -> None:
    VideoFactory()
    found = plans(lambda: list(Video.objects.listed().matching("直播")))
    (searched,) = [plan for plan in found if "videos_videotext" in plan]
    assert "video_listing" in searched
    assert "accounts_user" not in searched


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"is_held": True}, "comment_all_held"),
        ({"is_hidden": True}, "comment_all_hidden"),
        ({"deleted_at__isnull": False}, "comment_all_deleted"),
    ],
)
def test_rare_comments_have_their_own_index(query: dict[str, bool], index: str, plans: Any) -> None:
    (plan,) = plans(lambda: list(Comment.objects.filter(**query)[:50]))
    assert index in plan
    assert "Sort" not in plan


def test_sweep_does_not_scan_jobs_or_videos(plans: Any) -> None:
    found = "\n".join(plans(sweeping.sweep))
    for table in ("videos_job", "videos_video", "videos_segmentrun"):
        assert f"Seq Scan on {table}" not in found


@pytest.mark.parametrize(
    ("jobs", "index"), [(cleaning.claimed_before, "job_claimed"), (cleaning.stopped_before, "videos_job")]
)
def test_clean_up_reads_old_jobs_from_an_index(jobs: Any, index: str, plans: Any) -> None:
    (plan,) = plans(lambda: list(jobs(timezone.now() - cleaning.JOBS_KEPT_FOR)[:1000]))
    assert index in plan
    assert "Seq Scan" not in plan


def test_claiming_does_not_scan_jobs(plans: Any) -> None:
    found = "\n".join(plans(lambda: queue.claim([Job.Lane.FIRST, Job.Lane.BULK])))
    assert "Seq Scan on videos_job" not in found
