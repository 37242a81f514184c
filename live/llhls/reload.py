"""When a request for a playlist is answered (draft-pantos-hls-rfc8216bis, 6.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import ceil
from urllib.parse import parse_qsl

from .playlist import Window

# More digits than any broadcast counts to.
MAX_DIGITS = 10
MAX_QUERY_FIELDS = 20
# A segment that much past the last is far enough ahead to be a mistake.
MAX_MSN_AHEAD = 2


# A request is held for this many target durations, then refused for now (503).
BLOCK_TARGETS = 3


class Reload(Enum):
    READY = "ready"
    WAIT = "wait"
    TOO_FAR = "too far"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Directives:
    """What a player asks for: a segment or one of its parts to wait for, and whether a delta will do."""

    msn: int | None = None
    part: int | None = None
    is_delta: bool = False


class BadDirectives(ValueError):
    """A ``_HLS_`` parameter that says nothing we could answer."""


def parse(query: str) -> Directives:
    """Read the delivery directives of a query string and nothing else.  Raises BadDirectives."""
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise BadDirectives("too many fields") from error
    given = [(name, value) for name, value in fields if name in {"_HLS_msn", "_HLS_part", "_HLS_skip"}]
    values = dict(given)
    if len(values) < len(given):
        raise BadDirectives("a directive stands twice")
    # v2 would leave out date ranges as well, of which we have none.
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
    """Say whether the playlist that ``directives`` ask for exists yet.

    A playlist without a complete segment is no use to players that know no parts,
    so whoever asks for nothing in particular waits for the first.
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
        # Past the segment's end: the first part of the next is meant.
        msn, part = msn + 1, 0
    current = window.open_segment
    listed = len(current.parts) if current and current.msn == msn else 0
    if part >= listed + _advance_limit(window.shape.part_target_s):
        return Reload.TOO_FAR
    return Reload.READY if part < listed else Reload.WAIT


def _advance_limit(part_target_s: float) -> int:
    """Return how many parts ahead a player may ask: three, or three seconds' worth of shorter ones."""
    return 3 if part_target_s >= 1 else ceil(3 / part_target_s)
