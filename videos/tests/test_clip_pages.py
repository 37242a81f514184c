"""Pages, playlists and lists of clips."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from common import storage
from videos import services
from videos.models import CaptionTrack, Clip, RetiredEncode, SegmentRun, Video, new_encode_key
from videos.services.access import password_fields
from videos.tests.test_clips import api, codes, encoded, hls, made, maker

__all__ = ["api", "maker"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


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


def test_cut_clip_is_gone_though_the_video_has_segments_at_its_times(client: Client) -> None:
    clip = made(encoded(), poster_key="videos/clip.jpg")
    playlists = [hls(clip, "multivariant.m3u8"), hls(clip, "720p.m3u8")]
    address = f"/clips/{clip.public_id}/"
    before = [client.get(playlist).status_code for playlist in playlists]
    Clip.objects.filter(pk=clip.pk).update(is_cut=True)

    page = client.get(address)
    client.force_login(clip.maker)
    studio = client.get("/studio/clips/")
    answers = [client.get(f"{address}{name}").status_code for name in ("embed/", "poster.jpg")]

    assert before == [200, 200]
    assert [client.get(playlist).status_code for playlist in playlists] == [404, 404]
    assert (page.status_code, client.get(address).status_code, answers) == (410, 410, [404, 404])
    assert client.get(f"/api/v1/clips/{clip.public_id}/").json()["playback"] is None
    assert client.get(f"/oembed/?url=http://testserver{address}").status_code == 404
    assert clip.title in studio.content.decode()
    assert not any("clip.jpg" in answer.content.decode() for answer in (page, studio))


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

    session = ""
    for seconds in (10, 20, 30):
        report = {"position_s": seconds, "session": session}
        with mock.patch("videos.services.watching.time", return_value=1_000_000 + seconds):
            session = client.post(address, report, content_type="application/json").json()["session"]

    clip.refresh_from_db()
    assert (clip.view_count, Video.objects.get(clips=clip).view_count) == (1, 0)


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
        ("/@{channel}/clips/", 5),
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
