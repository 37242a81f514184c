"""Sections of our own WebVTT files: the cues of an excerpt, or of the kept parts of a trimmed video."""

from __future__ import annotations

import re
from collections.abc import Callable

# Our files have hours in every time (``videos.transcoding.captions``).
_CUE = re.compile(
    r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})([^\n]*)\n((?:[^\n]+(?:\n|\Z))*)"
)
_MPEG_CLOCK_HZ = 90_000
_SHORTEST_REST_S = 0.1
_MPEG_CLOCK_WRAPS = 2**33


def section(webvtt: str, *, begins_s: float, start_s: float, end_s: float) -> str:
    """Return the cues on screen between ``start_s`` and ``end_s``, counted from ``begins_s``.

    The header maps the new 0 to the timestamps of the segments (RFC 8216, 3.5).
    """
    begins_ms, start_ms, end_ms = (round(seconds * 1000) for seconds in (begins_s, start_s, end_s))
    mpeg = round(begins_s * _MPEG_CLOCK_HZ) % _MPEG_CLOCK_WRAPS
    blocks = ["WEBVTT", f"X-TIMESTAMP-MAP=MPEGTS:{mpeg},LOCAL:00:00:00.000", ""]
    for found in _CUE.finditer(webvtt):
        numbers = [int(number) for number in found.groups()[:8]]
        from_ms, to_ms = _ms(numbers[:4]), _ms(numbers[4:])
        if to_ms > start_ms and from_ms < end_ms:
            timing = f"{_clock(max(0, from_ms - begins_ms))} --> {_clock(to_ms - begins_ms)}{found[9]}"
            blocks += [timing, found[10].rstrip("\n"), ""]
    return "\n".join(blocks)


def moved(webvtt: str, section: Callable[[float, float], tuple[float, float] | None]) -> tuple[str, int]:
    """Return captions whose cues ``section`` has moved, and their number.

    ``section`` returns the new times (s) of a cue, or None if it is cut.  A rest too short
    to be read is left out.
    """
    blocks, count = ["WEBVTT", ""], 0
    for found in _CUE.finditer(webvtt):
        numbers = [int(number) for number in found.groups()[:8]]
        times_s = section(_ms(numbers[:4]) / 1000, _ms(numbers[4:]) / 1000)
        if times_s is None or times_s[1] - times_s[0] < _SHORTEST_REST_S:
            continue
        from_ms, to_ms = (round(at_s * 1000) for at_s in times_s)
        blocks += [f"{_clock(from_ms)} --> {_clock(to_ms)}{found[9]}", found[10].rstrip("\n"), ""]
        count += 1
    return "\n".join(blocks), count


def _ms(numbers: list[int]) -> int:
    hours, minutes, seconds, ms = numbers
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
