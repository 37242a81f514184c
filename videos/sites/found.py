"""A video that another site lists, as values of bounded size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from common import safe_http
from common.words import one_line, printable

MAX_SOURCE_ID = 300  # characters
MAX_SOURCE_TITLE = 150
MAX_SOURCE_DESCRIPTION = 5_000
MAX_SOURCE_TAGS = 12
MAX_SOURCE_CAPTIONS = 20
MAX_SOURCE_CHAPTERS = 200

PUBLIC, UNLISTED, PRIVATE = "public", "unlisted", "private"


@dataclass(frozen=True, slots=True)
class FoundVideo:
    """A video of another site: its words, and the addresses of its files."""

    source_id: str
    """The site's own name for the video, with the site: the same at each listing."""
    title: str
    media_url: str
    size_bytes: int | None = None
    duration_s: float | None = None
    published_at: datetime | None = None
    visibility: str = PRIVATE
    category: str = "other"
    description: str = ""
    tags: tuple[str, ...] = ()
    thumbnail_url: str = ""
    captions: tuple[tuple[str, str], ...] = ()
    """Language and address of each."""
    chapters: tuple[tuple[float, str], ...] = ()
    captions_url: str = ""
    """Where the site lists captions, if it does so apart; likewise for chapters."""
    chapters_url: str = ""


def obj(value: object) -> Mapping[str, Any]:
    """Return a JSON object, empty for another value."""
    return value if isinstance(value, dict) else {}


def array(value: object, most: int) -> list[Any]:
    """Return at most ``most`` items of a JSON array, none for another value."""
    return value[:most] if isinstance(value, list) else []


def line(value: object, most: int) -> str:
    return one_line(value[: most * 4], most) if isinstance(value, str) else ""


def text(value: object, most: int) -> str:
    return printable(value[: most * 4], most) if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """Return a number that is finite and not negative, None for another value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**60 and math.isfinite(value) else None


def size(value: object) -> int | None:
    found = number(value)
    return int(found) if found else None


def moment(value: object) -> datetime | None:
    """Return a moment in ISO 8601 that has passed, None for another value."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if datetime(1990, 1, 1, tzinfo=UTC) < found < datetime.now(UTC) else None


def address(base: str, value: object) -> str:
    """Return a web address that may be relative to ``base``, empty for anything else."""
    if not isinstance(value, str) or not value:
        return ""
    try:
        url = urljoin(base, value)
        safe_http.parse(url)
    except (ValueError, safe_http.FetchError):
        return ""
    return url


def host_of(value: object) -> str:
    """Return the host of a web address in its one spelling, with a port that is not the scheme's own.

    Empty for anything else than a web address.
    """
    if not isinstance(value, str):
        return ""
    try:
        origin = safe_http.parse(value)
    except safe_http.FetchError:
        return ""
    host = origin.host.lower().rstrip(".")
    return host if origin.port == safe_http.PORTS[origin.scheme] else f"{host}:{origin.port}"


def chapters(rows: object, at: str) -> tuple[tuple[float, str], ...]:
    """Return the chapters of a JSON array; ``at`` names the field of their times (s)."""
    found = [
        (at_s, line(row.get("title") or row.get("chapterTitle"), 100))
        for row in map(obj, array(rows, MAX_SOURCE_CHAPTERS))
        if (at_s := seconds(row.get(at))) is not None
    ]
    return tuple(found)


def seconds(value: object) -> float | None:
    """Return a time as seconds, from a number or from "01:02:03.5"."""
    if isinstance(value, str) and len(value) < 20:
        try:
            parts = [float(part) for part in value.split(":")]
        except ValueError:
            return None
        return number(sum(part * 60**index for index, part in enumerate(reversed(parts))))
    return number(value)


def tags(names: list[Any]) -> tuple[str, ...]:
    return tuple(found for name in names if (found := line(name, 40)))[:MAX_SOURCE_TAGS]
