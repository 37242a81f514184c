"""The live page, who is live, the live row of other pages, and the studio one goes live from."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import viewers
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
    """The opening tag of the stage, with everything it begins with."""
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


# --- Watching ---------------------------------------------------------------------


def test_a_page_on_air_carries_what_player_and_chat_need(client: Client, stream: Stream) -> None:
    broadcast = BroadcastFactory(stream=stream)

    html = page(client, "/@lumi/live/")

    assert 'data-status="live"' in stage(html)
    assert f'data-src="/live-media/{broadcast.public_id}/open/multivariant.m3u8"' in stage(html)
    assert "data-player" in html
    assert 'data-path="/ws/live/lumi/chat/"' in html
    assert "Night radio" in html


def test_a_page_without_a_broadcast_says_so_and_shows_earlier_ones(client: Client, stream: Stream) -> None:
    replay = ReplayedFactory(stream=stream).recording

    html = page(client, "/@lumi/live/")

    assert 'data-status="offline"' in stage(html)
    assert 'data-src=""' in stage(html)
    assert f'data-last-replay="{replay.public_id}"' in stage(html)
    assert "lumi is not live right now" in html
    assert titles(html) == [replay.title]


def test_a_page_that_waits_for_the_signal_says_so(client: Client, stream: Stream) -> None:
    BroadcastFactory(stream=stream, status=Broadcast.Status.RECONNECTING, interrupted_at=timezone.now())

    assert 'data-status="reconnecting"' in stage(page(client, "/@lumi/live/"))


def test_a_channel_that_never_was_live_has_a_page(client: Client, streamer: User) -> None:
    assert 'data-status="offline"' in stage(page(client, "/@lumi/live/"))


def test_a_private_stream_is_not_there_for_a_stranger(client: Client, stream: Stream) -> None:
    stream.visibility = Video.Visibility.PRIVATE
    stream.save()
    broadcast = BroadcastFactory(stream=stream)
    assert client.get("/@lumi/live/").status_code == 404

    client.force_login(stream.channel.owner)
    html = page(client, "/@lumi/live/")

    assert f"/live-media/{broadcast.public_id}/{broadcast.access_key}/multivariant.m3u8" in stage(html)


def test_a_suspended_streamer_has_no_page(client: Client) -> None:
    UserFactory(username="gone", is_active=False)

    assert client.get("/@gone/live/").status_code == 404
    assert client.get("/@nobody/live/").status_code == 404


def test_a_page_answers_under_its_own_name(client: Client) -> None:
    UserFactory(username="Lumi")

    assert client.get("/@lumi/live/").headers["Location"] == "/@Lumi/live/"


def test_whoever_is_signed_out_reads_and_is_offered_to_sign_in(client: Client, stream: Stream) -> None:
    html = page(client, "/@lumi/live/")

    assert 'data-ticket=""' in html
    assert "Sign in to chat" in html
    assert 'aria-label="Message"' not in html


def test_whoever_is_signed_in_gets_a_ticket_and_a_box(client: Client, stream: Stream) -> None:
    client.force_login(UserFactory())

    response = client.get("/@lumi/live/")
    html = response.content.decode()

    assert re.search(r'data-ticket="[^"]{20,}"', html)
    assert 'aria-label="Message"' in html
    assert "data-can-moderate" not in html
    assert "no-store" in response.headers["Cache-Control"]


def test_only_whoever_may_moderate_gets_the_means_to(client: Client, stream: Stream) -> None:
    client.force_login(stream.channel.owner)

    html = page(client, "/@lumi/live/")

    assert "data-can-moderate" in html
    assert 'data-act="ban"' in html
    assert "Rules of the chat" in html


def test_what_people_write_is_text_and_never_markup(client: Client, stream: Stream) -> None:
    stream.title = '"><script>alert(1)</script>'
    stream.save()
    BroadcastFactory(stream=stream)

    for address in ("/", "/live/", "/@lumi/", "/@lumi/live/"):
        assert "<script>alert" not in page(client, address)


def test_scripts_are_modules_and_the_import_map(client: Client, stream: Stream) -> None:
    BroadcastFactory(stream=stream)

    html = page(client, "/@lumi/live/")

    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html)
    assert inline == ['<script type="importmap">']
    assert not re.search(r"\son\w+=", html)


def test_every_chat_error_has_its_sentence_in_the_page(client: Client, stream: Stream) -> None:
    client.cookies["django_language"] = "zh-hans"

    html = page(client, "/@lumi/live/")

    assert re.search(r'data-word="error-slow_mode">[^<]*慢速', html)


# --- Who is live ---------------------------------------------------------------------


def test_the_list_has_who_is_live_most_watched_first(client: Client) -> None:
    quiet, loud = BroadcastFactory(stream__title="Quiet"), BroadcastFactory(stream__title="Loud")
    BroadcastFactory(stream__title="Secret", stream__visibility="private")
    BroadcastFactory(stream__title="Over", status=Broadcast.Status.ENDED, ended_at=timezone.now())
    viewers.heartbeat(loud.stream, "", "address-192.0.2.1")

    html = page(client, "/live/")

    assert titles(html) == ["Loud", "Quiet"]
    assert f'href="/@{quiet.stream.username}/live/"' in html


def test_the_list_narrows_to_a_category(client: Client) -> None:
    BroadcastFactory(stream__title="Song", stream__category="music")
    BroadcastFactory(stream__title="Game", stream__category="gaming")

    assert titles(page(client, "/live/?category=music")) == ["Song"]
    assert "Nobody is live in this category" in page(client, "/live/?category=news")


def test_an_empty_list_offers_the_first_step(client: Client) -> None:
    html = page(client, "/live/")

    assert "Nobody is live right now" in html
    assert 'href="/studio/live/"' in html


@pytest.mark.parametrize("count", [1, 3])
def test_lists_cost_the_same_however_many_are_live(
    client: Client, django_assert_num_queries: Queries, count: int
) -> None:
    BroadcastFactory.create_batch(count, poster_key="live/a/poster.jpg")

    with django_assert_num_queries(2):
        client.get("/live/")
    with django_assert_num_queries(3):
        client.get("/")


def test_home_begins_with_who_is_live(client: Client, stream: Stream) -> None:
    VideoFactory(title="A video", encoded=False)
    BroadcastFactory(stream=stream)

    assert titles(page(client, "/")) == ["Night radio", "A video"]
    assert titles(page(client, "/?ordering=-views&category=music")) == []


def test_a_channel_page_leads_to_what_is_on_air(client: Client, stream: Stream) -> None:
    assert "/@lumi/live/" not in page(client, "/@lumi/")

    BroadcastFactory(stream=stream)

    assert 'class="channel-live" href="/@lumi/live/"' in page(client, "/@lumi/")


# --- The studio --------------------------------------------------------------------------


@pytest.fixture
def desk(client: Client, streamer: User) -> Client:
    client.force_login(streamer)
    return client


def test_the_studio_is_for_people_who_are_signed_in(client: Client) -> None:
    for address in ("/studio/live/", "/studio/live/end/", "/studio/live/key/revoke/"):
        assert client.get(address).headers["Location"].startswith("/accounts/login/")


def test_a_key_is_shown_once(desk: Client, streamer: User) -> None:
    response = desk.post("/studio/live/key/")
    found = re.search(r'value="(live_[\w-]+)"', response.content.decode())

    assert found is not None
    assert stream_of(streamer.channel).key_digest == digest_of(found[1])
    assert "no-store" in response.headers["Cache-Control"]
    assert found[1] not in page(desk, "/studio/live/")


def test_the_studio_names_the_server(desk: Client) -> None:
    html = page(desk, "/studio/live/")

    assert re.search(r'value="rtmp://testserver:\d+/live"', html)
    assert "Make a stream key" in html


def test_a_key_is_revoked_after_asking(desk: Client, streamer: User) -> None:
    desk.post("/studio/live/key/")
    assert "Revoke the stream key?" in page(desk, "/studio/live/key/revoke/")

    desk.post("/studio/live/key/revoke/")

    assert stream_of(streamer.channel).key_digest is None


def test_a_suspended_stream_gets_no_key(desk: Client, stream: Stream) -> None:
    stream.is_suspended = True
    stream.save()

    response = desk.post("/studio/live/key/", follow=True)

    assert "may not go live" in response.content.decode()
    assert "live_" not in response.content.decode()


def test_what_one_streams_is_described_without_javascript(desk: Client, stream: Stream) -> None:
    fields = {"title": "Morning", "category": "music", "visibility": "unlisted", "latency": "normal"}

    response = desk.post("/studio/live/", fields)

    stream.refresh_from_db()
    assert response.status_code == 302
    assert (stream.title, stream.category, stream.visibility, stream.latency, stream.record) == (
        *fields.values(),
        False,
    )


def test_a_title_that_is_too_long_is_said_in_place(desk: Client, stream: Stream) -> None:
    fields = {"title": "x" * 200, "category": "music", "visibility": "public", "latency": "low"}

    response = desk.post("/studio/live/", fields)

    stream.refresh_from_db()
    assert response.status_code == 422
    assert "errorlist" in response.content.decode()
    assert stream.title == "Night radio"


def test_a_broadcast_is_ended_after_asking(desk: Client, stream: Stream) -> None:
    broadcast = BroadcastFactory(stream=stream)
    assert "End the broadcast?" in page(desk, "/studio/live/end/")

    desk.post("/studio/live/end/")

    broadcast.refresh_from_db()
    assert broadcast.ending == Broadcast.Ending.STOPPED


def test_ending_what_is_not_on_air_says_so(desk: Client) -> None:
    response = desk.post("/studio/live/end/", follow=True)

    assert "This channel is not live." in response.content.decode()


def test_the_studio_lists_earlier_broadcasts_with_their_replays(desk: Client, stream: Stream) -> None:
    replay = ReplayedFactory(stream=stream, peak_viewer_count=12).recording
    BroadcastFactory(stream=stream, status=Broadcast.Status.ENDED, ending="stopped", ended_at=timezone.now())

    html = page(desk, "/studio/live/")

    assert f'href="{replay.get_absolute_url()}"' in html
    assert "12 viewers at most" in html
    assert "Without a replay" in html


@pytest.mark.parametrize(
    "address", ["/studio/live/", "/studio/live/end/", "/studio/live/key/revoke/", "/live/"]
)
def test_pages_are_chinese_when_asked(desk: Client, address: str) -> None:
    desk.cookies["django_language"] = "zh-hans"

    html = page(desk, address)

    assert 'lang="zh-Hans"' in html
    assert "直播" in html
