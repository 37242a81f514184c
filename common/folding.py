"""The form of texts and queries in which a search compares them.

Pure Python, so that both databases store and compare the same characters.  A change
of the rules needs a migration that stores the texts of all videos again.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Final

# Accents of Latin, Greek and Cyrillic alone: the marks of other scripts are vowels and voicing.
_ACCENTS = re.compile("[\u0300-\u036f]+")
# Letters with a stroke have no decomposition in Unicode.
_LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}


def _read_table() -> dict[int, str]:
    lines = Path(__file__).with_name("simplified.txt").read_text(encoding="utf-8").splitlines()
    pairs = "".join(line for line in lines if not line.startswith("#"))
    simplified = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return str.maketrans(simplified | _LETTERS)


_TABLE: Final = _read_table()


def searchable(text: str) -> str:
    """Return ``text`` without the differences of case, width, accents, and of traditional characters."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    # Case folding may leave characters that decompose again.
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", plain))
    return unicodedata.normalize("NFKC", bare).translate(_TABLE)
