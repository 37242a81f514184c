"""The languages that Whisper models hear: their codes, and the RFC 5646 tags of captions."""

from __future__ import annotations

CODES = frozenset({
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de",
    "el", "en", "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht",
    "hu", "hy", "id", "is", "it", "ja", "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt",
    "lv", "mg", "mi", "mk", "ml", "mn", "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl",
    "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk", "sl", "sn", "so", "sq", "sr", "su", "sv", "sw", "ta",
    "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz", "vi", "yi", "yo", "yue", "zh"
})  # fmt: skip
_CODE_OF_FIRST = {"nb": "no", "jv": "jw", "fil": "tl", "cmn": "zh"}
_TAG_OF_CODE = {"no": "nb", "jw": "jv", "zh": "zh-Hans"}


def code_of(tag: str) -> str | None:
    """Return the model's code for the language of an RFC 5646 tag, or None if it hears no such language."""
    first = tag.partition("-")[0].lower()
    code = _CODE_OF_FIRST.get(first, first)
    return code if code in CODES else None


def tag_of(code: str) -> str:
    """Return the tag of captions in the language with this code; ``und`` for an unknown code."""
    return _TAG_OF_CODE.get(code, code) if code in CODES else "und"
