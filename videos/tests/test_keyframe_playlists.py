"""I-frame playlists of encoded clips and of recordings, with real FFmpeg, S3 and rows in SQL."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from common import storage
from live.tests.hls_checker import faults
from videos.models import Video
from videos.services import recordings
from videos.tests.clips import make_clip
from videos.tests.test_pipeline import uploaded, work_until_idle
from videos.tests.test_storyboards import changing_clip, recorded
from videos.transcoding.tools import ffmpeg_path

__all__ = ["uploaded"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg, pytest.mark.storage, pytest.mark.slow]

Uploaded = Callable[..., Video]


def fetcher(client: Client, video: Video) -> Callable[[str], bytes]:
    """Return a function that fetches playlists from the site and segments from storage."""

    def fetch(uri: str) -> bytes:
        if uri.startswith("http"):
            return read_stored(uri)
        return client.get(f"/videos/{video.public_id}/hls/{video.encode_key}/{uri}").content

    return fetch


def read_stored(uri: str, start: int = 0, length: int = 10**7) -> bytes:
    return storage.read_range(urlsplit(uri).path.removeprefix(f"/{settings.S3_BUCKET}/"), start, length)


def shades(fetch: Callable[[str], bytes], playlist: str, folder: Path) -> list[float]:
    """Return the brightness (0 to 1) of each frame, decoded from the init segment and its bytes alone."""
    (map_uri,) = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', playlist)
    found = []
    for length, offset, uri in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", playlist):
        path = folder / "still.mp4"
        path.write_bytes(fetch(map_uri) + read_stored(uri, int(offset), int(length)))
        argv = (ffmpeg_path(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-")
        frame = subprocess.run(argv, check=True, capture_output=True).stdout
        assert len(frame) == 320 * 180
        found.append(frame[len(frame) // 2] / 255)
    return found


def test_byte_ranges_of_the_playlist_are_the_keyframes_of_their_times(
    uploaded: Uploaded, clips: Path, client: Client, tmp_path: Path
) -> None:
    video = uploaded(changing_clip(clips / "seconds-13.mp4", 13))
    work_until_idle()
    video.refresh_from_db()
    fetch = fetcher(client, video)

    multivariant = fetch("multivariant.m3u8").decode()
    (address,) = re.findall(r'#EXT-X-I-FRAME-STREAM-INF:.*URI="([^"]+)"', multivariant)
    playlist = fetch(address).decode()

    assert "#EXT-X-I-FRAMES-ONLY\n" in playlist
    assert re.findall(r"#EXTINF:(\S+),", playlist) == ["4", "4", "4", "1"]
    shown = shades(fetch, playlist, tmp_path)
    assert shown == pytest.approx([second * 6 / 219 for second in (0, 4, 8, 12)], abs=0.016)
    assert faults(fetch) == []


def test_only_viewers_with_access_read_the_playlist(uploaded: Uploaded, clips: Path, client: Client) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))
    work_until_idle()
    video.refresh_from_db()
    name = video.renditions.exclude(keyframes_peak_bps=None).get().name
    address = f"/videos/{video.public_id}/hls/{video.encode_key}/keyframes-{name}.m3u8"

    assert client.get(address).status_code == 200
    Video.objects.filter(pk=video.pk).update(visibility="private")
    assert client.get(address).status_code == 404


def test_recording_that_goes_on_has_no_playlist_until_its_keyframes_are_indexed_again(
    bucket: str, clips: Path, tmp_path: Path, client: Client
) -> None:
    video = recorded(tmp_path / "one", changing_clip(clips / "seconds-9.mp4", 9))
    work_until_idle()
    first = fetcher(client, video)("multivariant.m3u8").decode()

    recordings.reopen_recording(video)
    video = recorded(tmp_path / "two", make_clip("no_audio", clips, seconds=5), video=video)
    between = fetcher(client, video)("multivariant.m3u8").decode()
    work_until_idle()
    video.refresh_from_db()
    fetch = fetcher(client, video)
    after = fetch("multivariant.m3u8").decode()

    assert ["I-FRAME" in text for text in (first, between, after)] == [True, False, True]
    # The rows of this recording do not describe its renditions truly.
    assert [fault for fault in faults(fetch) if re.search("keyframes-|4.4.6.3", fault)] == []


def test_video_without_an_index_names_no_playlist(uploaded: Uploaded, clips: Path, client: Client) -> None:
    video = uploaded(make_clip("no_audio", clips, seconds=5))
    work_until_idle()
    video.refresh_from_db()
    video.renditions.update(keyframes_peak_bps=None)
    fetch = fetcher(client, video)

    assert "I-FRAME" not in fetch("multivariant.m3u8").decode()
    name = video.renditions.filter(kind="video")[0].name
    address = f"/videos/{video.public_id}/hls/{video.encode_key}/keyframes-{name}.m3u8"
    assert client.get(address).status_code == 404
