"""*Not interested*: the lists without dismissed videos, the menu, and the list of dismissals."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Follow, User
from videos import services
from videos.models import DismissedVideo, Video
from videos.services import dismissals
from videos.tests.factories import VideoFactory
from videos.views.watching import related

pytestmark = pytest.mark.django_db


def dismiss(client: Client, video: Video, dismissed: str = "1") -> int:
    address = f"/watch/{video.public_id}/dismiss/"
    return client.post(address, {"dismissed": dismissed}, headers={"HX-Request": "true"}).status_code


def home(client: Client) -> list[str]:
    return [video.title for video in client.get("/").context["page"].videos]


def test_dismissed_video_leaves_home_and_related_lists_of_its_person_only(
    signed_in: Client, person: User
) -> None:
    unwanted, other, third = (VideoFactory(title=title) for title in ("Unwanted", "Other", "Third"))

    assert [dismiss(signed_in, unwanted), dismiss(signed_in, unwanted)] == [204, 204]

    assert set(home(signed_in)) == {"Other", "Third"}
    assert set(home(Client())) == {"Unwanted", "Other", "Third"}
    assert related(other, person) == [third]
    assert DismissedVideo.objects.count() == 1


def test_dismissed_video_stays_in_search_and_in_the_feed_of_its_channel(
    signed_in: Client, person: User
) -> None:
    video = VideoFactory(title="Unwanted")
    Follow.objects.create(follower=person, channel=video.channel)
    services.dismiss(video, person)

    for address in ("/search/?q=unwanted", "/following/", video.channel.get_absolute_url()):
        assert [one.title for one in signed_in.get(address).context["page"].videos] == ["Unwanted"], address


def test_undone_dismissal_shows_the_video_again(signed_in: Client) -> None:
    video = VideoFactory(title="Wanted")
    dismiss(signed_in, video)

    assert dismiss(signed_in, video, "0") == 204
    assert home(signed_in) == ["Wanted"]


def test_oldest_dismissal_beyond_the_bound_is_forgotten(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dismissals, "MAX_DISMISSED", 2)
    videos = VideoFactory.create_batch(3)

    for video in videos:
        services.dismiss(video, person)

    kept = DismissedVideo.objects.order_by("pk").values_list("video", flat=True)
    assert list(kept) == [video.pk for video in videos[1:]]


def test_list_of_dismissals_is_paged_and_cleared(
    signed_in: Client, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videos.views.dismissals.PAGE_SIZE", 2)
    for title in "abc":
        services.dismiss(VideoFactory(title=title), person)
    services.dismiss(VideoFactory(title="Gone", visibility="private"), person)

    first = signed_in.get("/not-interested/")
    second = signed_in.get("/not-interested/", {"after": first.context["after"]})

    assert [[video.title for video in page.context["videos"]] for page in (first, second)] == [
        ["c"],
        ["b", "a"],
    ]
    assert second.context["after"] == ""
    assert signed_in.post("/not-interested/clear/").status_code == 302
    assert signed_in.get("/not-interested/").context["is_empty"]


def test_dismissal_needs_access_to_the_video(signed_in: Client) -> None:
    assert dismiss(signed_in, VideoFactory(visibility="private")) == 404
    assert not DismissedVideo.objects.exists()


def test_menu_offers_the_actions_that_its_reader_has(signed_in: Client, person: User) -> None:
    own, other = VideoFactory(channel=person.channel), VideoFactory()

    def offered(client: Client, video: Video) -> list[str]:
        page = client.get(f"/watch/{video.public_id}/actions/?menu").content.decode()
        names = ("data-later", "data-save=", "data-dismiss", "data-report=", "/accounts/login/")
        return [name.strip("=/") for name in names if name in page]

    assert offered(signed_in, other) == ["data-later", "data-save", "data-dismiss", "data-report"]
    assert offered(signed_in, own) == ["data-later", "data-save"]
    assert offered(Client(), other) == ["data-report", "accounts/login"]


def test_menu_without_scripts_is_a_page_whose_forms_work(signed_in: Client, person: User) -> None:
    video = VideoFactory(title="A walk")
    later = services.watch_later(person)

    page = signed_in.get(f"/watch/{video.public_id}/actions/").content.decode()
    signed_in.post(f"/watch/{video.public_id}/save/", {"playlist": later.public_id, "saved": "1"})
    response = signed_in.post(f"/watch/{video.public_id}/dismiss/")

    assert "popover" not in page.partition("<main")[2].partition("</main>")[0]
    assert response.headers["Location"] == "/not-interested/"
    saved = signed_in.get(f"/watch/{video.public_id}/actions/?menu").content.decode()
    assert "Remove from Watch later" in saved
