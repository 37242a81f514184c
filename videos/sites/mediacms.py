"""Users of MediaCMS, through its REST API (version 4 and newer)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from common.safe_http import FetchError

from . import found
from .asking import Asker
from .found import FoundVideo, address, array, line, moment, number, obj, text

MAX_PAGES = 50
_PATH = re.compile(r"/user/([\w@.+-]{1,150})(?:/.*)?")
_TOKEN = re.compile(r"[\w-]{1,150}")
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([\d.]{1,12}) ?([KMGT]?B)")
# Titles of a new installation's categories.
CATEGORIES = {
    "art": "entertainment", "documentary": "film", "experimental": "film", "film": "film", "music": "music",
    "tv": "entertainment", "education": "education", "news": "news", "science": "science", "sports": "sports",
    "travel": "travel", "gaming": "gaming", "food": "food",
}  # fmt: skip


def list_address(url: str) -> str:
    """Return the API's list of a user's media, empty for another address than ``https://host/user/name``."""
    parts = urlsplit(url)
    path = _PATH.fullmatch(parts.path)
    if path is None or parts.scheme not in {"http", "https"}:
        return ""
    return f"{parts.scheme}://{parts.netloc}/api/v1/media?author={quote(path[1], safe='')}"


def list_videos(listed_at: str, ask: Asker, most: int) -> Iterator[tuple[FoundVideo, int]]:
    """Yield the videos and sounds of a list, each with the number of all media; at most ``most``.

    Raises FetchError.
    """
    seen = 0
    for number_of_page in range(1, MAX_PAGES + 1):
        page = obj(ask(f"{listed_at}&page={number_of_page}"))
        rows = array(page.get("results"), most - seen)
        total = int(number(page.get("count")) or 0)
        for row in map(obj, rows):
            seen += 1
            token = str(row.get("friendly_token", ""))
            if _TOKEN.fullmatch(token) and row.get("media_type") in {"video", "audio"}:
                video = _details(listed_at, token, ask)
                if video:
                    yield video, min(total, most)
        if not rows or not page.get("next") or seen >= most:
            return


def _details(listed_at: str, token: str, ask: Asker) -> FoundVideo | None:
    """Return one video, None if its site does not give it."""
    url = address(listed_at, f"/api/v1/media/{token}")
    try:
        details = obj(ask(url))
    except FetchError as error:
        if error.status in {400, 401, 403, 404}:
            return None
        raise
    return video_of(details, token, url)


def video_of(details: Mapping[str, Any], token: str, url: str) -> FoundVideo | None:
    """Return the video of a ``SingleMedia`` that was found at ``url``, None if it has no file."""
    media_url = best_file(details, url)
    if not media_url:
        return None
    captions = map(obj, array(details.get("subtitles_info"), found.MAX_SOURCE_CAPTIONS))
    categories = [
        line(obj(row).get("title"), 40).lower() for row in array(details.get("categories_info"), 20)
    ]
    state = details.get("state")
    return FoundVideo(
        source_id=f"mediacms:{found.host_of(url)}/{token}"[: found.MAX_SOURCE_ID],
        title=line(details.get("title"), found.MAX_SOURCE_TITLE),
        media_url=media_url,
        size_bytes=size_of(details.get("size")),
        duration_s=number(details.get("duration")),
        published_at=moment(details.get("add_date")),
        visibility=state if state in {found.PUBLIC, found.UNLISTED} else found.PRIVATE,
        category=next((CATEGORIES[name] for name in categories if name in CATEGORIES), "other"),
        description=text(details.get("description"), found.MAX_SOURCE_DESCRIPTION),
        tags=found.tags([obj(row).get("title") for row in array(details.get("tags_info"), 50)]),
        thumbnail_url=address(url, details.get("poster_url")) or address(url, details.get("thumbnail_url")),
        captions=tuple(
            (line(row.get("srclang"), 35), file_url)
            for row in captions
            if (file_url := address(url, row.get("src")))
        ),
        chapters=found.chapters(details.get("chapter_data"), "startTime"),
    )


def best_file(details: Mapping[str, Any], url: str) -> str:
    """Return the address of the original file, else that of the best encoding, H.264 first."""
    if original := address(url, details.get("original_media_url")):
        return original
    encodings = []
    for height, codecs in obj(details.get("encodings_info")).items():
        for codec, row in obj(codecs).items():
            file_url = address(url, obj(row).get("url"))
            if file_url and obj(row).get("status") == "success":
                lines = int(height) if height.isdecimal() and len(height) < 6 else 0
                encodings.append((codec == "h264", lines, file_url))
    return max(encodings)[2] if encodings else ""


def size_of(value: object) -> int | None:
    """Return the bytes of "12.5MB", as MediaCMS writes sizes; None for another value."""
    match = _SIZE.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    try:
        return int(float(match[1]) * _UNITS[match[2]]) if match else None
    except ValueError:
        return None
