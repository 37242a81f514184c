"""The syntax of attribute values in a playlist (RFC 8216, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable

Attribute = tuple[str, str | None]
"""A name and its written value; None leaves the attribute out."""


def quoted(text: str) -> str:
    """Return a quoted string.  It cannot contain quotes or line breaks, so these become spaces."""
    clean = "".join(" " if letter == '"' or not letter.isprintable() else letter for letter in text)
    return f'"{clean}"'


def decimal(value: float, places: int = 6) -> str:
    """Return a decimal number without an exponent or trailing zeros: ``4``, ``3.92``."""
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def yes_no(is_true: bool) -> str:
    """Return the enumerated string ``YES`` or ``NO``."""
    return "YES" if is_true else "NO"


def tag(name: str, attributes: Iterable[Attribute]) -> str:
    """Return ``#NAME:A=1,B="x"``; attributes with the value None are left out."""
    written = ",".join(f"{key}={value}" for key, value in attributes if value is not None)
    return f"#{name}:{written}"


def uri_line(uri: str) -> str:
    """Return ``uri`` for a line of its own.  Raises ValueError if a parser would not read it as a URI."""
    if not uri or uri.startswith("#") or any(letter.isspace() for letter in uri):
        raise ValueError("a URI has a line of its own, without spaces")
    return uri
