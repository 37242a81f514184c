"""Search of videos and channels: matching words, and limits."""

from datetime import timedelta
from unicodedata import normalize

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import services as account_services
from accounts.models import Channel
from accounts.tests.factories import UserFactory
from common.bounded import TooSlow, bounded
from videos import models, services
from videos.listing import Listing
from videos.models import Tag, Video
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def video(title: str, **fields: object) -> Video:
    known = {"status": "ready", "is_playable": True, "published_at": timezone.now(), **fields}
    made: Video = VideoFactory(title=title, **known)
    return made


def found(words: str) -> set[Video]:
    return set(Video.objects.listed().matching(words))


def test_word_is_found_in_title_description_channel_and_tags() -> None:
    by_title = video("A Waterfall")
    by_description = video("One", description="with a waterfall in it")
    by_channel = video("Two", channel=UserFactory(username="waterfalls").channel)
    by_tag = video("Three")
    by_tag.tags.add(Tag.objects.create(name="waterfall"))
    video("Something else")
    assert found("WATERFALL") == {by_title, by_description, by_channel, by_tag}


def test_all_words_of_a_query_must_match() -> None:
    channel = UserFactory(username="waterfalls").channel
    both = video("Iceland", channel=channel)
    video("Iceland")
    video("Norway", channel=channel)
    assert found("waterfall iceland") == {both}


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Привет МИР Ёлка", "привет мир ёлка"),
        ("ÉCLAIR", "éclair"),
        ("Zwiedzamy ŁÓDŹ", "łódź"),
        ("übermut", "ÜBERMUT"),
        ("Été à Zürich", normalize("NFD", "été ZÜRICH")),
    ],
)
def test_search_ignores_case_in_all_scripts(title: str, words: str) -> None:
    made = video(title)
    video("Something else")

    assert found(words) == {made}


@pytest.mark.storage
def test_decomposed_title_is_composed_and_found() -> None:
    typed = normalize("NFD", "Été à Zürich")
    made = services.start_upload(
        channel=UserFactory().channel, title=typed, filename=f"{typed}.mp4", size_bytes=1, tags=[typed]
    ).video
    Video.objects.update(is_playable=True, status="ready", published_at=timezone.now())

    assert made.title == "Été à Zürich"
    assert made.source_filename == "Été à Zürich.mp4"
    assert found("zürich") == found(normalize("NFD", "Zürich")) == {made}
    assert set(Video.objects.tagged(typed)) == {made}

    services.edit_video(made, title=normalize("NFD", "Ångström"), description=typed, tags=["É"])
    assert (made.title, made.description) == ("Ångström", "Été à Zürich")


def test_channel_with_a_decomposed_name_is_found_in_any_case() -> None:
    channel = UserFactory().channel
    account_services.edit_channel(channel=channel, display_name=normalize("NFD", "Élodie ÅSE"))

    assert channel.display_name == "Élodie ÅSE"
    assert list(Channel.objects.matching("élodie")) == [channel]
    assert list(Channel.objects.matching(normalize("NFD", "åse"))) == [channel]


def test_like_wildcards_match_literally() -> None:
    video("A waterfall")
    percent = video("100%_sure")
    assert found("%_s") == {percent}


def test_word_of_two_letters_is_found_in_the_newest_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.models.video_lists.NEWEST_SEARCHED", 2)
    now = timezone.now()
    video("直播 一", published_at=now - timedelta(days=2))
    second = video("直播 二", published_at=now - timedelta(days=1))
    newest = video("直播 三", published_at=now)
    video("三", description="直播", published_at=now)
    assert found("直播") == {newest, second}


def test_search_keeps_the_newest_matches_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.models.video_lists.MOST_FOUND", 1)
    video("A waterfall", published_at=timezone.now() - timedelta(days=1))
    newest = video("A waterfall")
    assert found("waterfall") == {newest}


@pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite has no bound on a query"
)
def test_query_over_its_time_limit_is_cancelled() -> None:
    assert connection.vendor == "postgresql"
    with pytest.raises(TooSlow), bounded(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")


@pytest.mark.redis
def test_search_over_its_time_limit_is_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)

    def too_slow(*_args: object, **_kwargs: object) -> None:
        raise TooSlow

    monkeypatch.setattr(Listing, "page", too_slow)
    page = client.get("/search/", {"q": "waterfall"})
    assert page.status_code == 503
    assert "This search takes too long." in page.content.decode()
    monkeypatch.setattr(models.VideoQuerySet, "matching", too_slow)
    answer = client.get("/api/v1/videos/", {"q": "waterfall"})
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["code"] == "search_too_slow"
