"""Chapters: named beginnings of parts of a video, as files declare them and as people write them.

A description has chapters if times stand at the beginning of its lines and

* the first of these is 0:00,
* each is at least ``SHORTEST_S`` after the one before,
* and at least ``FEWEST_WRITTEN`` of them lie within the video.

These are YouTube's rules.  Lines that break them are ordinary text: then there are no chapters at all,
because a list that lacks one is worse than none.  Times beyond the end of the video are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from .timeline import KeptParts

MAX_CHAPTERS = 200
MAX_TITLE_LENGTH = 100
FEWEST_WRITTEN = 3
FEWEST_DECLARED = 2
SHORTEST_S = 10

# "1:05 Title", "- [01:02:03] Title", "（0:00）标题"; the signs around the time belong to neither.
_SIGNS = r"[\s\-–—*•·>#|:：.,，、()（）\[\]【】]*"
_LINE = re.compile(rf"{_SIGNS}(?:(\d{{1,2}})[:：])?(\d{{1,3}})[:：]([0-5]\d)(?!\d|[:：]\d){_SIGNS}(.*)")
_UNSHOWABLE = frozenset({"Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Chapter:
    """The beginning of a chapter in seconds, and its title; a file may leave the title empty."""

    start_s: float
    title: str


def written(text: str, duration_s: float | None) -> tuple[Chapter, ...]:
    """Return the chapters that a description lists, in order; none if it breaks a rule.

    ``duration_s`` is the length of the video, or None if it is not known yet.
    """
    listed = [
        Chapter(_seconds(*match.groups()[:3]), title)
        for line in text.splitlines()
        if (match := _LINE.match(line)) and (title := shown_title(match[4]))
    ]
    starts_s = [chapter.start_s for chapter in listed]
    if not starts_s or starts_s[0] or any(end - start < SHORTEST_S for start, end in pairwise(starts_s)):
        return ()
    within = [chapter for chapter in listed if duration_s is None or chapter.start_s < duration_s]
    return tuple(within[:MAX_CHAPTERS]) if len(within) >= FEWEST_WRITTEN else ()


def declared(rows: Iterable[Mapping[str, Any]], *, start_s: float, duration_s: float) -> tuple[Chapter, ...]:
    """Return the chapters that ffprobe found in a file, in order; none if it has only one.

    ``start_s`` is the file's first timestamp, which the video counts from.
    """
    found: dict[float, str] = {}
    for row in rows:
        try:
            at_s = round(max(0.0, float(row["start_time"]) - start_s), 3)
        except (KeyError, TypeError, ValueError):
            continue
        if at_s < duration_s:
            tags = row.get("tags")
            found.setdefault(at_s, shown_title(str(tags.get("title", "")) if isinstance(tags, dict) else ""))
    if len(found) < FEWEST_DECLARED:
        return ()
    return tuple(Chapter(at_s, found[at_s]) for at_s in sorted(found)[:MAX_CHAPTERS])


def moved(found: Sequence[Chapter], duration_s: float, kept: KeptParts) -> tuple[Chapter, ...]:
    """Return chapters on the time line of a trimmed video; ``duration_s`` is the length before.

    A chapter whose beginning is cut begins at the seam; one with less than ``SHORTEST_S`` left is left out.
    """
    ends_s = [*(chapter.start_s for chapter in found), duration_s][1:]
    rests = [kept.section(chapter.start_s, end_s) for chapter, end_s in zip(found, ends_s, strict=True)]
    left = [
        replace(chapter, start_s=rest[0])
        for chapter, rest in zip(found, rests, strict=True)
        if rest and rest[1] - rest[0] >= SHORTEST_S
    ]
    if left:
        # What a short one before it has left.
        left[0] = replace(left[0], start_s=0.0)
    return tuple(left)


def moved_text(text: str, duration_s: float, kept: KeptParts) -> str:
    """Return a description whose list of chapters is that of the trimmed video; other text stays."""
    listed = written(text, duration_s)
    if not listed:
        return text
    numbered = [Chapter(chapter.start_s, str(number)) for number, chapter in enumerate(listed)]
    rests = {chapter.title: chapter.start_s for chapter in moved(numbered, duration_s, kept)}
    lines, number = [], 0
    for line in text.splitlines(keepends=True):
        match = _LINE.match(line)
        if match is None or not shown_title(match[4]):
            lines.append(line)
            continue
        if (start_s := rests.get(str(number))) is not None:
            first = 1 if match[1] else 2
            lines.append(f"{line[: match.start(first)]}{clock(start_s)}{line[match.end(3) :]}")
        number += 1
    return "".join(lines)


def clock(at_s: float) -> str:
    """Return a moment as descriptions write it: 1:05, or 1:01:05 from an hour on."""
    minutes, seconds = divmod(int(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def shown_title(text: str) -> str:
    """Return a title on one line, without invisible characters."""
    visible = "".join(
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFC", text)
        if letter.isspace() or unicodedata.category(letter) not in _UNSHOWABLE
    )
    return " ".join(visible.split())[:MAX_TITLE_LENGTH].rstrip()


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return float(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds))
