"""Conversion of caption files to clean WebVTT (https://www.w3.org/TR/webvtt1/).

One lenient reader reads WebVTT and SubRip: both have a line with two times and the
text below it, and real files break every other rule.  SubStation is a table and has
its own reader.  The output is written from cues, never copied, so that players get
nothing unexpected.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .charsets import decode

MAX_BYTES = 5 * 1024 * 1024
MAX_CUES = 50_000
MAX_LINE = 2_000  # characters; nobody reads a longer line
MAX_LINES = 20  # per cue
EXIT_UNREADABLE = 3

_TIME = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d)[.,](\d{1,3})"
# Settings follow the second time, after a space or after its third decimal (WebVTT, 6.3).
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
# Text that looks like a tag, not a mere "less than".
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|\{\\[^{}]{0,200}\}")


class UnreadableCaptions(Exception):
    """A caption file without a usable cue."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and its time on screen in milliseconds; ``settings`` are written as in WebVTT."""

    start_ms: int
    end_ms: int
    text: str
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Captions:
    """The cues of a file in order of time, and the number of cues that were left out."""

    cues: tuple[Cue, ...]
    skipped: int

    def render(self) -> str:
        """Return the cues as a WebVTT file."""
        return "WEBVTT\n\n" + "\n".join(_block(cue) for cue in self.cues)


def read_captions(data: bytes, *, language: str) -> Captions:
    """Return the captions in a WebVTT, SubRip or SubStation file in ``language`` (an RFC 5646 tag).

    The language helps to detect the character set.  Raises UnreadableCaptions if no
    usable cue is found.
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


def _cues(lines: list[str]) -> Iterator[Cue | None]:
    """Yield a cue for each block that begins with two times; None for a block with unreadable times.

    Headers, notes, styles and numbers have no arrow and are skipped.
    """
    timing: re.Match[str] | None = None
    words: list[str] = []
    for line in lines:
        times = _TIMING.fullmatch(line) if "-->" in line else None
        if times or ("-->" in line and not timing):
            # If the blank line is missing, the next cue's number is not text.
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


def _substation(lines: list[str]) -> Iterator[Cue | None]:
    """Yield the text events of an ASS or SSA file, by the columns in its ``Format`` line.

    Its styles are made for one film: only italics, bold and underline are kept.  An event
    with unreadable times yields None.
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


def _clean(lines: list[str]) -> str:
    """Return the text of a cue with only WebVTT's markup and without blank lines, which would end it."""
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
    """Escape the characters that have a meaning in WebVTT; keep WebVTT's own entities."""
    pieces = []
    at = 0
    for entity in _ENTITY.finditer(words):
        pieces += [_plain(words[at : entity.start()]), entity[0]]
        at = entity.end()
    return "".join([*pieces, _plain(words[at:])])


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(cue: Cue) -> str:
    timing = f"{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}"
    return f"{timing} {cue.settings}".rstrip() + f"\n{cue.text}\n"


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def main(path: str, language: str) -> int:
    """Print a line of JSON and the WebVTT file of the captions in ``path``; return the exit code.

    ``videos.transcoding.caption_conversion`` runs it as a program.
    """
    os.nice(19)  # pages, chat and live come first
    try:
        read = read_captions(Path(path).read_bytes(), language=language)
    except UnreadableCaptions:
        return EXIT_UNREADABLE
    head = json.dumps({"cue_count": len(read.cues), "skipped": read.skipped})
    sys.stdout.buffer.write(f"{head}\n{read.render()}".encode())
    return 0
