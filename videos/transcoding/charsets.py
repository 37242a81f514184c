"""Detection of a text file's character set.

UTF-8 and UTF-16 are recognised by their bytes.  Among the older character sets of a
language, the one wins that gives the fewest characters foreign to the language.  If
several give the same number, as those of Cyrillic do, charset-normalizer decides by the
frequency of letters.  Alone, it needs more text than a short file of captions has to
tell ISO-8859-2 from Windows-1250.
"""

from __future__ import annotations

from charset_normalizer import from_bytes

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CENTRAL = ("cp1250", "iso8859_2", "cp852", "mac_latin2")
_BALTIC = ("cp1257", "iso8859_13", "iso8859_4", "cp775")
_CYRILLIC = ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")
_WESTERN = ("cp1252", "cp850", "mac_roman")
# The usual character sets of each language before UTF-8, the most common first.
_CHARSETS = {
    "zh": ("gb18030", "big5hkscs"),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "ru": _CYRILLIC,
    "uk": ("cp1251", "koi8_u", "cp1125", "mac_cyrillic"),
    "be": _CYRILLIC,
    "bg": _CYRILLIC,
    "mk": ("cp1251", "iso8859_5", "cp855"),
    "sr": ("cp1250", "cp1251", "iso8859_2", "iso8859_5", "cp852", "cp855"),
    **dict.fromkeys(("bs", "cs", "hr", "hu", "pl", "sk", "sl"), _CENTRAL),
    "ro": ("cp1250", "iso8859_16", "iso8859_2", "cp852"),
    "el": ("cp1253", "iso8859_7", "cp737", "mac_greek"),
    "tr": ("cp1254", "cp857", "mac_turkish"),
    "he": ("cp1255", "cp862"),
    "ar": ("cp1256", "iso8859_6"),
    "fa": ("cp1256",),
    **dict.fromkeys(("et", "lt", "lv"), _BALTIC),
    "vi": ("cp1258",),
    "th": ("cp874",),
    **dict.fromkeys(("da", "de", "es", "fi", "fr", "is", "it", "nb", "nl", "no", "pt", "sv"), _WESTERN),
}
_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
# The letters of a language that are not ASCII, in lower case.
_LETTERS = {
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    **dict.fromkeys(("bs", "hr", "sl"), "čćđšž"),
    "sr": "čćđšžабвгдђежзијклљмнњопрстћуфхцчџш",
    "ro": "ăâîșțşţ",
    "ru": _RUSSIAN,
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "el": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
    "tr": "çğıöşüâîûİ",
    "et": "äöõüšž",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "da": "æøåé",
    "de": "äöüß",
    "es": "áéíñóúü¿¡",
    "fi": "äöå",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "is": "áðéíóúýþæö",
    "it": "àèéìíîòóùú",
    **dict.fromkeys(("nb", "no"), "æøåéò"),
    "nl": "áéëïóöüè",
    "pt": "áâãàçéêíóôõúü",
    "sv": "åäöé",
}
# Quotes, dashes and other signs in captions of any language.
_EVERYWHERE = frozenset("„“”‚‘’«»‹›…–—♪♫€\u00a0")
_UTF16_SHARE = 0.1


def decode(data: bytes, language: str) -> str:
    """Return the text of a file in ``language`` (an RFC 5646 tag).

    The byte order mark decides first, then bytes that look like UTF-16 or UTF-8, then
    the usual character sets of the language.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if encoding := _utf16(data):
        return data.decode(encoding, errors="replace")
    # Multi-byte letters do not occur by chance: a few damaged bytes do not rule out UTF-8.
    text = data.decode(errors="replace")
    damaged = text.count("\ufffd") - data.count("\ufffd".encode())
    if damaged * 10 <= sum(letter > "\x7f" for letter in text):
        is_shifted = b"\x1b$" in data and language.startswith("ja")
        return data.decode("iso2022_jp", errors="replace") if is_shifted else text
    return _decode_in_charset(data, language.split("-")[0].lower())


def _utf16(data: bytes) -> str:
    """Return the codec of UTF-16 without a mark, recognised by NULs beside ASCII characters; else ""."""
    before, behind = data[::2].count(0), data[1::2].count(0)
    enough = _UTF16_SHARE * len(data) / 2
    if behind > enough and before * 10 < behind:
        return "utf-16-le"
    return "utf-16-be" if before > enough and behind * 10 < before else ""


def _decode_in_charset(data: bytes, language: str) -> str:
    charsets = _CHARSETS.get(language, _WESTERN[:1])
    texts = {charset: data.decode(charset, errors="replace") for charset in charsets}
    if language in _LETTERS:
        foreign = {charset: _foreign(text, language) for charset, text in texts.items()}
        fewest = min(foreign.values())
        texts = {charset: text for charset, text in texts.items() if foreign[charset] == fewest}
    if len(set(texts.values())) > 1 and (best := from_bytes(data, cp_isolation=list(texts)).best()):
        return str(best)
    return next(iter(texts.values()))


def _foreign(text: str, language: str) -> int:
    """Return the number of characters in ``text`` that the language does not write."""
    known = _EVERYWHERE | {*_LETTERS[language], *_LETTERS[language].upper()}
    return sum(letter not in known for letter in text if letter > "\x7f")
