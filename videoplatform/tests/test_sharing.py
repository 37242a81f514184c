"""Tests of the data by which other programs show, index, follow and install the site."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from live.tests.factories import BroadcastFactory
from videoplatform import sitemaps
from videos import services
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

MEDIA = "{http://search.yahoo.com/mrss/}"
SITE = "http://testserver"


def metas(html: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">', html))


def structured(html: str) -> dict[str, Any] | None:
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    return json.loads(found[1]) if found else None


def posted(**fields: Any) -> Video:
    """Return a video of 100 s with a poster."""
    video: Video = VideoFactory(duration_s=100.0, **fields)
    Video.objects.filter(pk=video.pk).update(poster_key=f"{video.encode_prefix}poster.jpg")
    return video


def test_link_to_a_video_has_a_preview_with_a_player(client: Client) -> None:
    video = posted(title="A <walk>", description="By\nthe sea", width_px=1080, height_px=1920)

    found = metas(client.get(video.get_absolute_url()).content.decode())

    assert found["og:title"] == "A &lt;walk&gt;"
    assert found["og:description"] == "By the sea"
    assert found["og:image"].startswith(f"{SITE}/watch/{video.public_id}/poster.jpg?v=")
    assert (found["twitter:card"], found["twitter:player"]) == ("player", f"{SITE}/embed/{video.public_id}/")
    assert (found["og:video:width"], found["og:video:height"]) == ("360", "640")


@pytest.mark.parametrize(
    "fields", [{"visibility": "private"}, {"visibility": "followers"}, {"withheld": "hidden"}]
)
def test_page_that_others_may_not_watch_offers_no_player_and_no_data(
    fields: dict[str, str], client: Client
) -> None:
    video = posted(**fields)
    client.force_login(video.channel.owner)

    html = client.get(video.get_absolute_url()).content.decode()

    assert metas(html)["twitter:card"] == "summary"
    assert not {"twitter:player", "og:video"} & set(metas(html))
    assert structured(html) is None


def test_public_video_is_described_with_its_chapters(client: Client) -> None:
    text = "0:00 Intro\n0:30 </script><b>\n1:00 End"
    video = posted(title="Walk & talk", description=text, view_count=7)

    html = client.get(video.get_absolute_url()).content.decode()
    found = structured(html)

    assert found
    assert "</script><b>" not in html.partition("ld+json")[2].partition("</script>")[0]
    assert (found["@type"], found["name"], found["duration"]) == (
        "VideoObject",
        "Walk & talk",
        "P0DT00H01M40S",
    )
    assert found["interactionStatistic"]["userInteractionCount"] == 7
    assert [(clip["name"], clip["startOffset"], clip["endOffset"]) for clip in found["hasPart"]] == [
        ("Intro", 0, 30),
        ("</script><b>", 30, 60),
        ("End", 60, 100),
    ]
    assert found["hasPart"][1]["url"] == f"{SITE}/watch/{video.public_id}/?t=30"


def test_unlisted_video_has_a_player_for_links_but_is_not_indexed(client: Client) -> None:
    html = client.get(posted(visibility="unlisted").get_absolute_url()).content.decode()

    assert metas(html)["twitter:card"] == "player"
    assert structured(html) is None


def test_broadcast_on_air_is_described_as_live(client: Client) -> None:
    broadcast = BroadcastFactory(status="live", poster_key="posters/1.jpg")

    found = structured(client.get(broadcast.stream.get_absolute_url()).content.decode())

    assert found
    assert found["publication"] == {
        "@type": "BroadcastEvent",
        "isLiveBroadcast": True,
        "startDate": broadcast.started_at.isoformat(),
    }


def test_feed_of_a_channel_lists_its_public_videos_newest_first(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = posted(title="First\x0b <one>")
    channel = first.channel
    second = posted(title="Second", channel=channel, description="0:00 Intro")
    VideoFactory(channel=channel, visibility="unlisted")
    VideoFactory(channel=channel, withheld="removed")
    VideoFactory(channel=channel, status="processing", is_playable=False)

    with django_assert_max_num_queries(6):
        response = client.get(f"/@{channel.username}/feed/")
    root = ET.fromstring(response.content)  # noqa: S314 -- ours

    items = root.findall("./channel/item")
    assert response["Content-Type"].startswith("application/rss+xml")
    assert "public" in response["Cache-Control"]
    assert [item.findtext("title") for item in items] == ["Second", "First <one>"]
    assert items[0].findtext("link") == f"{SITE}/watch/{second.public_id}/"
    content = items[0].find(f"{MEDIA}group/{MEDIA}content")
    assert content is not None
    assert content.get("url") == f"{SITE}/embed/{second.public_id}/"
    thumbnail = items[0].find(f"{MEDIA}group/{MEDIA}thumbnail")
    assert thumbnail is not None
    assert thumbnail.get("url", "").startswith(f"{SITE}/watch/{second.public_id}/poster.jpg")


def test_feed_of_a_playlist_has_its_order_and_public_videos_only(client: Client) -> None:
    owner = UserFactory()
    playlist = services.create_playlist(owner=owner, title="Walks", visibility="unlisted")
    videos = [posted(title=f"Video {number}") for number in range(3)]
    for video in videos:
        services.add_to_playlist(playlist, video, Viewer(owner))
    Video.objects.filter(pk=videos[1].pk).update(visibility="unlisted")

    root = ET.fromstring(client.get(f"/playlists/{playlist.public_id}/feed/").content)  # noqa: S314 -- ours

    assert [item.findtext("title") for item in root.findall("./channel/item")] == ["Video 0", "Video 2"]


def test_sitemap_names_every_public_page_in_bounded_files(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps.VideoSitemap, "limit", 2)
    videos = [VideoFactory() for _ in range(3)]
    VideoFactory(visibility="unlisted")

    index = client.get("/sitemap.xml").content.decode()
    files = re.findall("<loc>([^<]+)</loc>", index)
    found = [re.findall("<loc>([^<]+)</loc>", client.get(file).content.decode()) for file in files]

    named = [address for addresses in found for address in addresses]
    assert f"{SITE}/sitemap-videos.xml?p=2" in files
    assert max(map(len, found)) <= 3
    assert {f"{SITE}{video.get_absolute_url()}" for video in videos} <= set(named)
    assert {f"{SITE}{video.channel.get_absolute_url()}" for video in videos} <= set(named)
    assert len([address for address in named if "/watch/" in address]) == 3


def test_robots_are_led_to_the_sitemap_and_away_from_personal_pages(client: Client) -> None:
    text = client.get("/robots.txt").content.decode()

    assert f"Sitemap: {SITE}/sitemap.xml\n" in text
    assert "Disallow: /studio/\n" in text
    assert "Disallow: /watch" not in text


def test_site_can_be_installed(client: Client) -> None:
    answer = client.get("/site.webmanifest")

    manifest = answer.json()
    assert answer["Content-Type"] == "application/manifest+json"
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
    assert manifest["start_url"] == "/"
    assert 'rel="manifest" href="/site.webmanifest"' in client.get("/").content.decode()
