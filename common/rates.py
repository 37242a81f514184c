"""Rates and prices of requests: the one table of :mod:`common.buckets`.

A unit is about ten milliseconds of one core: an ordinary page, a page of a list.
``docs/limits.md`` lists both, and a test holds it complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from common.buckets import Rate

RATES: Final[dict[str, Rate]] = {
    # By address, signed in or not: wide enough for a school behind one address.
    "pages": Rate(3000, 60),
    "search": Rate(240, 60),
    "readyz": Rate(300, 60),
    "danmaku_reader": Rate(1200, 60),
    # Handshakes of WebSockets, and media of the live edge, of which a player requests
    # ten items in a second; counted by each process.
    "sockets": Rate(600, 60),
    "live_media": Rate(20_000, 10),
    # Segments that are encoded because a viewer asked, by address: a school that seeks.
    "wanted_segments": Rate(1200, 60),
    # The API: anonymous clients by address, people by account.
    "anonymous": Rate(600, 60),
    "person": Rate(1200, 60),
    # Sign-in: by the account that is tried, from any address, and by address.
    "sign_in": Rate(10, 60),
    "sign_in_address": Rate(60, 60),
    "sign_up": Rate(30, 60),
    # Wrong passwords of one video: by address, and from all addresses.
    "unlock": Rate(10, 300),
    "unlock_video": Rate(1000, 3600),
    # Seconds of watching that count as views, of all videos: by account, and by address of
    # anonymous viewers.
    "watching": Rate(300, 60),
    "watching_address": Rate(1800, 60),
    # Content that people create, by account.
    "clip": Rate(60, 3600),
    "download": Rate(60, 3600),
    "upload": Rate(300, 3600),
    "captions": Rate(120, 3600),
    "poster": Rate(120, 3600),
    "stream_key": Rate(30, 3600),
    "comment": Rate(200, 3600),
    "danmaku": Rate(600, 3600),
}

# Units of "pages", "anonymous" or "person"; other requests cost one.
PRICES: Final[dict[str, int]] = {
    "search_page": 3,
    "password_form": 20,  # hashing is slow by design
    "captions": 20,
    "picture": 20,
    "upload_begun": 5,
    "upload_completed": 5,
}
# Requests with a quantity cost one unit for each so many items.
PARTS_A_UNIT: Final = 50
ROWS_A_UNIT: Final = 24
BODY_BYTES_A_UNIT: Final = 65_536
# Each word of a search is a condition of its own.
MAX_SEARCH_WORDS: Final = 8


def search_price(words: str) -> int:
    """Return the units of "search" for a search by ``words``; 0 without words."""
    return min(len(words.split()), MAX_SEARCH_WORDS)


def numbers_price(count: int, in_a_unit: int) -> int:
    """Return the units for ``count`` items, ``in_a_unit`` items a unit; at least one."""
    return max(1, -(-count // in_a_unit))


def body_price(meta: Mapping[str, Any]) -> int:
    """Return the units for reading a request's body, by the headers in ``META``; 0 for a short body.

    A body of unknown length is not read as a form or as JSON.
    """
    length = str(meta.get("CONTENT_LENGTH") or "0")
    return int(length[:12]) // BODY_BYTES_A_UNIT if length.isascii() and length.isdecimal() else 0
