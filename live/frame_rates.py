"""Frame rates, as measured from times that RTMP and FFmpeg round."""

from __future__ import annotations

_USUAL_RATES = (
    10.0,
    12.0,
    15.0,
    20.0,
    24000 / 1001,
    24.0,
    25.0,
    30000 / 1001,
    30.0,
    48.0,
    50.0,
    60000 / 1001,
    60.0,
)
_NEAR = 0.004


def usual_rate(measured: float, declared: float = 0) -> float:
    """Return the usual frame rate nearest to one measured from times in whole milliseconds.

    The declared rate counts if it agrees with the measured one.
    """
    candidates = [rate for rate in (declared, *_USUAL_RATES) if rate]
    nearest = min(candidates, key=lambda rate: abs(rate / measured - 1))
    return nearest if abs(nearest / measured - 1) < _NEAR else measured
