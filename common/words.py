"""Normal forms of typed text: a Mac sends ``é`` as ``e`` with an accent behind it."""

from __future__ import annotations

import unicodedata

# Controls, halves of letters, and code points without a meaning; joiners of emoji and scripts stay.
_NO_TEXT = frozenset({"Cc", "Cs", "Co", "Cn"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def composed(text: str, most: int | None = None) -> str:
    """Return ``text`` in Unicode's form NFC, at most ``most`` characters of it."""
    # A few characters become longer, so the result may exceed a checked length.
    return unicodedata.normalize("NFC", text)[:most]


def folded(text: str) -> str:
    """Return ``text`` in its form for search: NFC, in lower case of every script."""
    return composed(text).lower()


def printable(text: str, most: int) -> str:
    """Return text of a stranger in NFC without control characters and marks that turn its direction.

    Lines stay; at most ``most`` characters of it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return composed("".join(letter for letter in lines if _is_printable(letter)), most).strip()


def one_line(text: str, most: int) -> str:
    """Return text of a stranger as ``printable`` does, on one line."""
    return " ".join(printable(text, len(text) * 3).split())[:most].rstrip()


def _is_printable(letter: str) -> bool:
    if letter in "\n\t":
        return True
    return letter not in _TURNING and unicodedata.category(letter) not in _NO_TEXT
