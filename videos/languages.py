"""Languages of captions and audio tracks, as RFC 5646 tags and by their own names."""

from __future__ import annotations

import re

from babel import Locale, UnknownLocaleError
from babel.core import get_global

# The studio offers these; the API accepts any.
USUAL = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "ko", "ms", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sv", "sw", "ta", "th", "tr",
    "uk", "ur", "vi", "zh-Hans", "zh-Hant",
)  # fmt: skip

# Undetermined, several, none, not coded (ISO 639-2).
_NO_LANGUAGES = frozenset({"und", "mul", "zxx", "mis"})
_LONG_CODE = 3  # letters

_AUTOMATIC_MARKS = {"zh": "（自动生成）", "yue": "（自動生成）", "ja": "（自動生成）"}

_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?(?:-[a-z0-9]{5,8})?", re.IGNORECASE)


def canonical_tag(tag: str) -> str | None:
    """Return ``tag`` in its usual case (language-Script-REGION), or None if it is not a language tag."""
    if not _TAG.fullmatch(tag := tag.strip()):
        return None
    language, *rest = tag.split("-")
    # Of the parts, a script has four letters and a region two (RFC 5646, 2.1.1).
    cased = [{4: str.title, 2: str.upper}.get(len(part), str.lower)(part) for part in rest]
    return "-".join([language.lower(), *cased])


def spoken_tag(language: str) -> str:
    """Return the RFC 5646 tag for the language code of a media file: ``en`` for ``eng``.

    Return an empty string if the code names no single language: undetermined, several,
    none, or another word.
    """
    tag = canonical_tag(language)
    if tag is None:
        return ""
    first, *rest = tag.split("-")
    if first in _NO_LANGUAGES:
        return ""
    # The two-letter code must be used if the language has one (RFC 5646, 2.2.1).
    shortest = get_global("language_aliases").get(first, first) if len(first) == _LONG_CODE else first
    return "-".join([shortest.replace("_", "-"), *rest])


def language_name(tag: str) -> str:
    """Return the name of a language in that language, or the tag itself if the name is unknown."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    name = locale.get_display_name() or tag
    return name[:1].upper() + name[1:]


def automatic_mark(tag: str) -> str:
    """Return the mark of automatic captions behind the name of their language, for readers of it."""
    return _AUTOMATIC_MARKS.get(tag.partition("-")[0], " (automatic)")
