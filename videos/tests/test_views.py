"""The pages to watch, embed, upload and manage videos, and their access rules."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory
from videos.models import Job, Video
from videos.tests.factories import VideoFactory, make_encode

pytestmark = pytest.mark.django_db

Queries = Callable[[int], AbstractContextManager[object]]


@pytest.fixture
def owner() -> User:
    return UserFactory(username="owner")


@pytest.fixture
def studio(client: Client, owner: User) -> Client:
    """Return a client with the owner signed in."""
    client.force_login(owner)
    return client


def test_watch_page_has_a_player_with_the_playlist_url(client: Client) -> None:
    video = VideoFactory()

    html = client.get(f"/watch/{video.public_id}/").content.decode()

    assert len(re.findall(r"<video-player\b[^>]*\bdata-player\b", html)) == 1
    assert f'data-src="/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"' in html
    assert 'data-duration="8.0"' in html


@pytest.mark.parametrize(
    ("visibility", "status", "playable", "stranger"),
    [
        ("public", "ready", True, 200),
        ("unlisted", "ready", True, 200),
        ("private", "ready", True, 404),
        ("public", "processing", False, 200),
        ("public", "uploading", False, 404),
        ("public", "failed", False, 404),
    ],
)
def test_watch_page_is_visible_by_visibility_and_status(
    client: Client, owner: User, visibility: str, status: str, playable: bool, stranger: int
) -> None:
    video = VideoFactory(
        channel=owner.channel, visibility=visibility, status=status, is_playable=playable, encoded=False
    )
    address = f"/watch/{video.public_id}/"

    assert client.get(address).status_code == stranger
    client.force_login(UserFactory())
    assert client.get(address).status_code == stranger
    client.force_login(owner)
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("code", "sentence", "offers_retry"),
    [
        ("not_media", "Export it as MP4 and try again", False),
        ("encode_failed", "Nothing is lost. Try again", True),
    ],
)
def test_owner_sees_the_failure_and_a_retry_button_if_it_helps(
    studio: Client, owner: User, code: str, sentence: str, offers_retry: bool
) -> None:
    video = VideoFactory(
        channel=owner.channel, status="failed", failure_code=code, is_playable=False, encoded=False
    )

    html = studio.get(f"/watch/{video.public_id}/").content.decode()

    assert sentence in html
    assert (f'action="/studio/{video.public_id}/retry/"' in html) == offers_retry


def test_owner_sees_progress_and_others_a_waiting_page(client: Client, owner: User) -> None:
    video = VideoFactory(channel=owner.channel, status="processing", is_playable=False, encoded=False)
    make_encode(video, Job.Status.WAITING)
    address = f"/watch/{video.public_id}/"

    assert "<playable-soon" in client.get(address).content.decode()
    client.force_login(owner)
    assert "<encode-progress" in client.get(address).content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_of_the_watch_page_is_constant(
    client: Client, django_assert_num_queries: Queries, count: int
) -> None:
    video = VideoFactory()
    VideoFactory.create_batch(count, encoded=False, poster_key="videos/a/b/poster.jpg")

    client.get(f"/watch/{video.public_id}/")  # content types are queried once per process
    # The video, its channel, tags, captions, clips, similar and other videos, more of the channel,
    # comments and their number.
    with django_assert_num_queries(11):
        client.get(f"/watch/{video.public_id}/")


def test_only_the_embed_page_can_be_framed(client: Client) -> None:
    video = VideoFactory()

    embed, watch = client.get(f"/embed/{video.public_id}/"), client.get(f"/watch/{video.public_id}/")

    assert "frame-ancestors *" in embed["Content-Security-Policy"]
    assert "X-Frame-Options" not in embed
    assert "frame-ancestors 'none'" in watch["Content-Security-Policy"]
    assert watch["X-Frame-Options"] == "DENY"


def test_private_video_is_not_embedded_even_for_its_owner(studio: Client, owner: User) -> None:
    video = VideoFactory(channel=owner.channel, visibility="private", encoded=False)

    assert studio.get(f"/embed/{video.public_id}/").status_code == 404
    assert studio.get("/oembed/", {"url": f"http://testserver/watch/{video.public_id}/"}).status_code == 404


def test_oembed_describes_a_watch_url(client: Client) -> None:
    video = VideoFactory(title='Light & "shadow"')
    url = f"http://testserver/watch/{video.public_id}/"

    answer = client.get("/oembed/", {"url": url, "maxwidth": "320"}).json()

    assert answer["type"] == "video"
    assert answer["title"] == 'Light & "shadow"'
    assert (answer["width"], answer["height"]) == (320, 180)
    assert f'src="http://testserver/embed/{video.public_id}/"' in answer["html"]
    assert 'title="Light &amp; &quot;shadow&quot;"' in answer["html"]


def test_poster_has_a_permanent_url_that_caches_ask_again(client: Client) -> None:
    video = VideoFactory(poster_key="videos/x/poster.jpg")
    address = f"http://testserver/watch/{video.public_id}/poster.jpg"

    page = client.get(f"/watch/{video.public_id}/").content.decode()
    described = client.get("/oembed/", {"url": f"http://testserver/watch/{video.public_id}/"}).json()
    sent_on = client.get(address)

    assert f'<meta property="og:image" content="{described["thumbnail_url"]}">' in page
    assert re.fullmatch(rf"{address}\?v=[0-9a-f]{{8}}", described["thumbnail_url"])
    assert (sent_on.status_code, sent_on["Cache-Control"]) == (302, "public, max-age=60")
    assert "videos/x/poster.jpg?" in sent_on["Location"]


def test_address_on_other_sites_changes_with_the_poster(client: Client) -> None:
    video = VideoFactory(poster_key="videos/x/poster.jpg")
    asked = {"url": f"http://testserver/watch/{video.public_id}/"}
    before = client.get("/oembed/", asked).json()["thumbnail_url"]

    Video.objects.filter(pk=video.pk).update(poster_key="videos/x/posters/own-1.jpg")

    assert client.get("/oembed/", asked).json()["thumbnail_url"] != before


@pytest.mark.parametrize("fields", [{"visibility": "private"}, {"poster_key": ""}])
def test_private_or_missing_poster_has_no_url(studio: Client, owner: User, fields: dict[str, str]) -> None:
    video = VideoFactory(channel=owner.channel, **{"poster_key": "videos/x/poster.jpg"} | fields)

    assert studio.get(f"/watch/{video.public_id}/poster.jpg").status_code == 404
    assert "og:image" not in studio.get(f"/watch/{video.public_id}/").content.decode()


def test_embed_page_has_inline_icons(client: Client) -> None:
    video = VideoFactory()

    framed = client.get(f"/embed/{video.public_id}/").content.decode()
    page = client.get(f"/watch/{video.public_id}/").content.decode()

    assert 'class="icon' in framed
    assert "<use" not in framed
    assert "<use" in page


@pytest.mark.parametrize("url", ["", "http://testserver/", "http://[", "/watch/nothing/", "/studio/x/"])
def test_oembed_of_another_url_is_not_found(client: Client, url: str) -> None:
    assert client.get("/oembed/", {"url": url}).status_code == 404


@pytest.mark.parametrize("address", ["/upload/", "/studio/", "/studio/x/", "/studio/x/delete/"])
def test_anonymous_visitor_is_sent_to_the_sign_in_page(client: Client, address: str) -> None:
    assert client.get(address).headers["Location"] == f"/accounts/login/?next={address}"


def test_upload_page_labels_every_field(studio: Client) -> None:
    html = studio.get("/upload/").content.decode()

    form = html[html.index('data-part="form"') :]
    for name in ("title", "description", "visibility", "category", "tags"):
        assert re.search(rf'<label class="field[^>]*>(?:(?!</label>).)*name="{name}"', form, re.DOTALL)


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_of_the_studio_is_constant(
    studio: Client, owner: User, django_assert_num_queries: Queries, count: int
) -> None:
    for video in VideoFactory.create_batch(count, channel=owner.channel, status="processing", encoded=False):
        make_encode(video, Job.Status.WAITING)

    with django_assert_num_queries(
        6
    ):  # session, person, count, videos, their jobs, the channel in the header
        studio.get("/studio/")


def test_studio_lists_own_videos_in_every_state(studio: Client, owner: User) -> None:
    for status in Video.Status.values:
        VideoFactory(channel=owner.channel, title=f"Mine, {status}", status=status, encoded=False)
    VideoFactory(title="Not mine", encoded=False)

    html = studio.get("/studio/").content.decode()

    assert [f"Mine, {status}" in html for status in Video.Status.values] == [True] * 4
    assert "Not mine" not in html


def test_editing_works_without_javascript(studio: Client, owner: User) -> None:
    video = VideoFactory(channel=owner.channel, encoded=False)
    fields = {
        "title": "夜航",
        "description": "",
        "category": "travel",
        "visibility": "unlisted",
        "tags": "海，Night",
    }

    response = studio.post(f"/studio/{video.public_id}/", fields)

    assert response.headers["Location"] == "/studio/"
    video.refresh_from_db()
    assert (video.title, video.category, video.visibility) == ("夜航", "travel", "unlisted")
    assert {tag.name for tag in video.tags.all()} == {"海", "night"}


def test_invalid_edit_form_is_shown_with_errors(studio: Client, owner: User) -> None:
    video = VideoFactory(channel=owner.channel, title="Kept", encoded=False)

    response = studio.post(f"/studio/{video.public_id}/", {"title": ""})

    assert response.status_code == 422
    assert "errorlist" in response.content.decode()
    video.refresh_from_db()
    assert video.title == "Kept"


@pytest.mark.parametrize("action", ["", "delete/", "retry/"])
def test_video_of_another_channel_cannot_be_changed(studio: Client, action: str) -> None:
    video = VideoFactory(encoded=False)

    assert studio.post(f"/studio/{video.public_id}/{action}", {"title": "Mine now"}).status_code == 404
    video.refresh_from_db()
    assert video.title != "Mine now"


def test_deleting_needs_a_confirmation(studio: Client, owner: User) -> None:
    video = VideoFactory(channel=owner.channel, title="Farewell", encoded=False)
    address = f"/studio/{video.public_id}/delete/"

    assert "Delete “Farewell”?" in studio.get(address).content.decode()
    assert Video.objects.filter(pk=video.pk).exists()
    studio.post(address)
    assert not Video.objects.filter(pk=video.pk).exists()


def test_only_a_failed_video_can_be_retried(studio: Client, owner: User) -> None:
    failed = VideoFactory(channel=owner.channel, status="failed", failure_code="encode_failed", encoded=False)
    ready = VideoFactory(channel=owner.channel, encoded=False)

    studio.post(f"/studio/{failed.public_id}/retry/")
    answer = studio.post(f"/studio/{ready.public_id}/retry/", follow=True)

    failed.refresh_from_db()
    assert failed.status == Video.Status.PROCESSING
    assert "Only failed videos can be retried." in answer.content.decode()


def test_pages_have_no_inline_script_except_the_import_map(studio: Client) -> None:
    video = VideoFactory()
    for address in (f"/watch/{video.public_id}/", f"/embed/{video.public_id}/", "/upload/", "/studio/"):
        html = studio.get(address).content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", html, re.DOTALL)
        assert [list(json.loads(script)) for script in inline] == [["imports"]]
        assert re.findall(r'\son\w+="|\sstyle="', html) == []


def test_chapters_and_times_within_the_video_are_links(client: Client) -> None:
    video = VideoFactory(duration_s=90, description="0:00 <One>\n0:30 Two\n1:00 Three\nSee 0:45, not 9:59.")

    html = client.get(f"/watch/{video.public_id}/").content.decode()

    assert re.findall(r'<a class="chapter" href="\?t=(\d+)" data-seek="([\d.]+)">', html) == [
        ("0", "0.0"),
        ("30", "30.0"),
        ("60", "60.0"),
    ]
    assert re.findall(r'<a class="time-link" href="\?t=(\d+)"', html) == ["0", "30", "60", "45"]
    assert "<strong>&lt;One&gt;</strong>" in html
    assert 'data-chapters="[{&quot;start_s&quot;: 0.0, &quot;title&quot;: &quot;&lt;One&gt;&quot;}' in html


def test_video_without_chapters_has_no_list(client: Client) -> None:
    html = client.get(f"/watch/{VideoFactory().public_id}/").content.decode()

    assert "<chapter-list" not in html
    assert "data-chapters" not in html
