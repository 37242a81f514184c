"""Log lines for people and programs: ``time level logger message key=value …``.

One entry is one line. Messages and values contain user input, so characters that could
start a new line, colour a terminal or change the direction of text are escaped; the lines
of a traceback are indented.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

MAX_VALUE_CHARS = 2_000

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# C0 and C1 controls, line and paragraph separators, direction marks (UAX #9), and halves of
# surrogate pairs, which no stream can write.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN = re.compile(r'[^\s"=\\]+')


class LineFormatter(logging.Formatter):
    """A formatter that appends the ``extra`` values of a call to its message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's own name
        line = escaped(super().formatMessage(record))
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return " ".join([line, *(f"{escaped(key)}={quoted(value)}" for key, value in sorted(extra.items()))])

    def formatException(self, ei: Any) -> str:  # noqa: N802 -- logging's own name
        return indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 -- logging's own name
        return indented(super().formatStack(stack_info))


def escaped(text: str) -> str:
    """Return ``text`` in one line, with control and direction characters escaped."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def quoted(value: Any) -> str:
    """Return a value as one word: quoted as in JSON if it contains spaces, ``=`` or quotes."""
    text = str(value)
    if len(text) > MAX_VALUE_CHARS:
        text = f"{text[:MAX_VALUE_CHARS]}…"
    return escaped(text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False))


def indented(text: str) -> str:
    """Return the lines of a traceback indented, so that none of them looks like an entry."""
    return "\n".join(f"  {escaped(line)}" for line in text.split("\n"))


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
