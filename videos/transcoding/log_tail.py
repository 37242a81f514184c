"""The end of the log of one job's programs, fit to be shown to a video's owner.

Programs name addresses with their keys, folders of the host and places in memory.  None of
them is kept: lines are redacted whole, and a cut falls between two lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MAX_LOG_BYTES = 4096
# One line may name several long addresses, so more is kept than shown.
MAX_RAW_BYTES = 16_384

_MARKS = (
    # Escape sequences of terminals, and other control characters.
    (r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]", ""),
    (r"\b[a-z][a-z0-9+.-]*://\S*|\b(?:tls|tcp|file|fd|pipe):\S*", "<address>"),
    (r"\b(?:X-Amz-[\w-]+|AWSAccessKeyId|Signature)\s*[=:]\s*\S+|\bauthorization\s*:.*", "<key>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?|\[[0-9a-f]*:[0-9a-f:.]*\](?::\d+)?", "<address>"),
    (r"\blocalhost\b(?::\d+)?|(?<=hostname )\S+", "<address>"),
    (r"(['\"])/[^'\"]*\1|(?<![\w<.)/])/[^\s'\"),;:]+", "<file>"),
    (r" @ 0x[0-9a-f]+", ""),
)


def redacted(text: str) -> str:
    """Return ``text`` without addresses, keys, paths of the host and control characters."""
    for pattern, replacement in _MARKS:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    return text.strip()


def whole_lines(data: bytes, most: int) -> bytes:
    """Return the end of ``data``, up to ``most`` bytes.

    An address that is cut at its beginning would not be found, so the line of the cut goes.
    """
    return data if len(data) <= most else data[-most:].partition(b"\n")[2]


class LogTail:
    """The last lines of several programs, one behind the other."""

    def __init__(self) -> None:
        self._raw = b""

    def add(self, data: bytes) -> None:
        self._raw = whole_lines(self._raw + data, MAX_RAW_BYTES)

    def text(self) -> str:
        """Return whole redacted lines, of at most ``MAX_LOG_BYTES`` in UTF-8."""
        lines = redacted(self._raw.decode("utf-8", "replace").replace("\r\n", "\n")).split("\n")
        kept: list[str] = []
        left = MAX_LOG_BYTES
        for line in reversed(lines):
            left -= len(line.encode()) + 1
            if left < 0:
                break
            kept.append(line)
        return "\n".join(reversed(kept))


_current: ContextVar[LogTail | None] = ContextVar("log tail", default=None)


@contextmanager
def log_kept() -> Iterator[LogTail]:
    """Keep the log of the programs that this thread runs in the block."""
    tail = LogTail()
    token = _current.set(tail)
    try:
        yield tail
    finally:
        _current.reset(token)


def keep(data: bytes) -> None:
    """Add a program's stderr to the log of this thread's job, if it has one."""
    if tail := _current.get():
        tail.add(data)


def current_text() -> str:
    tail = _current.get()
    return tail.text() if tail else ""
