from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import services as account_services
from accounts.models import Decision, User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from common.models import PendingDeletion
from videos import arrivals, services
from videos.models import Job, Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

NO_JOBS = {"jobs-TOTAL_FORMS": "0", "jobs-INITIAL_FORMS": "0"}


@pytest.fixture
def administrator(client: Client) -> User:
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.parametrize("count", [1, 3])
def test_list_query_count_is_constant(
    count: int, client: Client, administrator: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(count):
        VideoFactory()

    with django_assert_max_num_queries(8):
        answer = client.get(reverse("admin:videos_video_changelist"))

    assert answer.status_code == 200


def test_change_page_shows_the_errors_of_jobs(client: Client, administrator: User) -> None:
    video = VideoFactory()
    Job.objects.filter(kind="audio").update(error_detail="out of luck")

    page = client.get(reverse("admin:videos_video_change", args=[video.pk]))

    assert "out of luck" in page.content.decode()


@pytest.mark.parametrize(
    ("job", "key", "words"),
    [
        ({"status": "waiting"}, "", "Waiting"),
        (
            {"status": "done", "error_code": "encode_failed", "error_detail": "no stills"},
            "",
            "encode_failed: no stills",
        ),
        ({"status": "done"}, "storyboard-1/index.vtt", "present"),
    ],
)
def test_change_page_shows_the_state_of_the_storyboard(
    job: dict[str, str], key: str, words: str, client: Client, administrator: User
) -> None:
    video = VideoFactory()
    Job.objects.create(
        video=video, encode_key=video.encode_key, kind="storyboard", lane=Job.Lane.AFTER, **job
    )
    Video.objects.filter(pk=video.pk).update(storyboard_key=key and f"{video.encode_prefix}{key}")

    page = client.get(reverse("admin:videos_video_change", args=[video.pk])).content.decode()

    field = page.partition("field-storyboard")[2].partition("</div>")[0]
    assert words in field


@pytest.mark.parametrize(("is_premiere", "visibility"), [(True, "private"), (False, "unlisted")])
def test_visibility_set_by_staff_ends_a_schedule_and_wakes_held_requests(
    is_premiere: bool,
    visibility: str,
    client: Client,
    administrator: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    video = VideoFactory()
    services.edit_video(video, publish_at=timezone.now() + timedelta(hours=1), is_premiere=is_premiere)
    woken: list[str] = []
    monkeypatch.setattr(arrivals, "publish", woken.append)
    form = {"title": "New", "description": "", "category": video.category, "visibility": visibility}

    with django_capture_on_commit_callbacks(execute=True):
        saved = client.post(reverse("admin:videos_video_change", args=[video.pk]), form | NO_JOBS)

    video.refresh_from_db()
    assert saved.status_code == 302
    assert (video.title, video.visibility, video.publish_at) == ("New", visibility, None)
    assert woken == [video.encode_key]


def test_title_set_by_staff_keeps_a_schedule(client: Client, administrator: User) -> None:
    video = VideoFactory()
    services.edit_video(video, publish_at=timezone.now() + timedelta(hours=1), is_premiere=True)
    form = {"title": "New", "description": "", "category": video.category, "visibility": "public"}

    client.post(reverse("admin:videos_video_change", args=[video.pk]), form | NO_JOBS)

    changed = Video.objects.get()
    assert (changed.title, changed.publish_at, changed.is_premiere) == ("New", video.publish_at, True)


def test_retry_action_retries_failed_videos_only(client: Client, administrator: User) -> None:
    failed, ready = VideoFactory(status="failed", failure_code="encode_failed"), VideoFactory()

    client.post(
        reverse("admin:videos_video_changelist"),
        {"action": "retry", "_selected_action": [failed.pk, ready.pk]},
    )

    statuses = dict(Video.objects.values_list("pk", "status"))
    assert statuses == {failed.pk: "processing", ready.pk: "ready"}


def test_deleting_in_the_admin_deletes_comments_and_schedules_the_objects(
    client: Client, administrator: User
) -> None:
    video = VideoFactory()
    CommentFactory(target=video)

    client.post(reverse("admin:videos_video_delete", args=[video.pk]), {"post": "yes"})

    assert not Video.objects.exists()
    assert not Comment.objects.exists()
    assert PendingDeletion.objects.get().path == video.prefix
    decision = Decision.objects.get()
    assert (decision.action, decision.moderator) == ("remove", administrator)
    assert (decision.title, decision.person) == (video.title, video.channel.owner)


def test_hide_and_restore_actions_are_recorded_as_decisions(client: Client, administrator: User) -> None:
    video = VideoFactory()
    desk = reverse("admin:videos_video_changelist")
    chosen = {"_selected_action": [video.pk], "reason": "copyright"}

    client.post(desk, {"action": "hide", **chosen})
    hidden = Video.objects.get().withheld
    client.post(desk, {"action": "undo_latest", **chosen})

    assert (hidden, Video.objects.get().withheld) == ("hidden", "")
    lines = Decision.objects.order_by("pk").values_list("action", "reason")
    assert list(lines) == [("hide", "copyright"), ("undo", "copyright")]


def test_stopped_encode_fails_and_can_be_retried(client: Client, administrator: User) -> None:
    video, ready = VideoFactory(status="processing"), VideoFactory()
    Job.objects.filter(video=video).update(status="running", attempt=1)

    answer = client.post(
        reverse("admin:videos_video_changelist"),
        {"action": "cancel", "_selected_action": [video.pk, ready.pk]},
        follow=True,
    )

    html = answer.content.decode()
    assert "1 encode is stopped." in html
    assert "Only a running encode can be stopped." in html
    stopped = Video.objects.get(pk=video.pk)
    assert (stopped.status, stopped.failure_code) == ("failed", "encode_failed")
    assert not any(job.renew_lease() for job in Job.objects.filter(video=video))
    services.retry_video(stopped)


def test_change_page_has_a_player_for_playable_videos_only(client: Client, administrator: User) -> None:
    playing, waiting = VideoFactory(), VideoFactory(status="processing", is_playable=False)

    pages = [
        client.get(reverse("admin:videos_video_change", args=[video.pk])).content.decode()
        for video in (playing, waiting)
    ]

    assert ["<video-player" in page for page in pages] == [True, False]


def test_moderator_sees_videos_and_can_only_withhold_them(client: Client) -> None:
    moderator = UserFactory()
    account_services.grant_role(user=moderator, role=Role.MODERATOR)
    client.force_login(moderator)
    video = VideoFactory(status="failed", failure_code="encode_failed")
    desk = reverse("admin:videos_video_changelist")

    for action in ("retry", "cancel", "delete_selected", "remove"):
        client.post(desk, {"action": action, "_selected_action": [video.pk], "post": "yes"})

    assert client.get(reverse("admin:videos_video_change", args=[video.pk])).status_code == 200
    assert client.get(reverse("admin:videos_video_delete", args=[video.pk])).status_code == 403
    assert (Video.objects.get().status, Video.objects.get().withheld) == ("failed", "removed")
