"""Languages of captions, as RFC 5646 tags and by their own names."""

from __future__ import annotations

import re

from babel import Locale, UnknownLocaleError

# What the studio offers; the API takes any.
USUAL = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "ko", "ms", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sv", "sw", "ta", "th", "tr",
    "uk", "ur", "vi", "zh-Hans", "zh-Hant",
)  # fmt: skip

_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?(?:-[a-z0-9]{5,8})?", re.IGNORECASE)


def canonical_tag(tag: str) -> str | None:
    """``tag`` in its usual case (language-Script-REGION), or None for what is no tag of a language."""
    if not _TAG.fullmatch(tag := tag.strip()):
        return None
    language, *rest = tag.split("-")
    # Of the parts, a script has four letters and a region two (RFC 5646, 2.1.1).
    cased = [{4: str.title, 2: str.upper}.get(len(part), str.lower)(part) for part in rest]
    return "-".join([language.lower(), *cased])


def language_name(tag: str) -> str:
    """The name of a language in that language; the tag itself where nobody knows one."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    name = locale.get_display_name() or tag
    return name[:1].upper() + name[1:]
