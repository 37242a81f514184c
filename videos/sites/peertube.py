"""Channels and accounts of PeerTube, through its REST API (version 4 and newer)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from common.safe_http import FetchError

from . import found
from .asking import Asker
from .found import FoundVideo, address, array, line, moment, number, obj, size, text

PAGE_VIDEOS = 50
MAX_FILES = 100
# PeerTube's numbers.
VISIBILITIES = {1: found.PUBLIC, 2: found.UNLISTED}
CATEGORIES = {
    1: "music", 2: "film", 5: "sports", 6: "travel", 7: "gaming", 8: "people", 9: "entertainment",
    10: "entertainment", 11: "news", 12: "education", 13: "education", 15: "science", 18: "food",
}  # fmt: skip
_PATHS = {"c": "video-channels", "video-channels": "video-channels", "a": "accounts", "accounts": "accounts"}
_NAME = re.compile(r"[\w.-]{1,120}")
_HANDLE = re.compile(r"@?([\w.-]{1,120})@([\w.-]{1,253}(?::\d{1,5})?)")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def list_address(url: str) -> str:
    """Return the API's list of the videos of a channel, an account or a handle; empty for another address.

    ``https://host/c/name``, ``https://host/a/name`` and ``name@host`` are known.
    """
    if handle := _HANDLE.fullmatch(url):
        return f"https://{handle[2]}/api/v1/video-channels/{quote(handle[1])}/videos"
    parts = urlsplit(url)
    folders = parts.path.strip("/").split("/")
    kind = _PATHS.get(folders[0]) if len(folders) > 1 else None
    if kind is None or parts.scheme not in {"http", "https"}:
        return ""
    name, _, host = folders[1].partition("@")
    if not _NAME.fullmatch(name):
        return ""
    # A site also shows the channels of others, whose own site has the files.
    base = f"https://{host}" if host else f"{parts.scheme}://{parts.netloc}"
    return f"{base}/api/v1/{kind}/{quote(name)}/videos"


def list_videos(listed_at: str, ask: Asker, most: int) -> Iterator[tuple[FoundVideo, int]]:
    """Yield the videos of a list, newest first, each with the number of all; at most ``most``.

    Raises FetchError.
    """
    seen = 0
    while seen < most:
        page = obj(ask(f"{listed_at}?start={seen}&count={PAGE_VIDEOS}&sort=-publishedAt&nsfw=both"))
        rows = array(page.get("data"), PAGE_VIDEOS)
        total = int(number(page.get("total")) or 0)
        for row in map(obj, rows):
            seen += 1
            uuid = str(row.get("uuid", ""))
            if UUID.fullmatch(uuid) and not row.get("isLive") and seen <= most:
                video = _details(listed_at, uuid, ask)
                if video:
                    yield video, min(total, most)
        if not rows or seen >= total:
            return


def _details(listed_at: str, uuid: str, ask: Asker) -> FoundVideo | None:
    """Return one video, None if its site does not give it."""
    url = address(listed_at, f"/api/v1/videos/{uuid}")
    try:
        details = obj(ask(url))
    except FetchError as error:
        if error.status in {401, 403, 404}:
            return None
        raise
    return video_of(details, url)


def video_of(details: Mapping[str, Any], url: str) -> FoundVideo | None:
    """Return the video of a ``VideoDetails`` that was found at ``url``, None if it has no file."""
    uuid = str(details.get("uuid", ""))
    media_url, size_bytes = best_file(details, url)
    if not UUID.fullmatch(uuid) or not media_url:
        return None
    pictures = (details.get(name) for name in ("previewUrl", "previewPath", "thumbnailUrl", "thumbnailPath"))
    return FoundVideo(
        source_id=f"peertube:{found.host_of(url)}/{uuid}"[: found.MAX_SOURCE_ID],
        title=line(details.get("name"), found.MAX_SOURCE_TITLE),
        media_url=media_url,
        size_bytes=size_bytes,
        duration_s=number(details.get("duration")),
        published_at=moment(details.get("originallyPublishedAt")) or moment(details.get("publishedAt")),
        visibility=VISIBILITIES.get(id_of(details.get("privacy")), found.PRIVATE),
        category=CATEGORIES.get(id_of(details.get("category")), "other"),
        description=text(details.get("description"), found.MAX_SOURCE_DESCRIPTION),
        tags=found.tags(array(details.get("tags"), found.MAX_SOURCE_TAGS)),
        thumbnail_url=next((known for picture in pictures if (known := address(url, picture))), ""),
        captions_url=f"{url}/captions",
        chapters_url=f"{url}/chapters",
    )


def best_file(details: Mapping[str, Any], url: str) -> tuple[str, int | None]:
    """Return address and size of the best file with frames and sound, else those of the HLS playlist.

    Sites may store the tracks apart; their playlist is then joined by yt-dlp.
    """
    playlists = [obj(row) for row in array(details.get("streamingPlaylists"), 5)]
    files = [obj(row) for row in array(details.get("files"), MAX_FILES)]
    files += [obj(row) for playlist in playlists for row in array(playlist.get("files"), MAX_FILES)]
    whole = [row for row in files if row.get("hasAudio") is not False and row.get("hasVideo") is not False]
    for row in sorted(whole, key=lambda one: id_of(one.get("resolution")), reverse=True):
        if file_url := address(url, row.get("fileUrl")) or address(url, row.get("fileDownloadUrl")):
            return file_url, size(row.get("size"))
    for playlist in playlists:
        if playlist_url := address(url, playlist.get("playlistUrl")):
            return playlist_url, sum(size(row.get("size")) or 0 for row in files) or None
    return "", None


def captions_of(answer: object, url: str) -> tuple[tuple[str, str], ...]:
    """Return language and address of the captions that people wrote."""
    rows = map(obj, array(obj(answer).get("data"), found.MAX_SOURCE_CAPTIONS))
    return tuple(
        (line(obj(row.get("language")).get("id"), 35), file_url)
        for row in rows
        if not row.get("automaticallyGenerated")
        and (file_url := address(url, row.get("fileUrl")) or address(url, row.get("captionPath")))
    )


def chapters_of(answer: object) -> tuple[tuple[float, str], ...]:
    return found.chapters(obj(answer).get("chapters"), "timecode")


def id_of(value: object) -> int:
    """Return the number of a constant, which is an object with a label or the number itself."""
    inner = value.get("id") if isinstance(value, dict) else value
    return int(number(inner) or 0)
