"""Captions in all supported formats, and their life on a video."""

from __future__ import annotations

import urllib.request
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from common import storage
from common.models import PendingDeletion
from videos import caption_tracks
from videos.languages import canonical_tag, language_name
from videos.models import CaptionTrack, Video
from videos.tests.factories import VideoFactory
from videos.transcoding import caption_conversion
from videos.transcoding.caption_conversion import Converted, convert
from videos.transcoding.captions import Captions, Cue, UnreadableCaptions, read_captions
from videos.transcoding.charsets import decode
from videos.transcoding.errors import LimitsExceeded

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello\n\n00:03.000 --> 00:04.000\nagain\n"


def read(text: str, language: str = "en") -> Captions:
    return read_captions(text.encode(), language=language)


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        (VTT, [Cue(1000, 2500, "Hello"), Cue(3000, 4000, "again")]),
        (
            "1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,0 --> 0:0:04,00\n",
            [Cue(1000, 2500, "Hello")],
        ),
        ("00:00:01,000 --> 00:00:02,000\nno number\n", [Cue(1000, 2000, "no number")]),
        # No blank line between two cues.
        (
            "1\n00:01,000 --> 00:02,000\none\n2\n00:02,000 --> 00:03,000\ntwo",
            [Cue(1000, 2000, "one"), Cue(2000, 3000, "two")],
        ),
        # Text behind the times is a setting or ignored, even without a space before it.
        ("00:01.000 --> 00:02.000\0align:end\nx", [Cue(1000, 2000, "x")]),
        ("00:01.000-->00:02.000,align:end\nx", [Cue(1000, 2000, "x")]),
        # An arrow in the text is not a timing.
        ("00:01.000 --> 00:02.000\na --> b\n", [Cue(1000, 2000, "a --&gt; b")]),
        ("100:00:00.000 --> 100:00:01.000\nlate\n", [Cue(360_000_000, 360_001_000, "late")]),
        # Notes, styles and headers are not cues.
        (
            "WEBVTT - by me\nKind: captions\n\nSTYLE\n::cue{}\n\nNOTE no\n\n00:01.000 --> 00:02.000\nx",
            [Cue(1000, 2000, "x")],
        ),
        # Cues are sorted by time.
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
def test_file_without_a_usable_cue_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableCaptions):
        read(text)


def test_cues_with_invalid_times_are_counted_as_skipped() -> None:
    text = (
        "00:02.000 --> 00:01.000\nback\n\n00:99.000 --> 99:99.000\nno time\n\n00:01.000 --> 00:02.000\ngood\n"
    )

    found = read(text)

    assert ([cue.text for cue in found.cues], found.skipped) == (["good"], 2)


@pytest.mark.parametrize(
    ("written", "kept"),
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
def test_only_webvtt_markup_is_kept(written: str, kept: str) -> None:
    assert read(f"00:01.000 --> 00:02.000\n{written}\n").cues[0].text == kept


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ("line:0 position:20% align:start", "line:0 position:20% align:start"),
        ("line:-1,end size:50%", "line:-1,end size:50%"),
        ('position:"><svg/onload=x align:end', "align:end"),
        ("X1:100 Y1:20", ""),
    ],
)
def test_only_valid_cue_settings_are_kept(settings: str, kept: str) -> None:
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
def test_charset_follows_the_byte_order_mark_or_the_language(
    words: str, encoding: str, language: str
) -> None:
    assert decode(words.encode(encoding), language) == words


SPOKEN = {
    "pl": ("Cześć, gdzie jesteś?", ("cp1250", "iso8859_2", "cp852", "mac_latin2")),
    "cs": ("Kde jsi, tatínku? Už jdu, šťastně.", ("cp1250", "iso8859_2", "cp852")),
    "hu": ("Hová mész, öregem? Őrült vagy, hűvös az idő!", ("cp1250", "iso8859_2", "cp852")),
    "hr": ("Gdje si, čovječe? Žao mi je. Što će biti?", ("cp1250", "iso8859_2", "cp852")),
    "ru": ("Привет, где ты? Я уже иду домой!", ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")),
    "uk": ("Привіт, де ти? Я вже йду їсти.", ("cp1251", "koi8_u", "cp1125")),
    "el": ("Γεια σου, πού είσαι, Άννα;", ("cp1253", "iso8859_7", "cp737")),
    "tr": ("İyi günler, ağabey. Şimdi ışık var.", ("cp1254", "cp857")),
    "lv": ("Šodien ēdīšu. Ļoti žēl, ka nāci.", ("cp1257", "iso8859_4")),
    "de": ("Schöne Grüße aus Österreich", ("cp1252", "cp850", "mac_roman")),
    "ja": ("こんにちは、どこにいますか。", ("cp932", "euc_jp", "iso2022_jp")),
}


@pytest.mark.parametrize(
    ("language", "charset"),
    [
        (language, charset)
        for language, (_words, charsets) in SPOKEN.items()
        for charset in (*charsets, "utf-8", "utf-16-le", "utf-16-be")
    ],
)
def test_short_file_is_read_in_any_charset_of_its_language(language: str, charset: str) -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,500\n{SPOKEN[language][0]}\n"

    assert decode(text.encode(charset), language) == text


def test_conversion_in_a_process_reads_an_old_charset() -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,500\n{SPOKEN['pl'][0]}\n"

    converted = convert(text.encode("iso8859_2"), language="pl")

    assert "Cześć, gdzie jesteś?" in converted.webvtt.decode()


def test_utf8_with_a_damaged_byte_is_still_read_as_utf8() -> None:
    words = "今天我们来看一部电影,好吗?"

    assert decode(words.encode() + b"\xe4" + words.encode(), "zh") == f"{words}\ufffd{words}"


@given(
    st.binary(max_size=400)
    | st.text(alphabet="0123456789:.,->< \n{}\\an&;WEBVT", max_size=400).map(str.encode)
)
def test_rendered_captions_are_read_back_unchanged(data: bytes) -> None:
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
def test_output_of_hostile_files_is_at_most_twice_their_size(data: bytes) -> None:
    try:
        found = read_captions(data, language="en")
    except UnreadableCaptions:
        return

    assert len(found.render()) <= 2 * len(data) + 100


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
def test_language_tag_is_canonical_and_has_its_own_name(given: str, tag: str, name: str) -> None:
    assert canonical_tag(given) == tag
    assert language_name(tag) == name


@pytest.mark.parametrize("given", ["", "e", "english please", "../../x", "en/..", "en-", "zh_Hans", "en\n"])
def test_invalid_language_tag_is_refused(given: str) -> None:
    assert canonical_tag(given) in {None, "en"}
    assert canonical_tag(given) is None or given.strip() == "en"


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
    client = APIClient(SERVER_NAME="127.0.0.1")  # signed URLs contain the host of the request
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
        stored = answer.read().decode()
        head = f"WEBVTT\n{caption_tracks.TIMESTAMP_MAP.decode()}\n"
        assert stored.startswith(f"{head}00:00:01.000 --> 00:00:02.500\nGood morning\n")
    assert (
        len(
            {*storage.keys_under(f"{video.prefix}captions/")}
            - {*PendingDeletion.objects.values_list("path", flat=True)}
        )
        == 2
    )

    removed = client.delete(f"/api/v1/videos/{video.public_id}/captions/EN/")
    again = client.delete(f"/api/v1/videos/{video.public_id}/captions/en/")
    assert (removed.status_code, again.status_code) == (204, 404)
    assert [*video.captions.values_list("language", flat=True)] == ["zh-Hans"]


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
def test_unusable_captions_are_refused_with_a_code(
    owner: User, video: Video, text: str, language: str, code: str, attr: str
) -> None:
    answer = send(signed_in(owner), video, text, language)

    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"], error["attr"]) == (400, code, attr)
    assert not CaptionTrack.objects.exists()


@pytest.mark.redis
def test_captions_are_readable_by_viewers_and_changed_by_the_owner(owner: User) -> None:
    private = VideoFactory(channel=owner.channel, visibility=Video.Visibility.PRIVATE)
    public = VideoFactory(channel=owner.channel)
    stranger, nobody = signed_in(UserFactory()), APIClient()

    assert stranger.get(f"/api/v1/videos/{private.public_id}/captions/").status_code == 404
    assert nobody.get(f"/api/v1/videos/{public.public_id}/captions/").json()["results"] == []
    assert send(nobody, public).status_code == 401
    assert send(stranger, public).status_code == 403
    assert send(stranger, private).status_code == 404
    assert stranger.delete(f"/api/v1/videos/{public.public_id}/captions/en/").status_code == 403


def test_number_of_languages_is_limited(owner: User, video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_tracks, "MAX_TRACKS", 1)
    CaptionTrack.objects.create(video=video, language="en", key="x", cue_count=1)

    answer = send(signed_in(owner), video, language="de")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "too_many_captions")


def test_conversion_in_a_process_equals_the_reader() -> None:
    data = ("\ufeff" + VTT + "\n99:99 --> 1\nno time\n").encode()

    converted = convert(data, language="en")

    found = read_captions(data, language="en")
    assert converted == Converted(found.render().encode(), len(found.cues), found.skipped)


def test_conversion_of_a_file_without_a_cue_raises_unreadable() -> None:
    with pytest.raises(UnreadableCaptions):
        convert(b"\0" * 1000, language="en")


def test_conversion_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_conversion, "CONVERSION_TIMEOUT_S", 0.0)

    with pytest.raises(LimitsExceeded):
        convert(VTT.encode() * 1000, language="en")


@pytest.mark.django_db
def test_captions_upload_while_converters_are_busy_is_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_conversion, "MAX_WAIT_S", 0.0)
    monkeypatch.setattr(caption_conversion, "_turns", BoundedSemaphore(1))
    video = VideoFactory()
    api = APIClient(raise_request_exception=False)
    api.force_authenticate(video.channel.owner)
    body = {"language": "en", "file": SimpleUploadedFile("a.vtt", VTT.encode())}

    with caption_conversion._turns:
        answer = api.post(f"/api/v1/videos/{video.public_id}/captions/", body, format="multipart")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
