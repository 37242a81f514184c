"""Automatic captions: word error rate and speed against real time, on clips with known words.

.venv/bin/python -m benchmarks.speech [model folder]

The clips are spoken by eSpeak NG, whose English is clear and whose Chinese is hard even for
people.  With ``MEDIA_CORPUS``, clips of its ``SPEECH.tsv`` (file, language, words) follow.
Without a folder it is Whisper base from requirements-speech.txt.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness
from videos.tests import speech
from videos.transcription.listening import decode_sound, listen
from videos.transcription.recogniser import RATE

SAMPLE_BYTES = 2


def clips(folder: Path) -> Iterator[tuple[str, str, str, Path]]:
    """Yield name, language, words and file of each clip."""
    for language, said in (("en", speech.ENGLISH), ("zh", speech.CHINESE)):
        sound = speech.speech(language, said, folder)
        yield f"espeak-{language}", language, said, speech.film([sound], folder / f"{language}.mp4")
    corpus = os.environ.get("MEDIA_CORPUS")
    table = Path(corpus) / "SPEECH.tsv" if corpus else None
    if table and table.exists():
        with table.open(newline="") as file:
            for name, language, said in csv.reader(file, delimiter="\t"):
                yield name, language, said, table.parent / name


def main(arguments: list[str]) -> None:
    if speech.MISSING:
        sys.exit(speech.REASON)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Path(arguments[0]) if arguments else speech.whisper_folder(Path("var").resolve())
        for clip, language, said, media in clips(folder):
            sound = folder / "sound.raw"
            decode_sound(media, sound)
            length_s = sound.stat().st_size / SAMPLE_BYTES / RATE
            for chosen in ("", language):
                tag = "zh-Hans" if chosen == "zh" else chosen
                began = time.monotonic()
                heard = listen(
                    sound, model=model, starts_at_s=0, skip_s=0, language=chosen, tag=tag, is_last=True
                )
                taken_s = time.monotonic() - began
                text = "".join(word.text for word in heard.words)
                harness.report(
                    "speech",
                    clip=clip,
                    chosen=chosen or "none",
                    found=heard.language,
                    length_s=length_s,
                    taken_s=taken_s,
                    speed=length_s / taken_s,
                    word_error_rate=speech.error_rate(said, text),
                )


if __name__ == "__main__":
    main(sys.argv[1:])
