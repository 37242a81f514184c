"""Captions from words with their times: where a caption begins, ends and breaks its line.

The numbers are those that captioners use: two lines, of 42 characters in alphabets and of
16 in scripts of full width, on screen for one to seven seconds, broken at the end of a
sentence or a clause where there is one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from videos.transcoding.captions import Captions, Cue

LINE = 42  # characters
WIDE_LINE = 16
LINES = 2
LEAST_MS = 1_000
MOST_MS = 7_000
# A reader sees the end of a caption after the word has been spoken.
LINGER_MS = 300
# A silence of this length ends a caption.
PAUSE_MS = 700
# A sentence shorter than this shares its caption with the next one.
SHORT_MS = 1_500

_WIDE_LANGUAGES = frozenset({"zh", "yue", "ja", "ko"})
_SENTENCE_ENDS = frozenset(".?!…。？！")
_CLAUSE_ENDS = frozenset(",;:，、；：—")


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word; ``text`` keeps its leading space where the language writes one."""

    start_ms: int
    end_ms: int
    text: str


def captions_of(words: Iterable[Word], language: str) -> Captions:
    """Return the captions of ``words`` in ``language`` (an RFC 5646 tag)."""
    line = WIDE_LINE if language.partition("-")[0] in _WIDE_LANGUAGES else LINE
    spoken = [word for word in words if word.text.strip()]
    groups = list(_joined(list(_grouped(spoken, line)), line))
    return Captions(tuple(_timed(groups, line)), skipped=0)


def _grouped(words: Sequence[Word], line: int) -> Iterator[list[Word]]:
    """Yield the words of each caption."""
    group: list[Word] = []
    for word in words:
        if group and word.start_ms - group[-1].end_ms > PAUSE_MS:
            yield group
            group = []
        while group and not _fits([*group, word], line):
            cut = _best_cut(group)
            yield group[:cut]
            group = group[cut:]
        group.append(word)
        if _ends(word, _SENTENCE_ENDS) and word.end_ms - group[0].start_ms >= SHORT_MS:
            yield group
            group = []
    if group:
        yield group


def _joined(groups: Sequence[list[Word]], line: int) -> Iterator[list[Word]]:
    """Yield the captions with those that are too short joined to a neighbour that has room."""
    pending: list[Word] = []
    for group in groups:
        is_short = bool(pending) and min(_length_ms(pending), _length_ms(group)) < LEAST_MS
        is_near = bool(pending) and group[0].start_ms - pending[-1].end_ms <= PAUSE_MS
        if is_short and is_near and _fits([*pending, *group], line):
            pending = [*pending, *group]
            continue
        if pending:
            yield pending
        pending = group
    if pending:
        yield pending


def _timed(groups: Sequence[list[Word]], line: int) -> Iterator[Cue]:
    """Yield the cues: none overlaps the next, and each stays long enough to be read if there is room."""
    for index, group in enumerate(groups):
        start_ms, spoken_ms = group[0].start_ms, group[-1].end_ms
        room_ms = groups[index + 1][0].start_ms if index + 1 < len(groups) else start_ms + MOST_MS
        wished_ms = max(spoken_ms + LINGER_MS, start_ms + LEAST_MS)
        end_ms = max(min(wished_ms, room_ms, start_ms + MOST_MS), start_ms + 1)
        yield Cue(start_ms, end_ms, "\n".join(_lines(group, line)))


def _length_ms(group: Sequence[Word]) -> int:
    return group[-1].end_ms - group[0].start_ms


def _fits(group: Sequence[Word], line: int) -> bool:
    return _length_ms(group) <= MOST_MS and _halves(group, line) is not None


def _best_cut(group: Sequence[Word]) -> int:
    """Return the number of words of a full group that make the next caption.

    A sentence that ends in the group is better than a clause, and a clause better than a
    silence; the later one wins.
    """
    for ends in (_SENTENCE_ENDS, _CLAUSE_ENDS):
        for index in range(len(group) - 1, max(1, len(group) // 3) - 1, -1):
            if _ends(group[index - 1], ends):
                return index
    silences = [after.start_ms - before.end_ms for before, after in pairwise(group)]
    half = len(silences) // 2
    longest = max(range(half, len(silences)), key=lambda index: silences[index], default=-1)
    return longest + 1 if longest >= 0 and silences[longest] >= PAUSE_MS // 4 else len(group)


def _ends(word: Word, marks: frozenset[str]) -> bool:
    return word.text.rstrip().rstrip("\"'”’」』）)")[-1:] in marks


def _text(group: Sequence[Word]) -> str:
    return "".join(word.text for word in group).strip()


def _lines(group: Sequence[Word], line: int) -> list[str]:
    halves = _halves(group, line)
    # A single word longer than two lines: players break it.
    return halves or [_text(group)]


def _halves(group: Sequence[Word], line: int) -> list[str] | None:
    """Return one or two lines that hold the group, or None if it needs more.

    Two lines are broken after a clause if possible, and otherwise of nearly equal length.
    """
    whole = _text(group)
    if len(whole) <= line:
        return [whole]
    best: tuple[float, list[str]] | None = None
    for index in range(1, len(group)):
        halves = [_text(group[:index]), _text(group[index:])]
        if max(map(len, halves)) > line or not _may_break(group[index - 1], group[index]):
            continue
        is_clause = _ends(group[index - 1], _SENTENCE_ENDS | _CLAUSE_ENDS)
        uneven = abs(len(halves[0]) - len(halves[1])) / (1 if not is_clause else 3)
        if best is None or uneven < best[0]:
            best = uneven, halves
    return best[1] if best else None


def _may_break(before: Word, after: Word) -> bool:
    """Return whether a line may break here: not inside a word, nor before a closing mark."""
    first = after.text[:1]
    if first.isspace() or before.text[-1:].isspace():
        return True
    if unicodedata.category(first or " ") in {"Po", "Pe", "Pf"}:
        return False
    return _is_wide(first) or _is_wide(before.text[-1:])


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter or " ") in {"W", "F"}
