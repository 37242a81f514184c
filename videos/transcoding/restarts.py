"""Sessions that were appended to one FLV file: the clock of each begins at 0 again.

FFmpeg takes such a step back for late packets and drops all of them.  The probe finds
the start of each session on the common timeline, and FFmpeg's ``setts`` moves the
packets there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

CONTAINERS = frozenset({"flv"})
# A clock that goes back this far, to near its beginning, has started anew.
_BACK_S = 1.0
_BEGINNING_S = 10.0
# The expression for FFmpeg grows with each session.
_MOST_SESSIONS = 50


@dataclass(slots=True)
class Restarts:
    """The sessions found so far in a file's packets, with their starts on the common timeline."""

    begins_s: list[float] = field(default_factory=lambda: [0.0])
    _session: dict[int, int] = field(default_factory=dict)
    _last_s: dict[int, float] = field(default_factory=dict)

    def shift_s(self, stream: int, dts_s: float, ends_s: Iterable[float]) -> float:
        """Return the seconds to add to a packet's times; ``ends_s`` are the ends of all streams so far."""
        session = self._session.get(stream, 0)
        if dts_s < min(self._last_s.get(stream, dts_s) - _BACK_S, _BEGINNING_S):
            if session + 1 == len(self.begins_s) < _MOST_SESSIONS:
                self.begins_s.append(round(max(ends_s), 3))
            session = self._session[stream] = min(session + 1, len(self.begins_s) - 1)
        self._last_s[stream] = dts_s
        return self.begins_s[session]


def setts_args(begins_s: Sequence[float], *, has_video: bool, has_audio: bool) -> list[str]:
    """Return FFmpeg's input options that move each session behind the one before it."""
    if len(begins_s) < 2:
        return []
    shift = _shift(begins_s)
    bsf = f"setts=dts='DTS+{shift}':pts='PTS+{shift}'"
    options = (("-bsf:v", has_video), ("-bsf:a", has_audio))
    return [word for option, is_there in options if is_there for word in (option, bsf)]


def _shift(begins_s: Sequence[float]) -> str:
    """Return the expression of a packet's shift, in units of the stream's clock.

    The shift of the previous packet is ``PREV_OUTDTS-PREV_INDTS``; after a restart of
    the clock, the next one of ``begins_s`` replaces it.
    """
    steps = [after - before for before, after in pairwise(begins_s)]
    following = "+".join(
        f"{step:.3f}*gte(PREV_OUTDTS-PREV_INDTS+0.002/TB,{begin:.3f}/TB)"
        for begin, step in zip(begins_s, steps, strict=False)
    )
    back = f"lt(DTS,min(PREV_INDTS-{_BACK_S}/TB,{_BEGINNING_S}/TB))"
    return f"if(N,if({back},({following})/TB,PREV_OUTDTS-PREV_INDTS),0)"
