"""How values are written in a playlist (RFC 8216, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable

Attribute = tuple[str, str | None]
"""A name and its written value; None leaves the attribute out."""


def quoted(text: str) -> str:
    """Return a quoted string, which has no way to contain a quote or a line break: they become spaces."""
    clean = "".join(" " if letter == '"' or not letter.isprintable() else letter for letter in text)
    return f'"{clean}"'


def decimal(value: float, places: int = 6) -> str:
    """Return a decimal number without exponent and needless zeros: ``4``, ``3.92``."""
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def yes_no(is_true: bool) -> str:
    """Return the enumerated string for a claim."""
    return "YES" if is_true else "NO"


def tag(name: str, attributes: Iterable[Attribute]) -> str:
    """Return ``#NAME:A=1,B="x"`` without the attributes that are None."""
    written = ",".join(f"{key}={value}" for key, value in attributes if value is not None)
    return f"#{name}:{written}"


def uri_line(uri: str) -> str:
    """Return a URI for a line of its own.  Raises ValueError if it could be read as anything else."""
    if not uri or uri.startswith("#") or any(letter.isspace() for letter in uri):
        raise ValueError("a URI has a line of its own, without spaces")
    return uri
