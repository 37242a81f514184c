"""Captions in HLS: in the multivariant playlist, and as playlists of their own."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from videos import services
from videos.models import CaptionTrack, Video
from videos.tests.factories import VideoFactory
from videos.transcoding.tools import ffprobe_path

pytestmark = pytest.mark.django_db

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.500\nHello\n"


def captioned(video: Video, language: str, origin: CaptionTrack.Origin = CaptionTrack.Origin.OWNER) -> None:
    key = f"{video.prefix}captions/{language}.vtt"
    CaptionTrack.objects.create(video=video, language=language, key=key, cue_count=1, origin=origin)


def playlist(client: Client, video: Video, name: str) -> list[str]:
    answer = client.get(f"/videos/{video.public_id}/hls/{video.encode_key}/{name}.m3u8")
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode().splitlines()


def test_multivariant_playlist_lists_captions_and_says_which_are_automatic(client: Client) -> None:
    video = VideoFactory()
    assert not any("SUBTITLES" in line for line in playlist(client, video, "multivariant"))
    captioned(video, "en", CaptionTrack.Origin.AUTOMATIC)
    captioned(video, "zh-Hans")

    lines = playlist(client, video, "multivariant")

    begin = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",'
    rules = "DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,"
    assert [line for line in lines if "TYPE=SUBTITLES" in line] == [
        f'{begin}NAME="English (automatic)",LANGUAGE="en",{rules}URI="captions-en.m3u8"',
        f'{begin}NAME="中文 (简体)",LANGUAGE="zh-Hans",{rules}URI="captions-zh-Hans.m3u8"',
    ]
    variants = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    assert len(variants) == 2
    assert all('SUBTITLES="captions"' in line for line in variants)


def test_playlist_of_captions_is_one_segment_of_the_whole_video(client: Client) -> None:
    video = VideoFactory(duration_s=8.2)
    captioned(video, "zh-Hans")

    *head, url, end = playlist(client, video, "captions-zh-Hans")

    assert head == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-TARGETDURATION:9",
        "#EXTINF:8.2,",
    ]
    assert "/captions/zh-Hans.vtt?" in url
    assert end == "#EXT-X-ENDLIST"
    assert client.get(f"/videos/{video.public_id}/hls/{video.encode_key}/captions-de.m3u8").status_code == 404


def test_captions_of_a_private_video_are_hidden(client: Client) -> None:
    video = VideoFactory(visibility=Video.Visibility.PRIVATE)
    captioned(video, "en")

    assert client.get(f"/videos/{video.public_id}/hls/{video.encode_key}/captions-en.m3u8").status_code == 404


def test_removed_captions_leave_the_playlist_at_once(client: Client) -> None:
    video = VideoFactory()
    captioned(video, "en")
    assert any("captions-en" in line for line in playlist(client, video, "multivariant"))

    services.remove_captions(video, language="en")

    assert not any("captions-en" in line for line in playlist(client, video, "multivariant"))


@pytest.mark.storage
@pytest.mark.ffmpeg
def test_stored_captions_are_a_webvtt_segment_that_players_read(bucket: str, tmp_path: Path) -> None:
    video = VideoFactory()
    track, _ = services.add_captions(video, language="en", file=SimpleUploadedFile("a.vtt", VTT))

    with urllib.request.urlopen(services.caption_json(track)["url"]) as answer:
        stored = answer.read()

    assert stored.startswith(b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:00:01.000 --> ")
    path = tmp_path / "captions.vtt"
    path.write_bytes(stored)
    command = [ffprobe_path(), "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", str(path)]
    assert float(subprocess.run(command, check=True, capture_output=True).stdout.split(b",")[0]) == 1.0
