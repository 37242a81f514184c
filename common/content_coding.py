"""Content codings that a client accepts (RFC 9110, 12.5.3)."""

from __future__ import annotations


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the value of ``Accept-Encoding`` names gzip, and not with the weight 0."""
    codings = [coding.replace(" ", "").partition(";") for coding in accept_encoding.split(",")]
    return any(name == "gzip" and weight != "q=0" for name, _semicolon, weight in codings)
