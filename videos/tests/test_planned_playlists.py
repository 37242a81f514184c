"""Playlists that list segments before they exist, and the addresses of these segments."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import UserFactory
from accounts.viewers import token_for
from common.rates import RATES
from videos.models import Job, SegmentRun, Video
from videos.publishing import Encode, media_playlist, multivariant_playlist
from videos.tests.factories import VideoFactory
from videos.tests.plans import planned_video

pytestmark = pytest.mark.django_db


def text_of(video: Video, name: str) -> str:
    encode = Encode.of(Video.objects.get(pk=video.pk))
    rendition = encode.rendition(name)
    assert rendition
    return media_playlist(encode, rendition, "s3:{}".format).render()


def get(client: Client, video: Video, name: str, number: int | None, **headers: str) -> Any:
    args = [video.public_id, video.encode_key, name, *([] if number is None else [number])]
    return client.get(reverse("hls-init" if number is None else "hls-segment", args=args), headers=headers)


def test_playlist_with_a_plan_lists_all_segments_and_its_end() -> None:
    lines = text_of(planned_video(), "360p").splitlines()

    assert lines[:7] == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="s3:360p/0-1/init.mp4"',
        "#EXTINF:4,",
    ]
    assert [line for line in lines if not line.startswith("#")] == [
        "s3:360p/0-1/0.m4s",
        *(f"360p/{number}.m4s" for number in range(1, 12)),
    ]
    assert lines[-3:] == ["#EXTINF:3,", "360p/11.m4s", "#EXT-X-ENDLIST"]


def test_rendition_without_segments_names_its_init_segment_by_our_address() -> None:
    text = text_of(planned_video(), "720p")

    assert '#EXT-X-MAP:URI="720p/init.mp4"' in text
    assert "s3:" not in text


def test_planned_audio_is_cut_between_blocks_of_samples() -> None:
    text = text_of(planned_video(), "audio-0")

    durations = [line.split(":")[1] for line in text.splitlines() if line.startswith("#EXTINF")]
    assert durations[:4] == ["4.010667,", "3.989333,", "4.010667,", "3.989333,"]
    assert len(durations) == 12


def test_every_rung_is_named_before_it_is_encoded() -> None:
    video = planned_video()
    video.renditions.filter(name="720p").update(codecs="")

    text = multivariant_playlist(Encode.of(video), "{}.m3u8".format)

    assert Encode.of(video).is_playable
    assert 'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720' in text
    assert "720p.m3u8" in text


def test_playlist_without_a_trusted_plan_grows() -> None:
    video = planned_video()
    video.plans.update(is_trusted=False)
    SegmentRun.objects.filter(position=1).update(segments=[4.0], attempt=1, is_open=False)

    text = text_of(video, "720p")

    assert "PLAYLIST-TYPE:EVENT" in text
    assert text.count("#EXTINF") == 1
    assert "ENDLIST" not in text


def test_playlist_ends_where_the_decoder_did() -> None:
    video = planned_video()
    SegmentRun.objects.filter(kind="video", position=2).update(segments=[4.0, 4.0], attempt=1, is_open=False)

    assert [line for line in text_of(video, "360p").splitlines() if line[:1] != "#"] == [
        "s3:360p/0-1/0.m4s",
        "s3:360p/2-1/1.m4s",
        "s3:360p/2-1/2.m4s",
    ]


def test_playlist_lists_segments_beyond_the_plan() -> None:
    video = planned_video()
    SegmentRun.objects.filter(kind="video", position=2).update(segments=[4.0] * 12, attempt=1)

    assert text_of(video, "360p").count("#EXTINF:4,") == 13


def test_stored_segment_is_redirected_to_its_signed_object(client: Client) -> None:
    video = planned_video()

    answers = [get(client, video, "360p", 0), get(client, video, "360p", None)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert f"{video.encode_prefix}360p/0-1/0.m4s?X-Amz-" in answers[0]["Location"]
    assert f"{video.encode_prefix}360p/0-1/init.mp4?X-Amz-" in answers[1]["Location"]
    assert answers[0]["Cache-Control"] == "private, no-store"
    assert answers[0]["Access-Control-Allow-Origin"] == "*"


def test_segment_of_a_finished_encode_is_redirected(client: Client) -> None:
    video = VideoFactory()

    assert get(client, video, "720p", 1).status_code == 302
    assert get(client, video, "720p", 2).status_code == 410
    assert get(client, video, "1080p", 0).status_code == 404


@pytest.mark.parametrize(("name", "number"), [("360p", 5), ("720p", None), ("720p", 0), ("audio-0", 3)])
def test_missing_segment_is_answered_503_with_the_time_to_wait(
    client: Client, name: str, number: int | None
) -> None:
    answer = get(client, planned_video(), name, number)

    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "2", "no-store")
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_segment_beyond_the_end_is_gone_at_once(client: Client) -> None:
    video = planned_video()
    SegmentRun.objects.filter(kind="video", position=2).update(segments=[4.0, 4.0], attempt=1, is_open=False)

    assert [get(client, video, "360p", number).status_code for number in (2, 3)] == [302, 410]


@pytest.mark.parametrize("name", ["360p", "audio-0"])
def test_segment_behind_the_plan_is_gone_at_once(client: Client, name: str) -> None:
    video = planned_video()

    assert get(client, video, name, 999_999).status_code == 410


@pytest.mark.parametrize("number", [0, 5])
def test_segments_of_a_private_video_are_for_its_owner(client: Client, number: int) -> None:
    video = planned_video(visibility="private")

    assert get(client, video, "360p", number).status_code == 404
    client.force_login(UserFactory())
    assert get(client, video, "360p", number).status_code == 404
    assert not Job.objects.exclude(wanted_at=None).exists()
    client.force_login(video.channel.owner)
    answer = get(client, video, "360p", number)
    assert answer.status_code in {302, 503}
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.redis
def test_requests_for_missing_segments_have_a_rate(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setitem(RATES, "wanted_segments", type(RATES["wanted_segments"])(2, 3600))
    video = planned_video()

    statuses = [get(client, video, "360p", number).status_code for number in (3, 4, 5, 0)]

    assert statuses == [503, 503, 429, 302]


def test_addresses_of_a_locked_video_carry_the_token_of_the_playlist(client: Client) -> None:
    video = planned_video(visibility="password", password_version="1")
    token = token_for(video.password_key)
    playlist = reverse("hls-media", args=[video.public_id, video.encode_key, "720p"])

    lines = client.get(playlist, {"token": token}).content.decode().splitlines()

    assert lines[-2] == f"720p/11.m4s?token={quote(token)}"
    assert f'#EXT-X-MAP:URI="720p/init.mp4?token={quote(token)}"' in lines
    assert client.get(playlist).status_code == 404
    assert get(client, video, "720p", 11).status_code == 404
    folder = playlist.removesuffix("720p.m3u8")
    assert client.get(f"{folder}{lines[-2]}").status_code == 503
