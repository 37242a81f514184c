"""Tests of the live page, the list of live channels, live rows of other pages, and the studio."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import viewers
from live.api.studio import RIVAL
from live.ingest import health
from live.models import Broadcast, Stream
from live.services import digest_of, stream_of
from live.tests.factories import BroadcastFactory, ReplayedFactory, StreamFactory
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

Queries = Callable[[int], AbstractContextManager[object]]


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def stage(html: str) -> str:
    """Return the opening tag of the stage, with its attributes."""
    found = re.search(r"<live-stage[^>]*>", html)
    assert found is not None
    return found[0]


def titles(html: str) -> list[str]:
    return re.findall(r'class="tile-title[^>]*><a href="[^"]*" title="([^"]*)"', html)


@pytest.fixture
def streamer() -> User:
    return UserFactory(username="lumi")


@pytest.fixture
def stream(streamer: User) -> Stream:
    return StreamFactory(channel=streamer.channel, title="Night radio")


def test_page_on_air_carries_data_for_player_and_chat(client: Client, stream: Stream) -> None:
    broadcast = BroadcastFactory(stream=stream)

    html = page(client, "/@lumi/live/")

    assert 'data-status="live"' in stage(html)
    assert f'data-src="/live-media/{broadcast.public_id}/open/multivariant.m3u8"' in stage(html)
    assert "data-player" in html
    assert 'data-path="/ws/live/lumi/chat/"' in html
    assert "Night radio" in html


def test_page_without_a_broadcast_shows_earlier_replays(client: Client, stream: Stream) -> None:
    replay = ReplayedFactory(stream=stream).recording

    html = page(client, "/@lumi/live/")

    assert 'data-status="offline"' in stage(html)
    assert 'data-src=""' in stage(html)
    assert "lumi is offline" in html
    assert titles(html) == [replay.title]


def test_page_without_a_broadcast_offers_the_newest_replay(client: Client, stream: Stream) -> None:
    before = page(client, "/@lumi/live/")
    replay = ReplayedFactory(stream=stream).recording
    after = page(client, "/@lumi/live/")

    offered = f'<a class="button primary" href="/watch/{replay.public_id}/" data-part="replay">'
    assert 'href="#" data-part="replay" hidden>' in before
    assert offered in after


def test_page_shows_reconnecting_broadcast(client: Client, stream: Stream) -> None:
    BroadcastFactory(stream=stream, status=Broadcast.Status.RECONNECTING, interrupted_at=timezone.now())

    assert 'data-status="reconnecting"' in stage(page(client, "/@lumi/live/"))


def test_channel_that_never_was_live_has_a_page(client: Client, streamer: User) -> None:
    assert 'data-status="offline"' in stage(page(client, "/@lumi/live/"))


def test_private_stream_is_not_found_for_strangers(client: Client, stream: Stream) -> None:
    stream.visibility = Video.Visibility.PRIVATE
    stream.save()
    broadcast = BroadcastFactory(stream=stream)
    assert client.get("/@lumi/live/").status_code == 404

    client.force_login(stream.channel.owner)
    html = page(client, "/@lumi/live/")

    assert f"/live-media/{broadcast.public_id}/{broadcast.access_key}/multivariant.m3u8" in stage(html)


def test_page_of_inactive_or_unknown_user_is_not_found(client: Client) -> None:
    UserFactory(username="gone", is_active=False)

    assert client.get("/@gone/live/").status_code == 404
    assert client.get("/@nobody/live/").status_code == 404


def test_page_redirects_to_the_username_in_its_own_case(client: Client) -> None:
    UserFactory(username="Lumi")

    assert client.get("/@lumi/live/").headers["Location"] == "/@Lumi/live/"


def test_signed_out_visitor_gets_a_sign_in_link_instead_of_a_ticket(client: Client, stream: Stream) -> None:
    html = page(client, "/@lumi/live/")

    assert 'data-ticket=""' in html
    assert "Sign in to chat" in html
    assert 'aria-label="Message"' not in html


def test_signed_in_visitor_gets_a_ticket_and_a_message_box(client: Client, stream: Stream) -> None:
    client.force_login(UserFactory())

    response = client.get("/@lumi/live/")
    html = response.content.decode()

    assert re.search(r'data-ticket="[^"]{20,}"', html)
    assert 'aria-label="Message"' in html
    assert "data-can-moderate" not in html
    assert "no-store" in response.headers["Cache-Control"]


def test_owner_gets_moderation_controls(client: Client, stream: Stream) -> None:
    client.force_login(stream.channel.owner)

    html = page(client, "/@lumi/live/")

    assert "data-can-moderate" in html
    assert 'data-act="ban"' in html
    assert "Chat settings" in html


def test_user_text_is_escaped(client: Client, stream: Stream) -> None:
    stream.title = '"><script>alert(1)</script>'
    stream.save()
    BroadcastFactory(stream=stream)

    for address in ("/", "/live/", "/@lumi/", "/@lumi/live/"):
        assert "<script>alert" not in page(client, address)


def test_only_inline_script_is_the_import_map(client: Client, stream: Stream) -> None:
    BroadcastFactory(stream=stream)

    html = page(client, "/@lumi/live/")

    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html)
    assert inline == ['<script type="importmap">']
    assert not re.search(r"\son\w+=", html)


def test_page_carries_translated_chat_errors(client: Client, stream: Stream) -> None:
    client.cookies["django_language"] = "zh-hans"

    html = page(client, "/@lumi/live/")

    assert re.search(r'data-word="error-slow_mode">[^<]*慢速', html)


def test_list_shows_live_channels_most_watched_first(client: Client) -> None:
    quiet, loud = BroadcastFactory(stream__title="Quiet"), BroadcastFactory(stream__title="Loud")
    BroadcastFactory(stream__title="Secret", stream__visibility="private")
    BroadcastFactory(stream__title="Over", status=Broadcast.Status.ENDED, ended_at=timezone.now())
    viewers.heartbeat(loud.stream, "", "address-192.0.2.1")

    html = page(client, "/live/")

    assert titles(html) == ["Loud", "Quiet"]
    assert f'href="/@{quiet.stream.username}/live/"' in html


def test_list_narrows_to_a_category(client: Client) -> None:
    BroadcastFactory(stream__title="Song", stream__category="music")
    BroadcastFactory(stream__title="Game", stream__category="gaming")

    assert titles(page(client, "/live/?category=music")) == ["Song"]
    assert "No live channels in this category" in page(client, "/live/?category=news")


def test_empty_list_offers_to_go_live(client: Client) -> None:
    html = page(client, "/live/")

    assert "No live channels" in html
    assert 'href="/studio/live/"' in html


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_of_lists_does_not_grow_with_live_channels(
    client: Client, django_assert_num_queries: Queries, count: int
) -> None:
    BroadcastFactory.create_batch(count, poster_key="live/a/poster.jpg")

    with django_assert_num_queries(2):
        client.get("/live/")
    with django_assert_num_queries(4):
        client.get("/")


def test_home_begins_with_live_channels(client: Client, stream: Stream) -> None:
    VideoFactory(title="A video", encoded=False)
    BroadcastFactory(stream=stream)

    home = page(client, "/")
    # It stands large above the tiles for a visitor, and on a shelf for a person.
    assert home.index("Night radio") < home.index("A video")
    assert titles(home) == ["A video"]
    client.force_login(UserFactory())
    assert titles(page(client, "/")) == ["Night radio", "A video"]
    assert titles(page(client, "/?ordering=-views&category=music")) == []


@pytest.mark.parametrize("address", ["/", "/live/", "/@lumi/"])
def test_reconnecting_stream_has_no_live_badge_in_lists(client: Client, stream: Stream, address: str) -> None:
    broadcast = BroadcastFactory(stream=stream)
    on_air = page(client, address)
    Broadcast.objects.filter(pk=broadcast.pk).update(
        status=Broadcast.Status.RECONNECTING, interrupted_at=timezone.now()
    )
    waiting = page(client, address)

    live, quiet = (
        '<span class="live-badge"><span class="dot"',
        '<span class="live-badge is-quiet">Reconnecting',
    )
    assert (on_air.count(live), on_air.count(quiet)) == (1, 0)
    assert (waiting.count(live), waiting.count(quiet)) == (0, 1)


def test_channel_page_links_to_its_broadcast(client: Client, stream: Stream) -> None:
    assert "/@lumi/live/" not in page(client, "/@lumi/")

    BroadcastFactory(stream=stream)

    assert 'class="channel-live" href="/@lumi/live/"' in page(client, "/@lumi/")


@pytest.fixture
def desk(client: Client, streamer: User) -> Client:
    client.force_login(streamer)
    return client


def test_studio_requires_signing_in(client: Client) -> None:
    for address in ("/studio/live/", "/studio/live/end/", "/studio/live/key/revoke/"):
        assert client.get(address).headers["Location"].startswith("/accounts/login/")


def test_key_is_shown_once(desk: Client, streamer: User) -> None:
    response = desk.post("/studio/live/key/")
    found = re.search(r'value="(live_[\w-]+)"', response.content.decode())

    assert found is not None
    assert stream_of(streamer.channel).key_digest == digest_of(found[1])
    assert "no-store" in response.headers["Cache-Control"]
    assert found[1] not in page(desk, "/studio/live/")


def test_studio_has_a_sentence_for_each_health_code(desk: Client) -> None:
    def sentences(language: str) -> dict[str, str]:
        html = desk.get("/studio/live/", headers={"accept-language": language}).content.decode()
        return dict(re.findall(r'<dd data-word="advice-(\w+)">([^<]+)</dd>', html))

    english, chinese = sentences("en"), sentences("zh-hans")

    assert {*health.CODES, RIVAL} == set(english)
    assert set(english) == set(chinese)
    assert [code for code in english if english[code] == chinese[code]] == []


def test_studio_shows_the_ingest_url(desk: Client) -> None:
    html = page(desk, "/studio/live/")

    assert re.search(r'value="rtmp://testserver:\d+/live"', html)
    assert "Create stream key" in html


def test_reloading_the_key_page_creates_no_further_key(desk: Client, streamer: User) -> None:
    desk.post("/studio/live/key/")
    digest = stream_of(streamer.channel).key_digest

    response = desk.get("/studio/live/key/")

    assert response.headers["Location"] == "/studio/live/"
    assert stream_of(streamer.channel).key_digest == digest


def test_key_is_revoked_after_confirmation(desk: Client, streamer: User) -> None:
    desk.post("/studio/live/key/")
    assert "Revoke stream key?" in page(desk, "/studio/live/key/revoke/")

    desk.post("/studio/live/key/revoke/")

    assert stream_of(streamer.channel).key_digest is None


def test_suspended_stream_gets_no_key(desk: Client, stream: Stream) -> None:
    stream.is_suspended = True
    stream.save()

    response = desk.post("/studio/live/key/", follow=True)

    assert "suspended from going live" in response.content.decode()
    assert "live_" not in response.content.decode()


@pytest.mark.parametrize(("record", "is_shown"), [(True, True), (False, False)])
def test_studio_of_a_channel_at_its_storage_limit_shows_advice(
    record: bool, is_shown: bool, desk: Client, stream: Stream, settings: Any
) -> None:
    settings.MAX_BYTES_KEPT_PER_PERSON = 1000
    VideoFactory(channel=stream.channel, source_size_bytes=1000)
    Stream.objects.filter(pk=stream.pk).update(record=record)

    assert ("or turn off recording" in desk.get("/studio/live/").content.decode()) is is_shown


def test_stream_settings_are_saved_without_javascript(desk: Client, stream: Stream) -> None:
    fields = {"title": "Morning", "category": "music", "visibility": "unlisted", "latency": "normal"}

    response = desk.post("/studio/live/", fields)

    stream.refresh_from_db()
    assert response.status_code == 302
    assert (stream.title, stream.category, stream.visibility, stream.latency, stream.record) == (
        *fields.values(),
        False,
    )


def test_form_that_makes_a_running_stream_private_makes_its_recording_private(
    desk: Client, stream: Stream
) -> None:
    broadcast = BroadcastFactory(stream=stream, recording=VideoFactory(channel=stream.channel))
    fields = {"title": "T", "category": "music", "visibility": "private", "latency": "low"}

    desk.post("/studio/live/", fields)

    broadcast.recording.refresh_from_db()
    assert broadcast.recording.visibility == "private"


def test_overlong_title_is_reported_in_the_form(desk: Client, stream: Stream) -> None:
    fields = {"title": "x" * 200, "category": "music", "visibility": "public", "latency": "low"}

    response = desk.post("/studio/live/", fields)

    stream.refresh_from_db()
    assert response.status_code == 422
    assert "errorlist" in response.content.decode()
    assert stream.title == "Night radio"


def test_broadcast_is_ended_after_confirmation(desk: Client, stream: Stream) -> None:
    broadcast = BroadcastFactory(stream=stream)
    assert "End broadcast?" in page(desk, "/studio/live/end/")

    desk.post("/studio/live/end/")

    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.STOPPED


def test_ending_off_air_shows_an_error(desk: Client) -> None:
    response = desk.post("/studio/live/end/", follow=True)

    assert "This channel is not live." in response.content.decode()


def test_studio_lists_earlier_broadcasts_with_their_replays(desk: Client, stream: Stream) -> None:
    replay = ReplayedFactory(stream=stream, peak_viewer_count=12).recording
    BroadcastFactory(stream=stream, status=Broadcast.Status.ENDED, ending="stopped", ended_at=timezone.now())

    html = page(desk, "/studio/live/")

    assert f'href="{replay.get_absolute_url()}"' in html
    assert "12 peak viewers" in html
    assert "No replay" in html


@pytest.mark.parametrize(
    "address", ["/studio/live/", "/studio/live/end/", "/studio/live/key/revoke/", "/live/"]
)
def test_pages_are_translated_to_chinese(desk: Client, address: str) -> None:
    desk.cookies["django_language"] = "zh-hans"

    html = page(desk, address)

    assert 'lang="zh-Hans"' in html
    assert "直播" in html


def test_embedded_player_stands_alone_in_another_sites_frame(client: Client) -> None:
    broadcast = BroadcastFactory()

    answer = client.get(f"/@{broadcast.stream.username}/live/embed/")
    html = answer.content.decode()

    assert "frame-ancestors *" in answer["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer
    assert f'data-src="{broadcast.hls_path}"' in html
    assert "<use" not in html
    assert "<chat-room" not in html


def test_oembed_describes_a_live_page_with_a_poster_that_lasts(client: Client) -> None:
    broadcast = BroadcastFactory(poster_key="live/x.jpg", source_json={"width_px": 1080, "height_px": 1920})
    stream = broadcast.stream
    address = f"http://testserver/@{stream.username}/live/"

    described = client.get("/oembed/", {"url": address}).json()
    page = client.get(f"/@{stream.username}/live/").content.decode()
    sent_on = client.get(f"/@{stream.username}/live/poster.jpg")

    assert (described["title"], described["type"]) == (stream.title, "video")
    assert (described["width"], described["height"]) == (360, 640)
    assert f'src="{address}embed/"' in described["html"]
    assert described["thumbnail_url"] == f"{address}poster.jpg"
    assert f'<meta property="og:image" content="{address}poster.jpg">' in page
    assert "application/json+oembed" in page
    assert "live/x.jpg?" in sent_on["Location"]


def test_oembed_of_a_stream_that_is_off_the_air_names_its_channel(client: Client) -> None:
    stream = StreamFactory()

    described = client.get("/oembed/", {"url": f"http://testserver/@{stream.username}/live/"}).json()

    assert described["title"] == stream.channel.name
    assert "thumbnail_url" not in described


@pytest.mark.parametrize("path", ["embed/", "poster.jpg"])
def test_private_stream_cannot_be_embedded_even_by_its_owner(path: str) -> None:
    broadcast = BroadcastFactory(stream__visibility="private", poster_key="live/x.jpg")
    desk = Client()
    desk.force_login(broadcast.stream.channel.owner)

    assert desk.get(f"/@{broadcast.stream.username}/live/{path}").status_code == 404
    described = desk.get("/oembed/", {"url": f"http://testserver/@{broadcast.stream.username}/live/"})
    assert described.status_code == 404
