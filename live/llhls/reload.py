"""Blocking playlist reload: ready, wait or refuse (draft-pantos-hls-rfc8216bis, 6.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import ceil
from urllib.parse import parse_qsl

from live.llhls.playlist import Window

# No broadcast counts to more digits.
MAX_DIGITS = 10
MAX_QUERY_FIELDS = 20
# A request for a segment further ahead is taken for a mistake.
MAX_MSN_AHEAD = 2


# Target durations for which a request is held; then it is refused with 503.
BLOCK_TARGETS = 3


class Reload(Enum):
    READY = "ready"
    WAIT = "wait"
    TOO_FAR = "too far"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Directives:
    """Delivery directives of a player: the segment or part to wait for, and whether a delta suffices."""

    msn: int | None = None
    part: int | None = None
    is_delta: bool = False


class BadDirectives(ValueError):
    """Error: a ``_HLS_`` parameter is invalid."""


def parse(query: str) -> Directives:
    """Return the delivery directives in a query string.  Raises BadDirectives."""
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise BadDirectives("too many fields") from error
    given = [(name, value) for name, value in fields if name in {"_HLS_msn", "_HLS_part", "_HLS_skip"}]
    values = dict(given)
    if len(values) < len(given):
        raise BadDirectives("a directive stands twice")
    # v2 would skip date ranges as well; these playlists have none.
    if values.get("_HLS_skip", "YES") not in {"YES", "v2"}:
        raise BadDirectives("_HLS_skip is YES or v2")
    msn, part = _number(values.get("_HLS_msn")), _number(values.get("_HLS_part"))
    return Directives(msn, part, "_HLS_skip" in values)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise BadDirectives("a directive is not a number")
    return int(text)


def decide(window: Window, directives: Directives) -> Reload:
    """Return whether the playlist that ``directives`` ask for exists yet.

    Players without support for parts cannot use a playlist without a complete segment,
    so a request without directives waits for the first.
    """
    msn, part = directives.msn, directives.part
    if window.is_ended:
        return Reload.READY
    if msn is None:
        if part is not None:
            return Reload.BAD
        return Reload.READY if any(s.duration_s is not None for s in window.segments) else Reload.WAIT
    if msn > window.last_msn + MAX_MSN_AHEAD:
        return Reload.TOO_FAR
    if part is None:
        return Reload.READY if msn <= window.last_msn else Reload.WAIT
    return _decide_part(window, msn, part)


def _decide_part(window: Window, msn: int, part: int) -> Reload:
    if msn < window.last_msn:
        return Reload.READY
    if msn == window.last_msn:
        segment = window.find(msn)
        if segment is None or part < len(segment.parts):
            return Reload.READY
        # A part number past the segment's end means the first part of the next.
        msn, part = msn + 1, 0
    current = window.open_segment
    listed = len(current.parts) if current and current.msn == msn else 0
    # A player may ask three parts ahead, or three seconds of shorter ones.
    part_target_s = window.shape.part_target_s
    if part >= listed + (3 if part_target_s >= 1 else ceil(3 / part_target_s)):
        return Reload.TOO_FAR
    return Reload.READY if part < listed else Reload.WAIT
