"""Normal forms of typed text: a Mac sends ``é`` as ``e`` with an accent behind it."""

from __future__ import annotations

import unicodedata


def composed(text: str, most: int | None = None) -> str:
    """Return ``text`` in Unicode's form NFC, at most ``most`` characters of it."""
    # A few characters become longer, so the result may exceed a checked length.
    return unicodedata.normalize("NFC", text)[:most]


def folded(text: str) -> str:
    """Return ``text`` in its form for search: NFC, in lower case of every script."""
    return composed(text).lower()
