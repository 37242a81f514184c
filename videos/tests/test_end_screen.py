"""The end screen of a video: the next video, and more of the channel."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from videos import services
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def end_of(client: Client, address: str) -> dict[str, Any]:
    end: dict[str, Any] = client.get(address).context["end"]
    return end


def test_next_video_is_the_first_related_one(client: Client) -> None:
    other = VideoFactory()
    video = VideoFactory()

    end = end_of(client, video.get_absolute_url())

    assert (end["next"], end["next_url"]) == (other, other.get_absolute_url())


def test_next_video_of_a_playlist_keeps_its_order_and_ends_with_it(client: Client) -> None:
    owner = UserFactory()
    playlist = services.create_playlist(owner, title="Evening", visibility="public")
    first, second = VideoFactory(), VideoFactory()
    VideoFactory()
    for video in (first, second):
        services.add_to_playlist(playlist, video, Viewer(owner))
    query = f"?list={playlist.public_id}"

    assert end_of(client, first.get_absolute_url() + query)["next_url"] == second.get_absolute_url() + query
    assert end_of(client, second.get_absolute_url() + query)["next"] is None


def test_more_of_the_channel_lists_two_public_videos_beside_the_next(client: Client) -> None:
    video = VideoFactory()
    channel = video.channel
    own = [VideoFactory(channel=channel) for _ in range(4)]
    VideoFactory(channel=channel, visibility=Video.Visibility.PRIVATE)

    end = end_of(client, video.get_absolute_url())

    assert [end["next"], *end["more"]] == [own[3], own[2], own[1]]


def test_frame_of_another_site_offers_the_page_of_the_video_and_no_next_one(client: Client) -> None:
    VideoFactory()
    video = VideoFactory()

    page = client.get(f"/embed/{video.public_id}/").content.decode()

    assert "<end-screen" in page
    assert "data-next" not in page
    assert f'href="{video.get_absolute_url()}" target="_blank"' in page
