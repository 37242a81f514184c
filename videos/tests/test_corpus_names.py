"""File names of uploads, which stay labels."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from videos.models import Video
from videos.services.uploads import neutral_filename
from videos.tests.corpus import corpus_folder

_CORPUS = corpus_folder("MEDIA_CORPUS")
_NAMES = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/absolute.mp4",
    "a/../../b.mp4",
    "..",
    "-i.mp4",
    "$(id).mp4",
    "; rm -rf ~;.mp4",
    "concat:a.mp4|b.mp4",
    "http://127.0.0.1/a.mp4",
    '<img src=x onerror="alert(1)">.mp4',
    "a\nLocation: b.mp4",
    "a\x1b[2Jb.mp4",
    "a\x85b\u2028c.mp4",
    "innocent\u202e4pm.exe",
    "cafe\u0301.mp4",
    "👨\u200d👩\u200d👧.mp4",
    "字幕" * 300 + ".mkv",
    "NUL",
    " ",
    *(json.loads((_CORPUS / "UPLOAD_NAMES.json").read_text()) if _CORPUS else []),
]


@pytest.mark.parametrize("name", _NAMES, ids=lambda name: ascii(name)[:40])
def test_label_has_no_path_and_no_control_characters(name: str) -> None:
    label = neutral_filename(name)

    assert not re.search(r"[/\\]", label)
    assert [letter for letter in label if unicodedata.category(letter) in {"Cc", "Zl", "Zp"}] == []
    assert "\u202e" not in label
    assert len(label) <= 136
    assert unicodedata.is_normalized("NFC", label)
    assert neutral_filename(label) == label


def test_label_keeps_letters_and_joined_emoji() -> None:
    assert neutral_filename("👨\u200d👩\u200d👧 e\u0301te\u0301.mp4") == "👨\u200d👩\u200d👧 été.mp4"


@pytest.mark.django_db
@pytest.mark.storage
def test_every_name_is_accepted_and_stays_out_of_the_key(bucket: str) -> None:
    client = APIClient(HTTP_HOST="127.0.0.1")
    client.force_authenticate(UserFactory())

    answers = [
        client.post("/api/v1/videos/", {"title": "x", "filename": name, "size_bytes": 3}, format="json")
        for name in _NAMES
    ]

    assert [answer.status_code for answer in answers if answer.status_code != 201] == []
    kept = [(video.source_key, video.source_filename) for video in Video.objects.order_by("pk")]
    keys = [f"videos/{answer.json()['id']}/source" for answer in answers]
    assert kept == list(zip(keys, map(neutral_filename, _NAMES), strict=True))
