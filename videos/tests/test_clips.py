"""Clips: making, renaming, deleting, and their moderation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts import moderation
from accounts import services as account_services
from accounts.models import Follow, User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from common.models import PendingDeletion
from videos import services
from videos.models import Clip, Job, SegmentRun, Video
from videos.services.errors import BadClipTimes
from videos.tests.factories import VideoFactory, make_run

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def maker() -> User:
    return UserFactory()


@pytest.fixture
def api(maker: User) -> Client:
    client = Client()
    client.force_login(maker)
    return client


def new_moderator() -> User:
    user: User = UserFactory()
    account_services.grant_role(user=user, role=Role.MODERATOR)
    return user


def encoded(**fields: Any) -> Video:
    """Return a video of 40 s in segments of four."""
    video: Video = VideoFactory(duration_s=40.0, **fields)
    SegmentRun.objects.filter(video=video).delete()
    for kind in ("video", "audio"):
        make_run(video, kind, [4.0] * 10, segment_count=10)
    return video


def made(video: Video, maker: User | None = None, **fields: Any) -> Clip:
    times = {"start_s": 9.5, "end_s": 19.5, "title": "A clip"}
    return Clip.objects.create(video=video, maker=maker or UserFactory(), **{**times, **fields})


def post(api: Client, video: Video, **body: Any) -> Any:
    asked = {"start_s": 9.5, "end_s": 19.5, **body}
    return api.post(f"/api/v1/videos/{video.public_id}/clips/", asked, content_type="application/json")


def codes(answer: Any) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


def hls(clip: Clip, name: str) -> str:
    assert clip.video
    return f"/clips/{clip.public_id}/hls/{clip.video.encode_key}/{name}"


def test_viewer_makes_a_clip_that_plays_at_once(api: Client, maker: User) -> None:
    video = encoded()

    answer = post(api, video, title=" The  moment ")

    clip = Clip.objects.get()
    body = answer.json()
    assert answer.status_code == 201
    assert (clip.maker, clip.start_s, clip.end_s) == (maker, 9.5, 19.5)
    assert body["video"]["id"] == video.public_id
    assert (body["duration_s"], body["playback"]["in_s"], body["playback"]["out_s"]) == (10.0, 1.5, 11.5)
    playlist = Client().get(body["playback"]["hls_url"])
    assert (playlist.status_code, "720p.m3u8" in playlist.content.decode()) == (200, True)
    media = Client().get(hls(clip, "720p.m3u8")).content.decode()
    assert media.count("#EXTINF") == 3
    assert "#EXT-X-START:TIME-OFFSET=1.5,PRECISE=YES" in media


def test_clip_without_a_title_gets_its_videos(api: Client) -> None:
    assert post(api, encoded(title="The film"), title="  ").json()["title"] == "The film"


@pytest.mark.parametrize(
    ("start_s", "end_s", "code"),
    [
        (10, 14.9, "bad_times"),
        (10, 10, "bad_times"),
        (20, 10, "bad_times"),
        (36, 60, "bad_times"),
        (-1, 10, "min_value"),
        (0, 10**9, "max_value"),
        ("nan", 10, "bad_times"),
    ],
)
def test_wrong_times_are_refused(start_s: Any, end_s: Any, code: str, api: Client) -> None:
    answer = post(api, encoded(), start_s=start_s, end_s=end_s)

    assert (answer.status_code, codes(answer)[0]) in ((400, code), (400, "invalid"))
    assert not Clip.objects.exists()


def test_three_minutes_are_the_longest_clip(api: Client) -> None:
    video = encoded()
    Video.objects.filter(pk=video.pk).update(duration_s=400.0)
    SegmentRun.objects.filter(video=video).update(segments=[4.0] * 100, segment_count=100)

    assert post(api, video, start_s=10, end_s=190).status_code == 201
    assert codes(post(api, video, start_s=10, end_s=190.2)) == ["bad_times"]


def test_end_behind_the_last_frame_becomes_the_end_of_the_video(api: Client) -> None:
    assert post(api, encoded(), start_s=30, end_s=40.02).json()["end_s"] == 40.0


def test_times_are_those_of_a_video_that_was_trimmed_meanwhile() -> None:
    video = encoded()
    Video.objects.filter(pk=video.pk).update(duration_s=12.0)

    with pytest.raises(BadClipTimes):
        services.create_clip(video, Viewer(UserFactory()), title="", start_s=9.5, end_s=19.5)


def test_part_that_is_not_encoded_yet_is_refused_by_name(api: Client) -> None:
    video = encoded(status="processing")
    SegmentRun.objects.filter(video=video).update(segments=[4.0] * 5, is_open=True)

    assert post(api, video, start_s=2, end_s=19).status_code == 201
    answer = post(api, video, start_s=12, end_s=22)
    assert (answer.status_code, codes(answer)) == (409, ["not_encoded_yet"])


@pytest.mark.parametrize(
    ("clipping", "follows", "status"),
    [
        ("everyone", False, 201),
        ("followers", False, 403),
        ("followers", True, 201),
        ("nobody", True, 403),
    ],
)
def test_owner_sets_who_makes_clips(
    clipping: str, follows: bool, status: int, api: Client, maker: User
) -> None:
    video = encoded(clipping=clipping)
    if follows:
        Follow.objects.create(channel=video.channel, follower=maker)

    assert post(api, video).status_code == status


@pytest.mark.parametrize("clipping", Video.Clipping.values)
def test_owner_always_makes_clips(clipping: str, client: Client) -> None:
    video = encoded(clipping=clipping, visibility="private")
    client.force_login(video.channel.owner)

    assert post(client, video).status_code == 201


def test_restricted_account_makes_no_clips(api: Client, maker: User) -> None:
    by = new_moderator()
    moderation.decide_about(maker, by=by, action="time_out", reason="spam", duration=timedelta(days=1))

    assert codes(post(api, encoded())) == ["timed_out"]


def test_clips_of_one_video_by_one_user_are_bounded(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.services.clips.MAX_CLIPS_OF_A_VIDEO", 1)
    video = encoded()

    assert post(api, video).status_code == 201
    assert codes(post(api, video)) == ["too_many_clips"]
    assert post(api, encoded()).status_code == 201


def test_owner_changes_the_setting_by_page_and_api(client: Client) -> None:
    video = encoded()
    client.force_login(video.channel.owner)

    form = {"title": "T", "category": "other", "visibility": "public", "clipping": "followers"}
    client.post(f"/studio/{video.public_id}/", form)
    by_page = Video.objects.get(pk=video.pk).clipping
    client.patch(
        f"/api/v1/videos/{video.public_id}/", {"clipping": "nobody"}, content_type="application/json"
    )

    assert (by_page, Video.objects.get(pk=video.pk).clipping) == ("followers", "nobody")
    client.post(f"/studio/{video.public_id}/", {name: form[name] for name in list(form)[:3]})
    assert Video.objects.get(pk=video.pk).clipping == "nobody"


@pytest.mark.parametrize("who", ["maker", "owner", "moderator"])
def test_maker_owner_and_moderators_delete(who: str, client: Client) -> None:
    clip = made(encoded(), poster_key="videos/clip.jpg")
    assert clip.video
    people = {
        "maker": clip.maker,
        "owner": clip.video.channel.owner,
        "moderator": new_moderator(),
    }
    client.force_login(people[who])

    asked = client.get(f"/clips/{clip.public_id}/delete/")
    done = client.post(f"/clips/{clip.public_id}/delete/")

    assert (asked.status_code, done.status_code) == (200, 302)
    assert not Clip.objects.exists()
    assert Video.objects.filter(pk=clip.video_id or 0).exists()
    assert PendingDeletion.objects.filter(path="videos/clip.jpg").exists()


def test_others_delete_and_rename_nothing(api: Client) -> None:
    clip = made(encoded())
    path = f"/api/v1/clips/{clip.public_id}/"

    statuses = [
        api.delete(path).status_code,
        api.patch(path, {"title": "Mine"}, content_type="application/json").status_code,
        api.post(f"/clips/{clip.public_id}/delete/").status_code,
        api.post(f"/clips/{clip.public_id}/rename/", {"title": "Mine"}).status_code,
    ]

    assert statuses == [403, 403, 404, 404]
    assert Clip.objects.get().title == "A clip"


def test_maker_renames_by_page_and_api(api: Client, maker: User) -> None:
    clip = made(encoded(), maker)

    api.post(f"/clips/{clip.public_id}/rename/", {"title": "By page"})
    by_page = Clip.objects.get().title
    api.patch(f"/api/v1/clips/{clip.public_id}/", {"title": "By API"}, content_type="application/json")

    assert (by_page, Clip.objects.get().title) == ("By page", "By API")


def test_moderators_hide_and_restore_a_reported_clip(client: Client) -> None:
    clip, by = made(encoded()), new_moderator()
    report, _is_new = moderation.report(
        by=UserFactory(), target_type="clip", target_id=clip.public_id, reason="spam"
    )

    moderation.act("clip", clip.public_id, by=by, action="hide", reason="spam")
    hidden = client.get(clip.get_absolute_url()).status_code
    moderation.undo_latest("clip", clip.public_id, by=by)

    assert report.title == "A clip"
    assert (hidden, client.get(clip.get_absolute_url()).status_code) == (404, 200)


def test_poster_of_a_clip_is_queued_behind_everything_else(api: Client) -> None:
    video = encoded()

    post(api, video)

    job = Job.objects.get(video=video, kind=Job.Kind.CLIP)
    assert (job.lane, job.position) == (Job.Lane.AFTER, Clip.objects.get().pk)
    assert not Job.objects.needed().filter(pk=job.pk).exists()
