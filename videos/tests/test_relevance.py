"""Answers of the search over one corpus: the same on SQLite and PostgreSQL."""

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from videos import services, sweeping
from videos.models import Tag, Video, VideoText
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

# Title and description, the newest first.
CORPUS = {
    "taiwan": ("臺灣風景：日月潭", "騎自行車環島"),
    "taiwan_simplified": ("台湾风景航拍", ""),
    "beijing": ("北京的秋天 Autumn in Beijing", "胡同、颐和园与银杏"),
    "computer": ("電腦與網絡入門", "用 Ｌｉｎｕｘ 搭建伺服器"),
    "linux": ("Linux server basics", "SSH, nginx and backups; 100% hands-on"),
    "hair": ("頭髮護理", ""),
    "found": ("新發現", ""),
    "zurich": ("Été à Zürich", "Un été au bord du lac"),
    "lodz": ("Zwiedzamy Łódź", "Ulica Piotrkowska"),
    "street": ("Straßenbahn in Wien", ""),
    "moscow": ("Москва: ёлка", ""),
    "greece": ("Ελλάδα", ""),
    "japan": ("東京タワー", "ｶﾞｲﾄﾞ"),
    "korea": ("한국어 배우기", ""),
    "code": ("C++ und snake_case", "a AND b OR NOT c*"),
    "emoji": ("Rocket 🚀 launch", ""),
    "arabic": ("مرحبا بالعالم", ""),
}
ANSWERS = {
    "臺灣": "taiwan taiwan_simplified",
    "台灣": "taiwan taiwan_simplified",
    "台湾": "taiwan taiwan_simplified",
    "风景": "taiwan taiwan_simplified",
    "風景": "taiwan taiwan_simplified",
    "台湾风景": "taiwan taiwan_simplified",
    "臺灣 航拍": "taiwan_simplified",
    "骑自行车": "taiwan",
    "騎自行車": "taiwan",
    "頤和園": "beijing",
    "颐和园": "beijing",
    "北京 autumn": "beijing",
    "北京 AUTUMN": "beijing",
    "ａｕｔｕｍｎ": "beijing",
    "电脑": "computer",
    "電腦": "computer",
    "网络入门": "computer",
    "linux": "computer linux",
    "ＬＩＮＵＸ": "computer linux",
    "linux server": "linux",
    "linux 伺服器": "computer",
    "server linux": "linux",
    "nginx backups": "linux",
    "100%": "linux",
    "头发": "hair",
    "頭髮": "hair",
    "发现": "found",
    "發現": "found",
    "zurich": "zurich",
    "ZÜRICH": "zurich",
    "Zu\u0308rich": "zurich",
    "ete lac": "zurich",
    "été LAC": "zurich",
    "lodz": "lodz",
    "ŁÓDŹ": "lodz",
    "strassenbahn": "street",
    "STRASSENBAHN": "street",
    "straßenbahn wien": "street",
    "елка": "moscow",
    "ЁЛКА МОСКВА": "moscow",
    "ελλαδα": "greece",
    "ΕΛΛΆΔΑ": "greece",
    "东京": "japan",
    "東京": "japan",
    "タワー": "japan",
    "ガイド": "japan",
    "한국어": "korea",
    "배우기 한국어": "korea",
    "c++": "code",
    "snake_case": "code",
    "_case": "code",
    "snakeXcase": "",
    "a AND b": "linux",  # short words are searched in titles
    'c*"': "",
    "NEAR(a b)": "",
    "title:linux": "",
    "rocket 🚀": "emoji",
    "🚀": "emoji",
    "مرحبا": "arabic",
    "\u202eمرحبا": "",
    "nothing like it": "",
    "' OR 1=1 --": "",
    "\\": "",
    "\u0301\u0301": "",
    "(((((": "",
}


@pytest.fixture
def corpus() -> dict[str, Video]:
    now = timezone.now()
    return {
        name: VideoFactory(
            title=title,
            description=description,
            status="ready",
            is_playable=True,
            published_at=now - timedelta(minutes=place),
        )
        for place, (name, (title, description)) in enumerate(CORPUS.items())
    }


def answer(words: str, corpus: dict[str, Video]) -> list[str]:
    names = {video.pk: name for name, video in corpus.items()}
    found = Video.objects.listed().matching(words).order_by("-published_at", "-pk")
    return [names[video.pk] for video in found]


def test_queries_find_their_videos_in_order(corpus: dict[str, Video]) -> None:
    answers = {words: " ".join(answer(words, corpus)) for words in ANSWERS}

    assert answers == ANSWERS


@pytest.mark.parametrize(
    "words", ["x" * 10_000, "ﷺ" * 10_000, "* " * 5_000, '"' * 10_000, "\u202e" * 500, "👩‍🚀" * 2_000]
)
def test_hostile_query_finds_nothing_and_does_not_fail(words: str, corpus: dict[str, Video]) -> None:
    assert answer(words, corpus) == []


def test_tag_in_simplified_characters_is_found_by_traditional_ones(corpus: dict[str, Video]) -> None:
    corpus["hair"].tags.add(Tag.objects.create(name="美发"))

    assert answer("美髮", corpus) == ["hair"]


def test_edited_video_is_found_by_its_new_text_alone(corpus: dict[str, Video]) -> None:
    services.edit_video(corpus["hair"], title="護膚")
    services.edit_video(corpus["found"], description="新大陸")

    assert answer("护肤", corpus) == ["hair"]
    assert answer("头发", corpus) == []
    assert answer("新大陆", corpus) == ["found"]
    assert answer("发现", corpus) == ["found"]


def test_text_of_an_older_instance_does_not_replace_a_newer_description(corpus: dict[str, Video]) -> None:
    old = Video.objects.get(pk=corpus["hair"].pk)
    services.edit_video(corpus["hair"], description="Shampoo")
    services.edit_video(old, title="Curls")

    assert answer("curls shampoo", corpus) == ["hair"]


def test_private_video_is_not_found(corpus: dict[str, Video]) -> None:
    services.edit_video(corpus["hair"], visibility="private")

    assert answer("头发", corpus) == []


def test_save_of_another_field_leaves_the_searched_text(corpus: dict[str, Video]) -> None:
    VideoText.objects.filter(video=corpus["hair"]).update(text="as it was")
    corpus["hair"].save(update_fields=["poster_key"])

    assert VideoText.objects.get(video=corpus["hair"]).text == "as it was"


def test_migration_stores_missing_and_old_texts_in_batches(
    corpus: dict[str, Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = import_module("videos.migrations.0050_stored_texts")
    monkeypatch.setattr(migration, "BATCH", 5)
    VideoText.objects.filter(video=corpus["hair"]).update(text="old")
    VideoText.objects.exclude(video=corpus["hair"]).delete()

    migration.store_texts(apps, SimpleNamespace(connection=connection))

    assert answer("头发", corpus) == ["hair"]
    assert {words: " ".join(answer(words, corpus)) for words in ANSWERS} == ANSWERS


def test_video_without_a_text_is_found_after_the_sweep(corpus: dict[str, Video]) -> None:
    VideoText.objects.filter(video=corpus["hair"]).delete()
    assert answer("头发", corpus) == []

    sweeping.store_missing_texts()

    assert answer("头发", corpus) == ["hair"]
