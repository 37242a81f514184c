"""The time line of a trimmed video: the one mapping from old times to new ones, and back.

Everything that hangs on a time moves by it: captions, chapters, danmaku, clips, links to
times.  A part is closed at its start and open at its end: its end is the first moment that
is cut, and at a seam the moment belongs to the part that begins there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

# Times are seconds in whole microseconds.
_PLACES = 6


@dataclass(frozen=True)
class KeptParts:
    """The kept parts of a time line, in order and apart from each other: ``(start_s, end_s)``."""

    parts: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, pairs: Iterable[Sequence[float]]) -> KeptParts:
        """Return the kept parts with these times.

        Raises ValueError unless each begins before its end, and not before the end of the one before.
        """
        parts = tuple(
            (round(float(start_s), _PLACES), round(float(end_s), _PLACES)) for start_s, end_s in pairs
        )
        ordered = [time_s for part in parts for time_s in part]
        is_valid = bool(parts) and parts[0][0] >= 0 and all(start_s < end_s for start_s, end_s in parts)
        if not is_valid or any(after < before for before, after in pairwise(ordered)):
            raise ValueError(f"no parts of a time line: {parts}")
        return cls(parts)

    @cached_property
    def starts_s(self) -> tuple[float, ...]:
        """Return the new time at which each part begins, and the new end."""
        lengths = (end_s - start_s for start_s, end_s in self.parts)
        return tuple(round(at_s, _PLACES) for at_s in accumulate(lengths, initial=0.0))

    @property
    def duration_s(self) -> float:
        return self.starts_s[-1]

    def to_json(self) -> list[list[float]]:
        return [list(part) for part in self.parts]

    def moved_s(self, old_s: float) -> float | None:
        """Return the new time of a moment, or None if it is cut."""
        number = self._part_at(old_s)
        if number < 0 or old_s >= self.parts[number][1]:
            return None
        return round(self.starts_s[number] + old_s - self.parts[number][0], _PLACES)

    def next_s(self, old_s: float) -> float:
        """Return the new time of a moment, or of the first kept moment behind it: of a cut one, the seam."""
        number = self._part_at(old_s)
        if number < 0:
            return 0.0
        start_s, end_s = self.parts[number]
        return round(self.starts_s[number] + min(old_s, end_s) - start_s, _PLACES)

    def section(self, start_s: float, end_s: float) -> tuple[float, float] | None:
        """Return the new times of the kept rest of a section, or None if all of it is cut."""
        new_start_s, new_end_s = self.next_s(start_s), self.next_s(end_s)
        return (new_start_s, new_end_s) if new_start_s < new_end_s else None

    def holds(self, start_s: float, end_s: float) -> bool:
        """Return whether a section is kept whole."""
        number = self._part_at(start_s)
        return number >= 0 and end_s <= self.parts[number][1]

    def old_s(self, new_s: float) -> float:
        """Return the old time of a new one: the inverse, which a restored video takes."""
        number = min(max(0, bisect_right(self.starts_s, new_s) - 1), len(self.parts) - 1)
        return round(self.parts[number][0] + new_s - self.starts_s[number], _PLACES)

    def within(self, outer: KeptParts | None) -> KeptParts:
        """Return these parts of a time line that ``outer`` has trimmed, on the time line before both."""
        if outer is None:
            return self
        found: list[tuple[float, float]] = []
        for start_s, end_s in self.parts:
            for (old_start_s, _), (new_start_s, new_end_s) in zip(
                outer.parts, pairwise(outer.starts_s), strict=True
            ):
                first_s, last_s = max(start_s, new_start_s), min(end_s, new_end_s)
                if first_s < last_s:
                    begins_s = round(old_start_s + first_s - new_start_s, _PLACES)
                    ends_s = round(old_start_s + last_s - new_start_s, _PLACES)
                    if found and begins_s - found[-1][1] < 10**-_PLACES:
                        found[-1] = (found[-1][0], ends_s)
                    else:
                        found.append((begins_s, ends_s))
        return KeptParts.of(found)

    def cut(self) -> list[tuple[float, float | None]]:
        """Return the sections between the parts and around them; the last one has no end."""
        bounds: list[tuple[float, float | None]] = [(0.0, self.parts[0][0])]
        bounds += [(before[1], after[0]) for before, after in pairwise(self.parts)]
        bounds.append((self.parts[-1][1], None))
        return [(start_s, end_s) for start_s, end_s in bounds if end_s is None or start_s < end_s]

    def _part_at(self, old_s: float) -> int:
        """Return the number of the last part that begins at or before a moment, -1 before all."""
        return bisect_right(self.parts, old_s, key=lambda part: part[0]) - 1
