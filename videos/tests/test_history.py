"""Watch history: recording, resuming, lists, and their privacy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Follow, User
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from videos import services
from videos.models import TimelineChange, Video, WatchedVideo
from videos.services import history
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def long_video(**fields: Any) -> Video:
    video: Video = VideoFactory(duration_s=600.0, **fields)
    return video


def watched(
    person: User, video: Video, position_s: float = 100, ago: timedelta = timedelta()
) -> WatchedVideo:
    return WatchedVideo.objects.create(
        user=person, video=video, position_s=position_s, watched_at=timezone.now() - ago
    )


def report(client: Client, video: Video, position_s: float) -> int:
    url = f"/api/v1/videos/{video.public_id}/views/"
    return client.post(url, {"position_s": position_s}, content_type="application/json").status_code


def titles(client: Client, query: str = "") -> list[str]:
    page = client.get(f"/history/{query}")
    return [entry.video.title for entry in page.context["entries"]]


def test_report_of_a_player_adds_one_entry_and_renews_it(signed_in: Client, person: User) -> None:
    video = long_video()

    assert [report(signed_in, video, position) for position in (10, 20.5)] == [200, 200]

    entry = WatchedVideo.objects.get(user=person)
    assert (entry.video, entry.position_s) == (video, 20.5)


def test_position_beyond_the_end_is_the_end(signed_in: Client) -> None:
    report(signed_in, long_video(), 10_000)

    assert WatchedVideo.objects.get().position_s == 600


def test_report_without_an_account_adds_nothing(client: Client) -> None:
    assert report(client, long_video(), 10) == 200
    assert not WatchedVideo.objects.exists()


def test_paused_history_keeps_its_entries_and_gets_no_new_ones(signed_in: Client, person: User) -> None:
    old, new = long_video(title="Old"), long_video(title="New")
    watched(person, old)

    signed_in.post("/history/pause/", {"paused": "1"})
    report(signed_in, new, 10)
    assert titles(signed_in) == ["Old"]

    signed_in.post("/history/pause/", {"paused": "0"})
    report(signed_in, new, 10)
    assert titles(signed_in) == ["New", "Old"]


@pytest.mark.parametrize(
    ("position_s", "duration_s", "expected"),
    [(100, 600, 100), (4, 600, 0), (580, 600, 0), (50, 110, 0), (50, None, 0)],
)
def test_playback_resumes_in_the_middle_of_long_videos(
    person: User, position_s: float, duration_s: float | None, expected: float
) -> None:
    video = VideoFactory(duration_s=duration_s)
    watched(person, video, position_s)

    assert services.resume_s(video, person) == expected


def test_position_moves_with_a_trimmed_video(person: User) -> None:
    video = long_video()
    before, cut = watched(person, video, 300), watched(UserFactory(), video, 20)
    TimelineChange.objects.create(video=video, parts=[[60, 500]])
    Video.objects.filter(pk=video.pk).update(kept_parts=[[60, 500]], duration_s=440)
    after = watched(UserFactory(), video, 200)

    found = {entry.pk: entry for entry in WatchedVideo.objects.for_cards()}

    assert [found[entry.pk].resume_s for entry in (before, cut, after)] == [240, 0, 200]
    assert found[before.pk].percent == 55


def test_player_of_the_page_has_the_position_of_another_device(signed_in: Client, person: User) -> None:
    video = long_video()
    watched(person, video, 123.7)

    assert 'data-resume="123"' in signed_in.get(video.get_absolute_url()).content.decode()
    assert "data-resume" not in Client().get(video.get_absolute_url()).content.decode()


def test_history_is_found_by_title_and_channel_in_any_case(signed_in: Client, person: User) -> None:
    channel = UserFactory().channel
    channel.display_name = "Mária Köhler"
    channel.save()
    watched(person, long_video(title="Ölmalerei für Anfänger"), ago=timedelta(hours=1))
    watched(person, long_video(title="Other", channel=channel))

    assert titles(signed_in, "?q=ölmalerei ANFÄNGER") == ["Ölmalerei für Anfänger"]
    assert titles(signed_in, "?q=köhler") == ["Other"]
    assert titles(signed_in, "?q=100%25") == []


def test_history_hides_videos_that_the_person_may_not_watch_any_more(signed_in: Client, person: User) -> None:
    """Hold it for the page, the shelf and the API."""
    private, followed = (
        long_video(visibility="private"),
        long_video(visibility="followers", title="For followers"),
    )
    Follow.objects.create(follower=person, channel=followed.channel)
    for video in (private, followed, long_video(withheld="hidden"), long_video(title="Public")):
        watched(person, video)

    expected = ["Public", "For followers"]
    assert titles(signed_in) == expected
    assert [entry.video.title for entry in services.continued(Viewer(person), 9)] == expected
    listed = signed_in.get("/api/v1/history/").json()["results"]
    assert [entry["video"]["title"] for entry in listed] == expected


def test_history_of_one_person_is_closed_to_others(signed_in: Client, person: User) -> None:
    other = watched(UserFactory(), long_video(title="Theirs"))

    assert titles(signed_in) == []
    signed_in.post(f"/history/{other.video.public_id}/forget/")
    signed_in.post("/history/clear/")
    signed_in.delete("/api/v1/history/")
    assert WatchedVideo.objects.filter(pk=other.pk).exists()


def test_entries_are_removed_one_by_one_and_all_at_once(signed_in: Client, person: User) -> None:
    entries = [watched(person, long_video(title=str(number))) for number in range(3)]

    signed_in.post(f"/history/{entries[0].video.public_id}/forget/")
    assert titles(signed_in) == ["2", "1"]
    assert signed_in.delete(f"/api/v1/history/{entries[1].video.public_id}/").status_code == 204
    assert titles(signed_in) == ["2"]
    signed_in.post("/history/clear/")
    assert titles(signed_in) == []


def test_pages_of_the_history_follow_each_other(
    signed_in: Client, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videos.views.history.PAGE_SIZE", 2)
    for number in range(3):
        watched(person, long_video(title=str(number)), ago=timedelta(minutes=number))

    first = signed_in.get("/history/")
    assert [entry.video.title for entry in first.context["entries"]] == ["0", "1"]
    assert titles(signed_in, f"?after={first.context['after']}") == ["2"]


def test_page_of_unavailable_videos_leads_to_older_ones(
    signed_in: Client, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videos.views.history.PAGE_SIZE", 2)
    for number in range(2):
        watched(person, long_video(visibility="private"), ago=timedelta(minutes=number))
    watched(person, long_video(title="Older"), ago=timedelta(hours=1))

    first = signed_in.get("/history/")

    assert "No watched videos yet" not in first.content.decode()
    assert f"after={first.context['after']}" in first.content.decode()
    assert titles(signed_in, f"?after={first.context['after']}") == ["Older"]


def test_paused_history_does_not_take_a_viewer_back(person: User) -> None:
    """The player continues at the position that its browser has kept."""
    video = long_video()
    watched(person, video, 300)
    services.pause_history(person, is_paused=True)

    assert services.resume_s(video, person) == 0


def test_home_continues_unfinished_videos_and_lists_show_their_progress(
    signed_in: Client, person: User
) -> None:
    half, done = long_video(title="Half"), long_video(title="Done")
    watched(person, half, 300)
    watched(person, done, 599)

    home = signed_in.get("/")

    assert [entry.video.title for entry in home.context["continued"]] == ["Half"]
    assert {video.title: video.watched_percent for video in home.context["page"].videos} == {
        "Half": 50,
        "Done": 100,
    }
    assert signed_in.get("/?category=music").context["continued"] == []
    assert Client().get("/").context["continued"] == []


def test_progress_of_a_list_takes_two_queries(
    person: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    videos = [long_video() for _ in range(3)]
    watched(person, videos[1], 60)

    with django_assert_num_queries(2):
        services.add_progress(videos, person)

    assert [video.watched_percent for video in videos] == [None, 10, None]


def test_api_lists_and_pauses_the_history(signed_in: Client, person: User) -> None:
    video = long_video(title="A film")
    watched(person, video, 60)

    entry = signed_in.get("/api/v1/history/?q=film").json()["results"][0]
    assert (entry["video"]["id"], entry["position_s"], entry["resume_s"]) == (video.public_id, 60, 60)
    assert signed_in.get("/api/v1/history/?q=other").json()["results"] == []
    body = {"is_paused": True}
    answer = signed_in.put("/api/v1/history/state/", body, content_type="application/json")
    assert answer.json() == body == signed_in.get("/api/v1/history/state/").json()
    assert services.is_history_paused(person)


def test_oldest_entries_beyond_the_bound_are_deleted(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_WATCHED", 2)
    entries = [watched(person, long_video(), ago=timedelta(hours=hours)) for hours in range(4)]
    kept = watched(UserFactory(), long_video(), ago=timedelta(days=300))

    services.prune_histories()

    assert set(WatchedVideo.objects.all()) == {*entries[:2], kept}
