"""Videos for viewers with a password, and for followers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from pytest_django import Settings

from accounts.models import Follow, User
from accounts.tests.factories import UserFactory
from accounts.viewers import MAX_KEYS, SESSION_KEY, Viewer
from comments.tests.factories import CommentFactory
from videos import services
from videos.models import Video
from videos.services.errors import PasswordMissing
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

PASSWORD = "lamps & bridges"


@pytest.fixture(autouse=True)
def fast_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def locked() -> Video:
    video: Video = VideoFactory(title="The title", poster_key="poster")
    services.edit_video(video, visibility="password", password=PASSWORD)
    return video


@pytest.fixture
def followed() -> Video:
    video: Video = VideoFactory(visibility="followers", title="The title")
    return video


def page(video: Video) -> str:
    return f"/watch/{video.public_id}/"


def playlist(video: Video, name: str = "multivariant") -> str:
    return f"/videos/{video.public_id}/hls/{video.encode_key}/{name}.m3u8"


def unlock(client: Client, video: Video, password: str = PASSWORD) -> int:
    return client.post(f"{page(video)}unlock/", {"password": password}).status_code


def statuses(client: Client, video: Video) -> dict[str, int]:
    """Return the answers of everything that belongs to a video."""
    api = f"/api/v1/videos/{video.public_id}/"
    paths = [page(video), playlist(video), playlist(video, "720p"), api, f"{page(video)}comments/"]
    paths += [f"{api}{name}/" for name in ("comments", "danmaku", "captions")]
    return {path: client.get(path, headers={"HX-Request": "true"}).status_code for path in paths}


def test_password_is_stored_only_as_its_hash(locked: Video) -> None:
    locked.refresh_from_db()

    assert PASSWORD not in str(Video.objects.filter(pk=locked.pk).values())
    assert locked.password_hash.startswith("md5$")


def test_locked_page_shows_no_title_no_poster_and_no_address_of_the_video(
    client: Client, locked: Video
) -> None:
    response = client.get(page(locked))
    html = response.content.decode()

    assert response.status_code == 403
    assert "The title" not in html
    assert locked.channel.name not in html
    assert "m3u8" not in html
    assert "poster" not in html
    assert '<meta name="robots" content="noindex">' in html
    assert "no-store" in response["Cache-Control"]


def test_password_opens_everything_of_the_video_for_the_session(client: Client, locked: Video) -> None:
    assert set(statuses(client, locked).values()) == {403, 404}

    client.session.save()
    before = client.session.session_key

    assert unlock(client, locked) == 302

    # A session ID that somebody planted does not get the key.
    assert client.session.session_key != before
    assert set(statuses(client, locked).values()) == {200}
    assert set(statuses(Client(), locked).values()) == {403, 404}


def test_wrong_password_opens_nothing(client: Client, locked: Video) -> None:
    response = client.post(f"{page(locked)}unlock/", {"password": PASSWORD.upper()})

    assert response.status_code == 422
    assert "Wrong password" in response.content.decode()
    assert client.get(playlist(locked)).status_code == 404


def test_new_password_locks_the_video_again(client: Client, locked: Video) -> None:
    unlock(client, locked)

    services.edit_video(locked, password="another one")

    assert set(statuses(client, locked).values()) == {403, 404}
    assert unlock(client, locked) == 422
    assert unlock(client, locked, "another one") == 302


def test_same_password_set_again_locks_the_video_again(client: Client, locked: Video) -> None:
    unlock(client, locked)

    services.edit_video(locked, password=PASSWORD)

    assert client.get(playlist(locked)).status_code == 404


def test_key_of_one_video_opens_no_other(client: Client, locked: Video) -> None:
    other: Video = VideoFactory()
    services.edit_video(other, visibility="password", password=PASSWORD)

    unlock(client, locked)

    assert client.get(playlist(other)).status_code == 404


def test_private_video_stays_private_for_holders_of_its_password(client: Client, locked: Video) -> None:
    unlock(client, locked)

    services.edit_video(locked, visibility="private")

    assert set(statuses(client, locked).values()) == {404}


def test_signing_out_locks_the_video_again(client: Client, locked: Video) -> None:
    client.force_login(UserFactory())
    unlock(client, locked)
    assert client.get(playlist(locked)).status_code == 200

    client.logout()

    assert client.get(playlist(locked)).status_code == 404


def test_session_keeps_a_bounded_number_of_keys(client: Client, locked: Video) -> None:
    session = client.session
    session[SESSION_KEY] = [f"video{number}:x" for number in range(MAX_KEYS)]
    session.save()

    unlock(client, locked)

    assert len(client.session[SESSION_KEY]) == MAX_KEYS
    assert client.get(playlist(locked)).status_code == 200


@pytest.mark.redis
def test_wrong_passwords_of_one_address_are_limited_for_each_video(
    client: Client, locked: Video, settings: Settings
) -> None:
    settings.RATE_LIMITS = True
    other: Video = VideoFactory()
    services.edit_video(other, visibility="password", password=PASSWORD)

    answers = [client.post(f"{page(locked)}unlock/", {"password": "wrong"}) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert unlock(client, locked) == 429, "the right password tells nothing either"
    assert unlock(client, other) == 302


def test_person_with_the_password_can_report_the_video_and_its_comments(
    client: Client, locked: Video
) -> None:
    client.force_login(UserFactory())
    comment = CommentFactory(target=locked, author=UserFactory())
    reports = [
        {"target_type": kind, "target_id": public_id, "reason": "spam"}
        for kind, public_id in [("video", locked.public_id), ("comment", comment.public_id)]
    ]

    before = [client.post("/api/v1/reports/", report).status_code for report in reports]
    unlock(client, locked)
    after = [client.post("/api/v1/reports/", report).status_code for report in reports]

    assert (before, after) == ([404, 404], [201, 201])


def test_api_names_the_reason_and_gives_a_token_for_the_password(client: Client, locked: Video) -> None:
    api = f"/api/v1/videos/{locked.public_id}/"
    refused = client.get(api)

    token = client.post(f"{api}unlock/", {"password": PASSWORD}).json()["token"]

    assert refused.json()["errors"][0]["code"] == "password_required"
    video = client.get(api, {"token": token}).json()
    found = client.get(video["playback"]["hls_url"])
    media = [line for line in found.content.decode().splitlines() if line.startswith("720p")]
    assert found.status_code == 200
    assert client.get(playlist(locked, "720p")).status_code == 404
    assert client.get(playlist(locked, "720p").replace("720p.m3u8", media[0])).status_code == 200
    assert client.get(f"{api}danmaku/", {"token": token}).status_code == 200
    assert client.get(page(locked), {"token": token}).status_code == 403, "a page takes no token"


def test_token_of_an_older_password_or_another_video_opens_nothing(client: Client, locked: Video) -> None:
    api = f"/api/v1/videos/{locked.public_id}/"
    token = client.post(f"{api}unlock/", {"password": PASSWORD}).json()["token"]
    other: Video = VideoFactory()
    services.edit_video(other, visibility="password", password=PASSWORD)

    assert client.get(playlist(other), {"token": token}).status_code == 404
    services.edit_video(locked, password="another one")
    assert client.get(playlist(locked), {"token": token}).status_code == 404
    assert client.get(playlist(locked), {"token": f"{token}x"}).status_code == 404


def test_playlist_of_an_open_video_carries_no_token(client: Client) -> None:
    video: Video = VideoFactory()

    assert "token" not in client.get(playlist(video), {"token": "x"}).content.decode()


def test_password_visibility_requires_a_password(client: Client) -> None:
    video: Video = VideoFactory()

    with pytest.raises(PasswordMissing):
        services.edit_video(video, visibility="password")

    assert Video.objects.get(pk=video.pk).visibility == "public"


@pytest.mark.parametrize(
    ("body", "status", "attr"),
    [
        ({"visibility": "password"}, 400, "password"),
        ({"visibility": "password", "password": "abc"}, 400, "password"),
        ({"visibility": "password", "password": PASSWORD}, 200, None),
        ({"visibility": "followers"}, 200, None),
    ],
)
def test_owner_sets_password_and_followers_by_the_api(
    client: Client, body: dict[str, Any], status: int, attr: str | None
) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)

    response = client.patch(f"/api/v1/videos/{video.public_id}/", body, content_type="application/json")

    assert response.status_code == status
    assert "password" not in response.json()
    if attr:
        assert response.json()["errors"][0]["attr"] == attr


def test_studio_form_asks_for_a_missing_password_and_sets_it(client: Client) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)
    form = {"title": "T", "category": "other", "visibility": "password", "comments_mode": "open"}

    refused = client.post(f"/studio/{video.public_id}/", form)
    saved = client.post(f"/studio/{video.public_id}/", form | {"password": PASSWORD})
    kept = client.post(f"/studio/{video.public_id}/", form)

    assert (refused.status_code, saved.status_code, kept.status_code) == (422, 302, 302)
    assert unlock(Client(), video) == 302


def test_admin_cannot_choose_a_password_visibility_without_a_password(
    admin_client: Client, locked: Video
) -> None:
    video: Video = VideoFactory()
    fields = {"title": "T", "category": "other", "visibility": "password"}
    management = {"jobs-TOTAL_FORMS": 0, "jobs-INITIAL_FORMS": 0}

    admin_client.post(f"/admin/videos/video/{video.pk}/change/", fields | management)
    admin_client.post(f"/admin/videos/video/{locked.pk}/change/", fields | management)

    assert [Video.objects.get(pk=each.pk).title for each in (video, locked)] == [video.title, "T"]


def test_followers_watch_and_others_are_invited_to_follow(client: Client, followed: Video) -> None:
    person: User = UserFactory()
    anonymous = client.get(page(followed))
    client.force_login(person)
    stranger = client.get(page(followed))

    client.post(f"/@{followed.channel.username}/follow/", {"following": "true", "next": page(followed)})
    follower = client.get(page(followed))

    assert (anonymous.status_code, stranger.status_code, follower.status_code) == (403, 403, 200)
    assert "Follow and watch" in stranger.content.decode()
    for response in (anonymous, stranger):
        assert followed.channel.name in response.content.decode()
        assert "The title" not in response.content.decode()
    assert set(statuses(client, followed).values()) == {200}


def test_unfollowing_ends_access_at_the_next_request(client: Client, followed: Video) -> None:
    person: User = UserFactory()
    client.force_login(person)
    follow = Follow.objects.create(follower=person, channel=followed.channel)
    assert client.get(playlist(followed)).status_code == 200

    follow.delete()

    assert set(statuses(client, followed).values()) == {403, 404}


@pytest.mark.parametrize(("visibility", "shown_to_followers"), [("password", []), ("followers", ["/"])])
def test_locked_video_is_in_no_list_but_the_feed_of_followers(
    client: Client, visibility: str, shown_to_followers: list[str]
) -> None:
    video: Video = VideoFactory(title="Rare lamps")
    services.edit_video(video, visibility=visibility, password=PASSWORD)
    Follow.objects.create(follower=(person := UserFactory()), channel=video.channel)
    pages = ["/", "/search/?q=rare", f"/@{video.channel.username}/"]
    lists = ["/api/v1/videos/", "/api/v1/videos/?q=rare"]

    for viewer, shown in ((UserFactory(), []), (person, shown_to_followers)):
        client.force_login(viewer)
        found = [path for path in pages if video.public_id in client.get(path).content.decode()]
        assert found == shown
        assert [path for path in lists if client.get(path).json()["results"]] == []


@pytest.mark.parametrize("visibility", ["password", "followers"])
def test_locked_video_cannot_be_embedded(client: Client, visibility: str) -> None:
    video: Video = VideoFactory(poster_key="poster")
    services.edit_video(video, visibility=visibility, password=PASSWORD)
    client.force_login(video.channel.owner)
    paths = [
        f"/embed/{video.public_id}/",
        f"/watch/{video.public_id}/poster.jpg",
        f"/oembed/?url=http://testserver/watch/{video.public_id}/",
    ]

    assert [client.get(path).status_code for path in paths] == [404, 404, 404]
    assert "oembed" not in client.get(page(video)).content.decode()


def test_moderators_decision_ends_access_by_password(client: Client, locked: Video) -> None:
    unlock(client, locked)

    Video.objects.update(withheld="hidden")

    assert set(statuses(client, locked).values()) == {404}


def test_video_without_password_admits_no_key(locked: Video) -> None:
    """A row that was changed by hand opens to nobody."""
    locked.password_version = ""

    class Session(dict[str, Any]):
        pass

    viewer = Viewer(AnonymousUser(), Session({SESSION_KEY: [locked.password_key]}))  # type: ignore[arg-type]
    assert not locked.can_watch(viewer)
