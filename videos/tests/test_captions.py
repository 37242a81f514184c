"""Captions in every form people have them, and what becomes of them on a video."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from videoplatform import storage
from videos.languages import canonical_tag, language_name
from videos.models import CaptionTrack, DoomedPrefix, Video
from videos.services import captions as service
from videos.tests.factories import VideoFactory
from videos.transcoding.captions import Captions, Cue, UnreadableCaptions, decode, read_captions

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello\n\n00:03.000 --> 00:04.000\nagain\n"


def read(text: str, language: str = "en") -> Captions:
    return read_captions(text.encode(), language=language)


# --- Reading --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        (VTT, [Cue(1000, 2500, "Hello"), Cue(3000, 4000, "again")]),
        (
            "1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,0 --> 0:0:04,00\n",
            [Cue(1000, 2500, "Hello")],
        ),
        ("00:00:01,000 --> 00:00:02,000\nno number\n", [Cue(1000, 2000, "no number")]),
        # The blank line between two cues was forgotten.
        (
            "1\n00:01,000 --> 00:02,000\none\n2\n00:02,000 --> 00:03,000\ntwo",
            [Cue(1000, 2000, "one"), Cue(2000, 3000, "two")],
        ),
        # What stands behind the times is a setting or nothing, also where no space comes first.
        ("00:01.000 --> 00:02.000\0align:end\nx", [Cue(1000, 2000, "x")]),
        ("00:01.000-->00:02.000,align:end\nx", [Cue(1000, 2000, "x")]),
        # An arrow that is said is no time.
        ("00:01.000 --> 00:02.000\na --> b\n", [Cue(1000, 2000, "a --&gt; b")]),
        ("100:00:00.000 --> 100:00:01.000\nlate\n", [Cue(360_000_000, 360_001_000, "late")]),
        # Notes, styles and headers are no cues.
        (
            "WEBVTT - by me\nKind: captions\n\nSTYLE\n::cue{}\n\nNOTE no\n\n00:01.000 --> 00:02.000\nx",
            [Cue(1000, 2000, "x")],
        ),
        # By time, whatever the order of the file.
        (
            "00:05.000 --> 00:06.000\nb\n\n00:01.000 --> 00:02.000\na\n",
            [Cue(1000, 2000, "a"), Cue(5000, 6000, "b")],
        ),
    ],
)  # fmt: skip
def test_cues_are_found(text: str, cues: list[Cue]) -> None:
    assert [*read(text).cues] == cues


@pytest.mark.parametrize(
    "text", ["", "WEBVTT", "<html><script>x</script>", "00:02.000 --> 00:01.000\nback\n", "--> -->"]
)
def test_a_file_without_a_usable_cue_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableCaptions):
        read(text)


def test_cues_that_cannot_be_are_counted() -> None:
    text = (
        "00:02.000 --> 00:01.000\nback\n\n00:99.000 --> 99:99.000\nno time\n\n00:01.000 --> 00:02.000\ngood\n"
    )

    found = read(text)

    assert ([cue.text for cue in found.cues], found.skipped) == (["good"], 2)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<i>so</i> <b>bold</b>", "<i>so</i> <b>bold</b>"),
        ("<v Ann Other>hi</v>", "<v Ann Other>hi</v>"),
        ("<c.yellow.bg_blue>x</c>", "<c.yellow.bg_blue>x</c>"),
        ("<00:00:01.000><c>word</c>", "<00:00:01.000><c>word</c>"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<img src=x onerror=alert(2)>x", "x"),
        ("<c onclick=alert(4)>hi</c>", "hi</c>"),
        ('<font color="red">red</font>', "red"),
        (r"{\an8}above", "above"),
        ("1 < 2 && 3 > 2", "1 &lt; 2 &amp;&amp; 3 &gt; 2"),
        ("&lt;b&gt; &amp; &nbsp;x", "&lt;b&gt; &amp; &nbsp;x"),
    ],
)
def test_markup_that_webvtt_knows_is_kept_and_the_rest_is_not(said: str, kept: str) -> None:
    assert read(f"00:01.000 --> 00:02.000\n{said}\n").cues[0].text == kept


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ("line:0 position:20% align:start", "line:0 position:20% align:start"),
        ("line:-1,end size:50%", "line:-1,end size:50%"),
        ('position:"><svg/onload=x align:end', "align:end"),
        ("X1:100 Y1:20", ""),
    ],
)
def test_settings_of_a_cue_are_kept_where_they_are_any(settings: str, kept: str) -> None:
    assert read(f"00:01.000 --> 00:02.000 {settings}\nx\n").cues[0].settings == kept


def test_substation_is_read_without_drawings_and_comments() -> None:
    events = [
        r"Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\i1}Hello{\i0}\Nthere",
        r"Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\an8}above",
        r"Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\p1}m 0 0 l 1 1{\p0}",
        r"Comment: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,nobody",
    ]
    layout = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"
    text = "\n".join(["[Script Info]", "ScriptType: v4.00+", "", "[Events]", layout, *events])

    cues = read(text).cues

    assert cues == (Cue(1000, 2500, "<i>Hello</i>\nthere"), Cue(3000, 4000, "above", "line:0"))


@pytest.mark.parametrize(
    ("words", "encoding", "language"),
    [
        ("Ça c'est du café à Orléans", "cp1252", "fr"),
        ("это субтитры для фильма", "cp1251", "ru"),
        ("Zażółć gęślą jaźń", "cp1250", "pl"),
        ("今天我们来看一部电影,好吗?", "gb18030", "zh-Hans"),
        ("今天我們來看一部電影,好嗎?這是繁體中文的字幕檔案。", "big5hkscs", "zh-Hant"),
        ("これは字幕ファイルです。", "cp932", "ja"),
        ("이것은 자막 파일입니다", "cp949", "ko"),
        ("any words at all: ü 你好", "utf-16", "en"),
        ("a character that was lost: \ufffd", "utf-8", "en"),
        ("any words at all: ü 你好", "utf-8-sig", "ru"),
    ],
)
def test_characters_are_read_as_the_mark_or_the_language_says(
    words: str, encoding: str, language: str
) -> None:
    assert decode(words.encode(encoding), language) == words


def test_a_damaged_byte_makes_no_other_encoding() -> None:
    words = "今天我们来看一部电影,好吗?"

    assert decode(words.encode() + b"\xe4" + words.encode(), "zh") == f"{words}\ufffd{words}"


@given(
    st.binary(max_size=400)
    | st.text(alphabet="0123456789:.,->< \n{}\\an&;WEBVT", max_size=400).map(str.encode)
)
def test_whatever_is_read_can_be_read_again(data: bytes) -> None:
    try:
        found = read_captions(b"WEBVTT\n\n00:01.000 --> 00:02.000\nx\n\n" + data, language="en")
    except UnreadableCaptions:
        return

    again = read_captions(found.render().encode(), language="en")

    assert (again.cues, again.skipped) == (found.cues, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"00:01.000 --> 00:02.000\n" + b"<a" * 2_000_000,
        b"00:01.000 --> 00:02.000\nx" + b"\n" * 4_000_000,
        b"00:01.000 --> 00:02.000\n" * 200_000,
        b"[Events]\n" + b"Dialogue: " + b"{\\i1" * 1_000_000,
        b"-->" * 1_500_000,
    ],
)
def test_hostile_files_cost_no_more_than_their_size(data: bytes) -> None:
    try:
        found = read_captions(data, language="en")
    except UnreadableCaptions:
        return

    assert len(found.render()) <= 2 * len(data) + 100


# --- Languages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "tag", "name"),
    [
        ("EN", "en", "English"),
        ("zh-hans", "zh-Hans", "中文 (简体)"),
        ("pt-br", "pt-BR", "Português (Brasil)"),
        ("fr ", "fr", "Français"),
        ("es-419", "es-419", "Español (Latinoamérica)"),
        ("xzz", "xzz", "xzz"),
    ],
)
def test_languages_have_one_tag_and_their_own_name(given: str, tag: str, name: str) -> None:
    assert canonical_tag(given) == tag
    assert language_name(tag) == name


@pytest.mark.parametrize("given", ["", "e", "english please", "../../x", "en/..", "en-", "zh_Hans", "en\n"])
def test_what_is_no_tag_is_refused(given: str) -> None:
    assert canonical_tag(given) in {None, "en"}
    assert canonical_tag(given) is None or given.strip() == "en"


# --- On a video ---------------------------------------------------------------------------


@pytest.fixture
def owner(db: None) -> User:
    return UserFactory(username="owner")


@pytest.fixture
def video(owner: User) -> Video:
    return VideoFactory(channel=owner.channel)


def send(client: APIClient, video: Video, text: str | bytes = VTT, language: str = "en") -> Any:
    file = SimpleUploadedFile("../../x.vtt", text if isinstance(text, bytes) else text.encode())
    path = f"/api/v1/videos/{video.public_id}/captions/"
    return client.post(path, {"language": language, "file": file}, format="multipart")


def signed_in(user: User) -> APIClient:
    client = APIClient(SERVER_NAME="127.0.0.1")  # signed addresses name the host they were asked under
    client.force_authenticate(user)
    return client


@pytest.mark.redis
@pytest.mark.storage
def test_captions_are_added_listed_played_replaced_and_removed(
    owner: User, video: Video, bucket: str
) -> None:
    client = signed_in(owner)

    added = send(client, video)
    replaced = send(client, video, VTT.replace("Hello", "Good morning") + "\n00:09.000 --> 00:08.000\nno\n")
    second = send(client, video, "00:01,000 --> 00:02,000\n你好\n", "zh-hans")
    listed = client.get(f"/api/v1/videos/{video.public_id}/captions/").json()["results"]
    playback = client.get(f"/api/v1/videos/{video.public_id}/").json()["playback"]

    assert [answer.status_code for answer in (added, replaced, second)] == [201, 201, 201]
    assert (replaced.json()["cue_count"], replaced.json()["skipped_cues"]) == (2, 1)
    assert [(track["language"], track["label"]) for track in listed] == [
        ("en", "English"),
        ("zh-Hans", "中文 (简体)"),
    ]
    assert playback["captions"] == listed
    with urllib.request.urlopen(listed[0]["url"]) as answer:
        assert answer.headers["Content-Type"] == "text/vtt"
        assert answer.read().decode().startswith("WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nGood morning\n")
    assert len({*storage.keys_under(f"{video.prefix}captions/")} - {*doomed()}) == 2

    removed = client.delete(f"/api/v1/videos/{video.public_id}/captions/EN/")
    again = client.delete(f"/api/v1/videos/{video.public_id}/captions/en/")
    assert (removed.status_code, again.status_code) == (204, 404)
    assert [*video.captions.values_list("language", flat=True)] == ["zh-Hans"]


def doomed() -> list[str]:
    return [*DoomedPrefix.objects.values_list("prefix", flat=True)]


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.parametrize(
    ("text", "language", "code", "attr"),
    [
        ("", "en", "captions_unreadable", "file"),
        ("<html>", "en", "captions_unreadable", "file"),
        (VTT, "English", "unknown_language", "language"),
        (VTT + " " * (5 * 1024 * 1024), "en", "limits_exceeded", "file"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    owner: User, video: Video, text: str, language: str, code: str, attr: str
) -> None:
    answer = send(signed_in(owner), video, text, language)

    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"], error["attr"]) == (400, code, attr)
    assert not CaptionTrack.objects.exists()


@pytest.mark.redis
def test_who_may_read_and_who_may_change(owner: User) -> None:
    private = VideoFactory(channel=owner.channel, visibility=Video.Visibility.PRIVATE)
    public = VideoFactory(channel=owner.channel)
    stranger, nobody = signed_in(UserFactory()), APIClient()

    assert stranger.get(f"/api/v1/videos/{private.public_id}/captions/").status_code == 404
    assert nobody.get(f"/api/v1/videos/{public.public_id}/captions/").json()["results"] == []
    assert send(nobody, public).status_code == 401
    assert send(stranger, public).status_code == 403
    assert send(stranger, private).status_code == 404
    assert stranger.delete(f"/api/v1/videos/{public.public_id}/captions/en/").status_code == 403


def test_there_is_a_bound_on_languages(owner: User, video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_TRACKS", 1)
    CaptionTrack.objects.create(video=video, language="en", key="x", cue_count=1)

    answer = send(signed_in(owner), video, language="de")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "too_many_captions")
