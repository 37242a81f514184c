"""Playlists: their making, order and bounds, who sees them, and their pages and API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import moderation
from accounts.models import Follow, Reason, User
from accounts.services import Role, grant_role
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from videos import services
from videos.models import Playlist, PlaylistItem, Video
from videos.services import playlists
from videos.services.errors import (
    NotInPlaylist,
    PlaylistFull,
    PlaylistNameless,
    TooManyPlaylists,
    VideoNotThere,
)
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def playlist_of(owner: User, *titles: str, **fields: Any) -> Playlist:
    playlist = services.create_playlist(owner, title=fields.pop("title", "A list"), **fields)
    for title in titles:
        services.add_to_playlist(playlist, VideoFactory(title=title), Viewer(owner))
    return playlist


def titles(playlist: Playlist, viewer: User | None = None) -> list[str]:
    shown = services.shown_items(playlist, Viewer.of(viewer or playlist.owner))
    return [item.video.title for item in shown]


def video_of(playlist: Playlist, title: str) -> Video:
    return PlaylistItem.objects.get(playlist=playlist, video__title=title).video


def test_videos_are_appended_once(person: User) -> None:
    playlist = playlist_of(person, "a", "b")

    services.add_to_playlist(playlist, video_of(playlist, "a"), Viewer(person))

    assert titles(playlist) == ["a", "b"]


@pytest.mark.parametrize(
    ("moved", "before", "expected"),
    [("a", "", "bcda"), ("d", "a", "dabc"), ("c", "b", "acbd"), ("b", "c", "abcd"), ("a", "d", "bcad")],
)
def test_video_moves_in_front_of_another(person: User, moved: str, before: str, expected: str) -> None:
    playlist = playlist_of(person, *"abcd")
    target = video_of(playlist, before).public_id if before else ""

    services.move_in_playlist(playlist, video_of(playlist, moved).public_id, before=target)

    assert "".join(titles(playlist)) == expected


def test_order_stays_after_removals_and_additions(person: User) -> None:
    playlist = playlist_of(person, *"abc")
    services.remove_from_playlist(playlist, video_of(playlist, "a").public_id)

    services.add_to_playlist(playlist, VideoFactory(title="d"), Viewer(person))
    services.move_in_playlist(
        playlist, video_of(playlist, "d").public_id, before=video_of(playlist, "c").public_id
    )

    assert "".join(titles(playlist)) == "bdc"


def test_move_next_to_a_removed_video_is_refused(person: User) -> None:
    playlist = playlist_of(person, *"ab")
    removed = video_of(playlist, "a").public_id
    services.remove_from_playlist(playlist, removed)

    for video, before in ((removed, ""), (video_of(playlist, "b").public_id, removed)):
        with pytest.raises(NotInPlaylist):
            services.move_in_playlist(playlist, video, before=before)


def test_bounds_of_playlists(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlists, "MAX_ITEMS", 2)
    monkeypatch.setattr(playlists, "MAX_PLAYLISTS", 2)
    playlist = playlist_of(person, "a", "b")

    with pytest.raises(PlaylistFull):
        services.add_to_playlist(playlist, VideoFactory(), Viewer(person))
    with pytest.raises(PlaylistNameless):
        services.create_playlist(person, title="  ")
    playlist_of(person)
    with pytest.raises(TooManyPlaylists):
        services.create_playlist(person, title="Third")


def test_video_that_the_person_may_not_watch_is_not_added(person: User) -> None:
    playlist = playlist_of(person)

    with pytest.raises(VideoNotThere):
        services.add_to_playlist(playlist, VideoFactory(visibility="private"), Viewer(person))


def test_list_shows_each_viewer_the_videos_that_they_may_watch(person: User) -> None:
    playlist = playlist_of(person, "public", visibility="public")
    own = VideoFactory(title="private", channel=person.channel, visibility="private")
    services.add_to_playlist(playlist, own, Viewer(person))

    assert titles(playlist) == ["public", "private"]
    assert titles(playlist, UserFactory()) == ["public"]


@pytest.mark.parametrize(
    ("fields", "owner", "stranger", "moderator"),
    [
        ({"visibility": "public"}, True, True, True),
        ({"visibility": "unlisted"}, True, True, True),
        ({"visibility": "private"}, True, False, True),
        ({"visibility": "public", "withheld": "hidden"}, True, False, True),
        ({"visibility": "public", "withheld": "removed"}, False, False, True),
        ({"kind": "watch_later", "visibility": "private"}, True, False, False),
    ],
)
def test_visibility_of_a_playlist(
    person: User, fields: dict[str, str], owner: bool, stranger: bool, moderator: bool
) -> None:
    playlist = Playlist.objects.create(owner=person, title="A list", **fields)
    desk = UserFactory()
    grant_role(user=desk, role=Role.MODERATOR)

    assert [playlist.can_see(one) for one in (person, UserFactory(), desk)] == [owner, stranger, moderator]


def test_watch_later_is_one_list_that_is_emptied_and_not_renamed(person: User) -> None:
    later = services.watch_later(person)
    assert services.watch_later(person) == later
    services.add_to_playlist(later, VideoFactory(), Viewer(person))

    services.edit_playlist(later, title="Mine", visibility="public")
    services.delete_playlist(later)

    later.refresh_from_db()
    assert (later.name, later.visibility, later.items.count()) == ("Watch later", "private", 0)


def test_lists_of_a_person_take_few_queries(
    person: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    lists = [services.watch_later(person), *(playlist_of(person, "a", "b") for _ in range(4))]

    with django_assert_num_queries(2):
        covers = services.covers_of(lists, Viewer(person))

    assert [(count, bool(video)) for _one, count, video in covers] == [(0, False)] + [(2, True)] * 4


def test_long_list_for_followers_takes_few_queries(
    person: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    playlist, viewer = playlist_of(person, visibility="public"), UserFactory()
    videos = [VideoFactory(title=str(number), visibility="followers") for number in range(4)]
    for position, video in enumerate(videos):
        PlaylistItem.objects.create(playlist=playlist, video=video, position=position)
    Follow.objects.create(follower=viewer, channel=videos[1].channel)

    # The items, the follows, and the roles of the viewer.
    with django_assert_num_queries(3):
        assert titles(playlist, viewer) == ["1"]


def test_video_is_saved_and_removed_from_its_page(signed_in: Client, person: User) -> None:
    video, later = VideoFactory(), services.watch_later(person)
    address = f"/watch/{video.public_id}/save/"

    answer = signed_in.post(
        address, {"playlist": later.public_id, "saved": "1"}, headers={"HX-Request": "true"}
    )
    assert 'aria-pressed="true"' in answer.content.decode()
    signed_in.post(address, {"playlist": later.public_id, "saved": "0"})
    assert later.items.count() == 0
    signed_in.post(address, {"title": "New list"})
    made = Playlist.objects.get(title="New list")
    assert (made.visibility, made.items.get().video) == ("private", video)


def test_lists_of_others_cannot_be_changed(signed_in: Client) -> None:
    theirs = playlist_of(UserFactory(), "a", "b", visibility="public")
    video = video_of(theirs, "a")
    base = f"/playlists/{theirs.public_id}"

    answers = [
        signed_in.post(f"/watch/{video.public_id}/save/", {"playlist": theirs.public_id, "saved": "0"}),
        signed_in.post(f"{base}/edit/", {"title": "Mine", "visibility": "public"}),
        signed_in.post(f"{base}/{video.public_id}/remove/"),
        signed_in.post(f"{base}/{video.public_id}/move/"),
        signed_in.post(f"{base}/delete/"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert (theirs.title, titles(theirs)) == ("A list", ["a", "b"])


def test_page_edits_orders_and_deletes_the_list(signed_in: Client, person: User) -> None:
    playlist = playlist_of(person, *"abc")
    base = playlist.get_absolute_url()

    signed_in.post(f"{base}edit/", {"title": "Renamed", "visibility": "public", "description": "Words"})
    signed_in.post(
        f"{base}{video_of(playlist, 'c').public_id}/move/", {"before": video_of(playlist, "a").public_id}
    )
    page = Client().get(base).content.decode()
    assert "Renamed" in page
    assert "Words" in page
    assert "".join(titles(playlist)) == "cab"
    signed_in.post(f"{base}delete/")
    assert not Playlist.objects.filter(pk=playlist.pk).exists()
    assert Video.objects.count() == 3


def test_watch_page_plays_the_list_to_its_end(client: Client, person: User) -> None:
    playlist = playlist_of(person, *"abc", visibility="unlisted")

    def queue(title: str, list_id: str) -> Any:
        return client.get(f"{video_of(playlist, title).get_absolute_url()}?list={list_id}").context["queue"]

    middle = queue("b", playlist.public_id)
    assert (middle.place, middle.next_item.video.title) == (1, "c")
    assert queue("c", playlist.public_id).next_item is None
    assert queue("a", "unknown") is None
    Playlist.objects.update(visibility="private")
    assert queue("b", playlist.public_id) is None, "the list of somebody else"


def test_decision_of_the_desk_hides_a_list_and_can_be_undone(person: User) -> None:
    playlist, desk = playlist_of(person, visibility="public"), UserFactory()
    grant_role(user=desk, role=Role.MODERATOR)
    stranger = UserFactory()

    moderation.act("playlist", playlist.public_id, by=desk, action="hide", reason=Reason.SPAM)
    playlist.refresh_from_db()
    assert not playlist.can_see(stranger)
    moderation.undo_latest("playlist", playlist.public_id, by=desk)
    playlist.refresh_from_db()
    assert playlist.can_see(stranger)


def test_api_makes_fills_orders_and_reads_a_list(signed_in: Client, person: User) -> None:
    first, second = VideoFactory(title="a"), VideoFactory(title="b")

    def send(method: str, path: str, body: dict[str, str] | None = None) -> Any:
        return signed_in.generic(
            method.upper(), f"/api/v1/playlists/{path}", json.dumps(body or {}), "application/json"
        )

    made = send("post", "", {"title": "A list", "visibility": "public"})
    list_id = made.json()["id"]
    assert made.status_code == 201
    for video in (first, second):
        assert send("put", f"{list_id}/items/{video.public_id}/").status_code == 204
    moved = send("patch", f"{list_id}/items/{second.public_id}/", {"before": first.public_id})
    assert moved.status_code == 204

    read = Client().get(f"/api/v1/playlists/{list_id}/").json()
    assert [item["video"]["title"] for item in read["items"]] == ["b", "a"]
    assert [one["title"] for one in send("get", "").json()] == ["Watch later", "A list"]
    assert send("delete", f"{list_id}/items/{first.public_id}/").status_code == 204
    assert send("patch", f"{list_id}/", {"visibility": "private"}).json()["visibility"] == "private"
    assert Client().get(f"/api/v1/playlists/{list_id}/").status_code == 404
    assert send("delete", f"{list_id}/").status_code == 204
