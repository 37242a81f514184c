"""Clips: who makes, watches, renames and deletes them, and what they play."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import moderation
from accounts import services as account_services
from accounts.models import Follow, User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from common import storage
from common.models import PendingDeletion
from videos import services
from videos.models import CaptionTrack, Clip, Job, RetiredEncode, SegmentRun, Video, new_encode_key
from videos.services.access import password_fields
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


# Making


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


# Watching


def test_page_names_and_links_the_video_at_the_moment(client: Client) -> None:
    video = encoded(title="The film")
    clip = made(video, start_s=29.5, end_s=39.0)

    page = client.get(clip.get_absolute_url())

    text = page.content.decode()
    assert page.status_code == 200
    assert f'href="/watch/{video.public_id}/?t=29"' in text
    assert "From “The film” at 0:29" in text
    assert 'data-in="1.5" data-out="11.0"' in text
    assert f'<meta property="og:title" content="{clip.title}">' in text
    assert clip.maker.channel.name in text


@pytest.mark.parametrize(
    "change",
    [
        {"visibility": "private"},
        {"visibility": "password", **password_fields("lamps")},
        {"visibility": "followers"},
        {"withheld": "hidden"},
        {"withheld": "removed"},
        {"publish_at": timezone.now() + timedelta(days=1), "is_premiere": True},
        {"publish_at": timezone.now() + timedelta(days=1), "visibility": "private"},
        {"status": "failed"},
        {"is_playable": False},
    ],
    # Not the values: hashes and times differ in each process.
    ids=lambda change: "-".join([*change, str(change.get("withheld", ""))]).strip("-"),
)
def test_clip_follows_its_video_at_the_next_request(change: dict[str, Any], client: Client) -> None:
    clip = made(encoded())
    addresses = [
        hls(clip, "multivariant.m3u8"), hls(clip, "720p.m3u8"), f"/clips/{clip.public_id}/embed/",
    ]  # fmt: skip
    before = [client.get(address).status_code for address in addresses]

    Video.objects.filter(pk=clip.video_id or 0).update(**change)

    assert before == [200, 200, 200]
    assert [client.get(address).status_code for address in addresses] == [404, 404, 404]
    if "is_playable" not in change:
        assert client.get(clip.get_absolute_url()).status_code in {302, 404}
        assert client.get(f"/api/v1/clips/{clip.public_id}/").status_code in {403, 404}


def test_suspended_owner_takes_the_clips_along_and_a_suspended_maker_too(client: Client) -> None:
    of_owner, of_maker = made(encoded()), made(encoded())
    assert of_owner.video
    User.objects.filter(pk=of_owner.video.channel.owner_id).update(is_active=False)
    User.objects.filter(pk=of_maker.maker_id).update(is_active=False)

    statuses = [client.get(hls(clip, "720p.m3u8")).status_code for clip in (of_owner, of_maker)]

    assert statuses == [404, 404]


def test_locked_clip_shows_the_lock_of_its_video_and_then_plays(client: Client) -> None:
    clip = made(encoded(visibility="password", **password_fields("lamps and bridges")), title="Secret")
    assert clip.video
    watch = clip.video.get_absolute_url()

    locked = client.get(clip.get_absolute_url(), follow=True)
    client.post(f"{watch}unlock/", {"password": "lamps and bridges"})

    assert (locked.redirect_chain, locked.status_code) == ([(watch, 302)], 403)
    assert "Secret" not in locked.content.decode()
    assert client.get(clip.get_absolute_url()).status_code == 200
    assert client.get(hls(clip, "720p.m3u8")).status_code == 200


def test_program_with_the_token_of_a_password_plays_the_clip() -> None:
    clip = made(encoded(visibility="password", **password_fields("lamps and bridges")))
    assert clip.video
    unlock = f"/api/v1/videos/{clip.video.public_id}/unlock/"
    token = Client().post(unlock, {"password": "lamps and bridges"}).json()["token"]

    body = Client().get(f"/api/v1/clips/{clip.public_id}/?token={token}").json()
    playlist = Client().get(body["playback"]["hls_url"]).content.decode()

    assert f"720p.m3u8?token={quote(token)}" in playlist
    assert Client().get(hls(clip, f"720p.m3u8?token={token}")).status_code == 200
    assert Client().get(hls(clip, "720p.m3u8")).status_code == 404


def test_deleted_video_leaves_a_clip_that_says_so(client: Client, api: Client, maker: User) -> None:
    clip = made(encoded(), maker, title="Of a secret film")
    video = Video.objects.get(clips=clip)

    services.delete_video(video)

    page = client.get(clip.get_absolute_url())
    assert (page.status_code, "Of a secret film" in page.content.decode()) == (410, False)
    assert "Its video was deleted." in page.content.decode()
    answer = client.get(f"/api/v1/clips/{clip.public_id}/")
    assert (answer.status_code, codes(answer)) == (410, ["gone"])
    assert api.delete(f"/api/v1/clips/{clip.public_id}/").status_code == 204


def test_clip_goes_on_when_the_encode_of_its_video_is_replaced(client: Client) -> None:
    """The new encode has other cuts, so the clip begins with another segment."""
    clip = made(encoded())
    assert clip.video
    old, key = hls(clip, "720p.m3u8"), new_encode_key()
    clip.video.renditions.update(encode_key=key)
    SegmentRun.objects.filter(video=clip.video).update(encode_key=key)
    SegmentRun.objects.filter(video=clip.video).update(segments=[5.0] * 8, segment_count=8)
    Video.objects.filter(pk=clip.video_id or 0).update(encode_key=key)

    body = client.get(f"/api/v1/clips/{clip.public_id}/").json()

    assert client.get(old).status_code == 404
    assert (body["playback"]["in_s"], body["playback"]["out_s"]) == (4.5, 14.5)
    assert client.get(body["playback"]["hls_url"]).status_code == 200


def test_clip_behind_the_end_of_a_shortened_video_is_gone(client: Client) -> None:
    clip = made(encoded(), start_s=30.0, end_s=38.0)
    SegmentRun.objects.filter(video=clip.video).update(segments=[4.0] * 6, segment_count=6)
    Video.objects.filter(pk=clip.video_id or 0).update(duration_s=24.0)

    page = client.get(clip.get_absolute_url())

    assert (page.status_code, "Its part of the video was removed." in page.content.decode()) == (410, True)


def test_player_that_holds_the_playlist_of_a_replaced_encode_plays_on(client: Client) -> None:
    clip = made(encoded())
    assert clip.video
    old = hls(clip, "720p.m3u8")
    before = client.get(old).content
    RetiredEncode.objects.create(
        video=clip.video,
        encode_key=clip.video.encode_key,
        duration_s=40.0,
        storyboard_key="",
        source_key="",
        due_at=timezone.now() + timedelta(days=1),
    )
    Video.objects.filter(pk=clip.video.pk).update(encode_key=new_encode_key())

    assert client.get(old).content == before
    Video.objects.filter(pk=clip.video.pk).update(visibility="private")
    assert client.get(old).status_code == 404


@pytest.mark.storage
def test_captions_appear_at_their_time_in_the_clip(client: Client, bucket: str) -> None:
    clip = made(encoded())
    assert clip.video
    key = f"{clip.video.prefix}captions/en-1.vtt"
    storage.put_bytes(
        key, b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nEarly\n\n00:00:12.000 --> 00:00:13.000\nHere\n"
    )
    CaptionTrack.objects.create(video=clip.video, language="en", key=key, cue_count=2)

    text = client.get(hls(clip, "en.vtt")).content.decode()
    playlist = client.get(hls(clip, "captions-en.m3u8")).content.decode()

    # The first segment begins at 8 s.
    assert "00:00:04.000 --> 00:00:05.000\nHere" in text
    assert "Early" not in text
    assert "\nen.vtt\n" in playlist
    assert 'URI="captions-en.m3u8"' in client.get(hls(clip, "multivariant.m3u8")).content.decode()


def test_other_sites_get_frame_card_and_poster(client: Client) -> None:
    video = encoded()
    Video.objects.filter(pk=video.pk).update(poster_key="videos/poster.jpg")
    clip = made(video, title="Quoted")

    frame = client.get(f"/clips/{clip.public_id}/embed/")
    card = client.get(f"/oembed/?url=http://testserver/clips/{clip.public_id}/").json()
    poster = client.get(f"/clips/{clip.public_id}/poster.jpg")

    assert "frame-ancestors *" in frame["Content-Security-Policy"]
    assert f"/clips/{clip.public_id}/embed/" in card["html"]
    assert card["title"] == "Quoted"
    assert (poster.status_code, "videos/poster.jpg" in poster["Location"]) == (302, True)


def test_views_of_a_clip_are_its_own(client: Client) -> None:
    cache.clear()
    clip = made(encoded())
    address = f"/api/v1/clips/{clip.public_id}/views/"

    session = client.post(address, {"position_s": 10}, content_type="application/json").json()["session"]
    client.post(address, {"position_s": 11, "session": session}, content_type="application/json")

    clip.refresh_from_db()
    assert (clip.view_count, Video.objects.get(clips=clip).view_count) == (1, 0)


# Lists


def test_lists_show_clips_of_the_video_and_of_the_channel(client: Client) -> None:
    video = encoded()
    seen = made(video, title="Seen")
    made(video, title="Hidden", withheld="hidden")
    unlisted = made(encoded(visibility="unlisted", channel=video.channel), title="Unlisted")

    def titles(path: str) -> list[str]:
        return [clip["title"] for clip in client.get(path).json()["results"]]

    assert titles(f"/api/v1/videos/{video.public_id}/clips/") == ["Seen"]
    assert titles("/api/v1/clips/") == ["Seen"]
    assert titles(f"/api/v1/clips/?channel={video.channel.username.upper()}") == ["Seen"]
    assert titles(f"/api/v1/clips/?made_by={seen.maker.username}") == ["Seen"]
    assert titles("/api/v1/clips/?channel=nobody") == []
    assert unlisted.video
    assert titles(f"/api/v1/videos/{unlisted.video.public_id}/clips/") == ["Unlisted"]
    for path in (
        f"/watch/{video.public_id}/",
        f"/watch/{video.public_id}/clips/",
        f"/@{video.channel.username}/clips/",
    ):
        text = client.get(path).content.decode()
        assert [word in text for word in ("Seen", "Hidden", "Unlisted")] == [True, False, False], path


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/watch/{video}/clips/", 2),
        ("/@{channel}/clips/", 2),
        ("/api/v1/clips/", 1),
        ("/api/v1/videos/{video}/clips/", 2),
    ],
)
def test_lists_take_the_same_queries_for_any_number(
    path: str, queries: int, count: int, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    video = encoded()
    for _ in range(count):
        made(video)
    address = path.format(video=video.public_id, channel=video.channel.username)

    with django_assert_num_queries(queries):
        client.get(address)


@pytest.mark.parametrize("count", [1, 3])
def test_page_of_a_clip_takes_the_same_queries_beside_any_number(
    count: int, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The clip, three of its encode, captions, channel, and the others."""
    video = encoded()
    for _ in range(count):
        made(video)
    clip = made(video)

    with django_assert_num_queries(7):
        client.get(clip.get_absolute_url())


def test_playlist_takes_one_query_once_it_is_rendered(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    clip = made(encoded())
    client.get(hls(clip, "720p.m3u8"))

    with django_assert_num_queries(1):  # access
        client.get(hls(clip, "720p.m3u8"))


def test_long_list_continues_on_the_next_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.views.clips.PAGE_SIZE", 2)
    video = encoded()
    for number in range(3):
        made(video, title=f"Number {number}")
    path = f"/watch/{video.public_id}/clips/"

    first = client.get(path)
    more = client.get(path + first.context["next_query"], headers={"HX-Request": "true"})

    assert [clip.title for clip in first.context["clips"]] == ["Number 2", "Number 1"]
    assert [clip.title for clip in more.context["clips"]] == ["Number 0"]
    assert "<html" not in more.content.decode()


# Ending


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
