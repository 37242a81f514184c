"""Captions in whatever form people have them, as clean WebVTT (https://www.w3.org/TR/webvtt1/).

WebVTT and SubRip are read by one lenient reader: what both have in common is a
line with two times and the text below it, and what real files have in common is
that they break every other rule.  SubStation is a table of its own.  What comes out is
written by us from cues, never copied: players get nothing they need not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from charset_normalizer import from_bytes

MAX_BYTES = 5 * 1024 * 1024
MAX_CUES = 50_000
MAX_LINE = 2_000  # characters; longer is no line that anyone reads
MAX_LINES = 20  # of one cue

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# What people saved files of a language in before UTF-8; the most usual first.
_CODE_PAGES = {
    "zh": ("gb18030", "big5hkscs"),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "ru": ("cp1251", "koi8_r"),
    "uk": ("cp1251", "koi8_u"),
    "be": ("cp1251",),
    "bg": ("cp1251",),
    "mk": ("cp1251",),
    "sr": ("cp1250", "cp1251"),
    "bs": ("cp1250",),
    "cs": ("cp1250",),
    "hr": ("cp1250",),
    "hu": ("cp1250",),
    "pl": ("cp1250",),
    "ro": ("cp1250",),
    "sk": ("cp1250",),
    "sl": ("cp1250",),
    "el": ("cp1253",),
    "tr": ("cp1254",),
    "he": ("cp1255",),
    "ar": ("cp1256",),
    "fa": ("cp1256",),
    "et": ("cp1257",),
    "lt": ("cp1257",),
    "lv": ("cp1257",),
    "vi": ("cp1258",),
    "th": ("cp874",),
}
_LATIN = ("cp1252",)

_TIME = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d)[.,](\d{1,3})"
# Behind a whole time stands what is no digit: settings, mostly after a space (WebVTT, 6.3).
_TIMING = re.compile(
    rf"\s{{0,20}}{_TIME}\s{{0,20}}-->\s{{0,20}}{_TIME}(?:(?:\s+|(?<=[.,]\d{{3}})(?=\D))(.*))?\s*"
)
_SUBSTATION_TIME = re.compile(_TIME)
_OVERRIDES = re.compile(r"\{[^{}]{0,1000}\}")
_SWITCH = re.compile(r"\\([biu])([01])")
_DRAWING = re.compile(r"\{[^{}]{0,200}\\p[1-9]")
_COUNTER = re.compile(r"\s*\d{1,9}\s*")
_PERCENT = r"\d{1,3}(?:\.\d{1,6})?%"
_SETTING = re.compile(
    r"vertical:(?:rl|lr)"
    rf"|line:(?:-?\d{{1,3}}|{_PERCENT})(?:,(?:start|center|end))?"
    rf"|position:{_PERCENT}(?:,(?:line-left|center|line-right))?"
    rf"|size:{_PERCENT}"
    r"|align:(?:start|center|end|left|right)"
)
_SPAN = re.compile(
    r"<(?:/(?:[biuc]|ruby|rt|v|lang)"
    r"|(?:[biuc]|ruby|rt)(?:\.[\w-]{1,40}){0,8}"
    r"|(?:v|lang)(?:\.[\w-]{1,40}){0,8}[ \t][^<>&\n]{1,100}"
    r"|(?:\d{2,4}:)?[0-5]\d:[0-5]\d\.\d{3})>"
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|lrm|rlm|nbsp);")
# What looks like a tag, and is not just less than something.
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|\{\\[^{}]{0,200}\}")


class UnreadableCaptions(Exception):
    """There is no cue in it that could be shown."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is shown, in milliseconds of the video; ``settings`` as WebVTT has them."""

    start_ms: int
    end_ms: int
    text: str
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Captions:
    """The cues of a file by time, and how many of its could not be used."""

    cues: tuple[Cue, ...]
    skipped: int

    def render(self) -> str:
        """The whole as a WebVTT file."""
        return "WEBVTT\n\n" + "\n".join(_block(cue) for cue in self.cues)


def read_captions(data: bytes, *, language: str) -> Captions:
    """Read a WebVTT, SubRip or SubStation file whose words are in ``language`` (an RFC 5646 tag).

    The language helps where a file does not say how it is encoded.  Raises
    UnreadableCaptions where no cue is found.
    """
    text = decode(data[:MAX_BYTES], language)
    lines = [line[:MAX_LINE] for line in text.replace("\0", "\ufffd").splitlines()]
    is_substation = any(line.strip() == "[Events]" for line in lines)
    found = list(_substation(lines) if is_substation else _cues(lines))
    usable = [cue for cue in found if cue is not None and cue.text and cue.start_ms < cue.end_ms]
    if not usable:
        raise UnreadableCaptions
    usable.sort(key=lambda cue: (cue.start_ms, cue.end_ms))
    return Captions(tuple(usable[:MAX_CUES]), skipped=len(found) - len(usable[:MAX_CUES]))


# --- Characters -----------------------------------------------------------------------


def decode(data: bytes, language: str) -> str:
    """The text of a file: as its byte order mark says, else UTF-8, else what was usual for its language."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    # Letters of several bytes do not happen by chance: one damaged byte makes no other encoding.
    text = data.decode(errors="replace")
    damaged = text.count("\ufffd") - data.count("\ufffd".encode())
    if damaged * 10 <= sum(letter > "\x7f" for letter in text):
        return text
    pages = _CODE_PAGES.get(language.split("-")[0].lower(), _LATIN)
    if len(pages) > 1 and (best := from_bytes(data, cp_isolation=list(pages)).best()):
        return str(best)
    return data.decode(pages[0], errors="replace")


# --- WebVTT and SubRip ------------------------------------------------------------------


def _cues(lines: list[str]) -> Iterator[Cue | None]:
    """Each block that begins with two times; None for one whose times cannot be.

    All else (headers, notes, styles, numbers) has no arrow and is passed over.
    """
    timing: re.Match[str] | None = None
    words: list[str] = []
    for line in lines:
        times = _TIMING.fullmatch(line) if "-->" in line else None
        if times or ("-->" in line and not timing):
            # Where the blank line was forgotten, the number of the next cue is no text.
            if timing and words and _COUNTER.fullmatch(words[-1]):
                words.pop()
            if timing:
                yield _cue(timing, words)
            timing, words = times, []
            if timing is None:
                yield None
        elif timing and (line.strip() or not words):
            words.append(line)
        elif timing:
            yield _cue(timing, words)
            timing = None
    if timing:
        yield _cue(timing, words)


def _cue(timing: re.Match[str], words: list[str]) -> Cue:
    groups = timing.groups()
    asked = (groups[8] or "").split()
    settings = " ".join(islice((setting for setting in asked if _SETTING.fullmatch(setting)), 5))
    is_above = any(r"{\an8}" in line for line in words)
    return Cue(
        _ms(*groups[0:4]), _ms(*groups[4:8]), _clean(words), settings or ("line:0" if is_above else "")
    )


def _ms(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


# --- SubStation --------------------------------------------------------------------------


def _substation(lines: list[str]) -> Iterator[Cue | None]:
    """The events of an ASS or SSA file that are text, in the columns that its ``Format`` names.

    Its styles are those of a film and not of a player: only what leans, is bold or
    underlined stays so.
    """
    columns: list[str] = []
    for line in lines:
        kind, _, rest = line.partition(":")
        if kind == "Format":
            columns = [name.strip() for name in rest.split(",")]
        elif kind == "Dialogue" and {"Start", "End", "Text"} <= {*columns}:
            event = dict(zip(columns, rest.split(",", len(columns) - 1), strict=False))
            if not _DRAWING.search(event.get("Text", "")):
                yield _event(event)


def _event(event: dict[str, str]) -> Cue | None:
    times = [_SUBSTATION_TIME.fullmatch(event.get(name, "").strip()) for name in ("Start", "End")]
    if not all(times):
        return None
    start_ms, end_ms = (_ms(*time.groups()) for time in times if time)
    text = event.get("Text", "")
    words = re.sub(r"\\[nN]", "\n", _OVERRIDES.sub(_markup, text.replace(r"\h", " ")))
    return Cue(start_ms, end_ms, _clean(words.split("\n")), "line:0" if r"{\an8}" in text else "")


def _markup(overrides: re.Match[str]) -> str:
    switches = _SWITCH.findall(overrides[0])
    return "".join(f"<{tag}>" if is_on != "0" else f"</{tag}>" for tag, is_on in switches)


# --- What a cue may say --------------------------------------------------------------------


def _clean(lines: list[str]) -> str:
    """The words of a cue with the markup that WebVTT knows; blank lines would end it."""
    cleaned = (_clean_line(line[:MAX_LINE]) for line in lines[:MAX_LINES])
    return "\n".join(line for line in cleaned if line)


def _clean_line(line: str) -> str:
    pieces = []
    at = 0
    for tag in _TAG.finditer(line):
        pieces += [_escaped(line[at : tag.start()]), tag[0] if _SPAN.fullmatch(tag[0]) else ""]
        at = tag.end()
    return "".join([*pieces, _escaped(line[at:])]).strip()


def _escaped(words: str) -> str:
    """Characters that mean something in WebVTT written as what they are; its own entities stay."""
    pieces = []
    at = 0
    for entity in _ENTITY.finditer(words):
        pieces += [_plain(words[at : entity.start()]), entity[0]]
        at = entity.end()
    return "".join([*pieces, _plain(words[at:])])


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- Writing ---------------------------------------------------------------------------------


def _block(cue: Cue) -> str:
    timing = f"{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}"
    return f"{timing} {cue.settings}".rstrip() + f"\n{cue.text}\n"


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"
