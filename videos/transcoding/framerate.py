"""The choice of an encode's constant frame rate.

Every encoded frame lies on one grid ``k / rate``, counted from the start of the
video, so the frames of a chunk that is encoded alone fit those of its neighbours.
A source with a constant rate keeps it to the fraction; a variable one gets a round
number near its busiest rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

MAX_RATE = Fraction(60)
# Below this, a segment would hold too few frames to cut on; frames are repeated.
MIN_RATE = Fraction(5)
# A stretch this much faster than the beginning decides the rate of the whole.
_MUCH_BUSIER = Fraction(5, 4)
# Multiples of a quarter, so that four seconds hold a whole number of frames.
_ROUND_RATES = tuple(Fraction(rate) for rate in (5, 8, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60))
_BROADCAST_RATES = tuple(Fraction(rate * 1000, 1001) for rate in (15, 24, 30, 48, 60))
_OTHER_RATES = tuple(Fraction(rate) for rate in (1, 2, 100, 120, 240))
_STANDARD_RATES = (*_ROUND_RATES, *_BROADCAST_RATES, *_OTHER_RATES)
# Timestamps in MP4 count numerators; beyond this a tick is too fine for FFmpeg's microseconds.
_MAX_NUMERATOR = 120_000


def choose_frame_rate(
    times_s: Sequence[float],
    *,
    busiest_s: Sequence[float] = (),
    claimed: Iterable[Fraction] = (),
    is_interlaced: bool = False,
) -> Fraction:
    """Return the rate to encode at, between 5 and 60 frames per second.

    ``times_s`` are the presentation times of the first frames, ``busiest_s`` those of
    the densest stretch (a screen recording may stand still for its first ten minutes),
    ``claimed`` the header's rates, most trusted first.  Interlaced sources may count
    fields, two to a frame.
    """
    claims = [rate for rate in claimed if 0 < rate <= 1000]
    rate = _rate_of(times_s, claims)
    if busiest_s and (busier := _rate_of(busiest_s, claims)) > rate * _MUCH_BUSIER:
        rate = busier
    if is_interlaced and rate > 30:
        rate /= 2
    while rate > MAX_RATE:
        rate /= 2
    while rate < MIN_RATE:
        rate *= 2
    return rate


def constant_rates(times_s: Sequence[float], claims: Sequence[Fraction]) -> Iterator[Fraction]:
    """Yield the constant rates that frames at these times in order may have, the likeliest first."""
    if len(times_s) < 3 or times_s[-1] <= times_s[0]:
        return
    mean = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    near = [claim.limit_denominator(2) for claim in claims]
    ordered = sorted(_STANDARD_RATES, key=lambda rate: (rate not in near, abs(rate - mean)))
    for rate in ordered:
        # Frames may be missing on the grid, but none may lie between its places.
        if mean / float(rate) < 1.05:
            yield rate


def _rate_of(times_s: Sequence[float], claims: Sequence[Fraction]) -> Fraction:
    times = sorted(times_s)
    return _constant_rate(times, claims) or _busiest_rate(times, claims)


def _constant_rate(times: Sequence[float], claims: Sequence[Fraction]) -> Fraction | None:
    """Return the rate with a grid that nearly every frame lies on; None if there is none."""
    if len(times) < 3:
        return claims[0] if claims and claims[0] <= MAX_RATE else None
    mean = (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 0.0
    standard = sorted(_STANDARD_RATES, key=lambda rate: (rate not in claims, abs(rate - mean)))
    exact = [rate for rate in claims if rate.numerator <= _MAX_NUMERATOR]
    return next((rate for rate in (*standard, *exact) if _fits(times, rate, mean)), None)


def _fits(times: Sequence[float], rate: Fraction, mean: float) -> bool:
    """Return whether 98 % of the frames lie within a quarter step of the grid, one to a place."""
    if abs(mean / float(rate) - 1) > 0.05:
        return False
    # From the middle: the first frame of a recording is often a little off.
    anchor = times[len(times) // 2]
    places = [(time - anchor) * float(rate) for time in times]
    near = sum(abs(place - round(place)) < 0.25 for place in places)
    distinct = len({round(place) for place in places})
    return min(near, distinct) >= 0.98 * len(times) - 1


def _busiest_rate(times: Sequence[float], claims: Sequence[Fraction]) -> Fraction:
    """Return the round rate that keeps three quarters of a variable source's steps."""
    steps = sorted(after - before for before, after in pairwise(times) if after > before)
    if not steps:
        return next((rate for rate in claims if rate <= MAX_RATE), Fraction(25))
    busiest = 1 / max(steps[len(steps) // 4], 0.001)
    return next((rate for rate in _ROUND_RATES if rate >= busiest * 0.98), MAX_RATE)
