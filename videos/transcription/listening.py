"""Running the recogniser: confined like FFmpeg, niced, with bounds on time, memory and output."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from videos.transcoding.errors import DecodeFailed
from videos.transcoding.inputs import input_args
from videos.transcoding.processes import open_process, run_short
from videos.transcoding.sandbox import ProcessLimits
from videos.transcoding.tools import ffmpeg_path

from .cues import Word
from .recogniser import RATE

# The model of the largest size takes four gigabytes; its libraries reserve more than they touch.
RECOGNISER_ADDRESS_SPACE_BYTES: Final = 48 * 1024**3
RECOGNISER_FILE_BYTES: Final = 1024**2
# A chunk of a minute and a half may take this long with a large model on a small machine.
RECOGNISER_TIMEOUT_S: Final = 3600.0
DECODE_TIMEOUT_S: Final = 300.0
MAX_HEARD_BYTES: Final = 4 * 1024**2
MAX_WORDS: Final = 5_000
MAX_WORD: Final = 100  # characters
MAX_THREADS: Final = 8

_ROOT: Final = Path(__file__).resolve().parents[1]
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from transcription.recogniser import main; sys.exit(main(sys.argv[1]))"
)


class RecognitionFailed(Exception):
    """A recogniser that ended without words; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of a chunk on the video's timeline, and the moment (s) up to which they reach.

    ``language`` is the model's code, empty if nobody speaks.
    """

    language: str
    words: tuple[Word, ...]
    until_s: float


def decode_sound(media: Path, sound: Path) -> None:
    """Write the first audio track of ``media`` as the recogniser's raw sound.

    Raises DecodeFailed, or LimitsExceeded if it takes too long.
    """
    argv = [
        ffmpeg_path(), "-v", "error", "-nostdin",
        *input_args(str(media), "mov"),
        "-map", "0:a:0", "-vn", "-sn", "-dn",
        "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-y", str(sound),
    ]  # fmt: skip
    finished = run_short(argv, timeout_s=DECODE_TIMEOUT_S, reads=[media.parent], writes=[sound.parent])
    if finished.exit_code != 0 or not sound.exists():
        raise DecodeFailed(finished.stderr or "no sound")


def listen(
    sound: Path,
    *,
    model: Path,
    starts_at_s: float,
    skip_s: float,
    language: str,
    tag: str,
    is_last: bool,
) -> Heard:
    """Return the words of a raw sound file whose time ``skip_s`` is ``starts_at_s`` of the video.

    Raises RecognitionFailed or LimitsExceeded.
    """
    request = {
        "sound": str(sound),
        "model": str(model),
        "skip_s": skip_s,
        "language": language,
        "tag": tag,
        "is_last": is_last,
        "threads": min(os.cpu_count() or 1, MAX_THREADS),
    }
    command = [sys.executable, "-I", "-c", _PROGRAM, str(_ROOT), json.dumps(request)]
    cpu_s = int(RECOGNISER_TIMEOUT_S * (os.cpu_count() or 1)) + 1
    limits = ProcessLimits(RECOGNISER_ADDRESS_SPACE_BYTES, cpu_s, RECOGNISER_FILE_BYTES)
    reads = [_ROOT, model.resolve(), sound.parent]
    with open_process(command, timeout_s=RECOGNISER_TIMEOUT_S, reads=reads, limits=limits) as process:
        output = process.read(MAX_HEARD_BYTES + 1)
        finished = process.finish(output)
    if finished.exit_code != 0 or len(output) > MAX_HEARD_BYTES:
        raise RecognitionFailed(finished.stderr or f"the recogniser ended with {finished.exit_code}")
    return read_answer(output, starts_at_s=starts_at_s)


def read_answer(output: bytes, *, starts_at_s: float) -> Heard:
    """Return the recogniser's answer, checked like any file of a stranger.

    Raises RecognitionFailed if it is not such an answer.
    """
    try:
        answer = json.loads(output)
        words = [
            Word(_ms(starts_at_s + float(start)), _ms(starts_at_s + float(end)), _plain(str(text)))
            for start, end, text in answer["words"][:MAX_WORDS]
        ]
        language, heard_s = str(answer["language"])[:8], max(0.0, float(answer["heard_s"]))
    except (ValueError, TypeError, KeyError) as error:
        raise RecognitionFailed("the recogniser's answer cannot be read") from error
    words.sort(key=lambda word: (word.start_ms, word.end_ms))
    return Heard(language, tuple(words), starts_at_s + heard_s)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _plain(text: str) -> str:
    """Return a word as plain text: no control characters, no arrow that would begin a cue."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:MAX_WORD])
    return printable.replace("-->", "→")
