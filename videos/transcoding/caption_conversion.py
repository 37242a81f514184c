"""The conversion of captions in separate processes, a few at a time.

Five megabytes take seconds of Python, which would block pages, chat and live in a
web process.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import captions
from .processes import run_short

logger = logging.getLogger(__name__)

# Concurrent conversions of one web process, and the longest wait of a request.
CONVERSIONS_AT_ONCE: Final = 2
MAX_WAIT_S: Final = 10.0
CONVERSION_TIMEOUT_S: Final = 60.0
# A file of "<" only grows to four times its size.
MAX_CONVERTED_BYTES: Final = 5 * captions.MAX_BYTES

_FOLDER: Final = Path(__file__).resolve().parents[1]
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from transcoding.captions import main; sys.exit(main(*sys.argv[1:]))"
)

_turns = threading.BoundedSemaphore(CONVERSIONS_AT_ONCE)


class ConversionBusy(Exception):
    """A refusal while other captions are converted; a later try succeeds."""


class ConversionFailed(captions.UnreadableCaptions):
    """A caption file that ended the program: by its size in memory, or by a fault of ours."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A WebVTT file, the number of its cues, and the number of cues left out."""

    webvtt: bytes
    cue_count: int
    skipped: int


def convert(data: bytes, *, language: str) -> Converted:
    """Return a WebVTT, SubRip or SubStation file as WebVTT; ``language`` is an RFC 5646 tag.

    Raises UnreadableCaptions if no cue is found, ConversionFailed if the file ends the
    program, LimitsExceeded if reading takes too long, and ConversionBusy after ``MAX_WAIT_S`` in the queue.
    """
    if not _turns.acquire(timeout=MAX_WAIT_S):
        raise ConversionBusy
    try:
        with tempfile.NamedTemporaryFile(prefix="captions-") as file:
            file.write(data)
            file.flush()
            # Isolated: neither the working directory nor the environment affects its imports.
            command = [sys.executable, "-I", "-c", _PROGRAM, str(_FOLDER), file.name, language]
            finished = run_short(
                command,
                timeout_s=CONVERSION_TIMEOUT_S,
                max_stdout_bytes=MAX_CONVERTED_BYTES,
                reads=[_FOLDER],
            )
    finally:
        _turns.release()
    if finished.exit_code == captions.EXIT_UNREADABLE:
        raise captions.UnreadableCaptions
    if finished.exit_code != 0:
        logger.warning("Captions were not converted", extra={"stderr": finished.stderr[-500:]})
        raise ConversionFailed
    head, _, webvtt = finished.stdout.partition(b"\n")
    return Converted(webvtt, **json.loads(head))
