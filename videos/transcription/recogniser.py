"""The recogniser: a program that turns sound into words with their times.

``videos.transcription.listening`` runs it in the sandbox of FFmpeg, once for each chunk, so
that neither a model's file nor a leak of a library can harm a worker.  It reads raw sound
(16 kHz, mono, signed 16 bit) and prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

RATE = 16_000
# The end of a chunk is looked for in its last seconds: in the middle of the longest silence.
SEARCHED_FOR_END_S = 30.0
LEAST_SILENCE_S = 0.4
# Words this near to a cut that no silence marks may lack their end.
DOUBTFUL_S = 1.0
# A text whose model was this unsure is noise that was heard as speech.
UNSURE_LOGPROB = -1.5
UNSURE_OF_SILENCE_LOGPROB = -1.0
SILENCE_PROBABILITY = 0.6
# Text that compresses better repeats itself.
REPEATED_RATIO = 2.4
LANGUAGE_WINDOWS = 4
# The model writes as this line is written: in simplified characters, with full stops.
STYLES = {"zh": "以下是普通话的句子，使用简体中文和标点符号。", "yue": "以下是粵語句子，使用標點符號。"}
CONVERSIONS = {"zh-Hans": "t2s", "zh-Hant": "s2t"}


def hear(sound: Any, *, model: Any, language: str, tag: str, is_last: bool) -> dict[str, Any]:
    """Return the words of ``sound`` (floats at ``RATE``) and the second up to which it was heard.

    ``language`` is the model's code, empty to find it.  ``is_last`` says that no more sound
    follows, so that nothing is left for another chunk.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    length_s = len(sound) / RATE
    options = VadOptions(min_silence_duration_ms=int(LEAST_SILENCE_S * 1000), speech_pad_ms=200)
    speech = [(part["start"] / RATE, part["end"] / RATE) for part in get_speech_timestamps(sound, options)]
    if not speech:
        return {"language": "", "probability": 0.0, "heard_s": length_s, "words": []}
    cut_s = length_s if is_last else silence_before_end(speech, length_s)
    heard = sound if cut_s is None else sound[: int(cut_s * RATE)]
    segments, info = model.transcribe(
        heard,
        language=language or None,
        language_detection_segments=LANGUAGE_WINDOWS,
        word_timestamps=True,
        vad_filter=True,
        vad_parameters={"min_silence_duration_ms": 500, "speech_pad_ms": 300},
        condition_on_previous_text=False,
        hallucination_silence_threshold=2.0,
        temperature=(0.0, 0.4),
        hotwords=STYLES.get(language),
    )
    words = list(spoken_words(segments))
    if cut_s is None:
        kept = [word for word in words if word[1] < length_s - DOUBTFUL_S]
        cut_s = kept[-1][1] if kept else length_s
        words = kept
    convert = converter(tag or ("zh-Hans" if info.language == "zh" else ""))
    return {
        "language": info.language,
        "probability": round(float(info.language_probability), 3),
        "heard_s": round(cut_s, 3),
        "words": [[start, end, convert(text)] for start, end, text in words],
    }


def silence_before_end(speech: list[tuple[float, float]], length_s: float) -> float | None:
    """Return the middle of the longest silence in the last seconds; None if there is none."""
    edges = [*speech, (length_s, length_s)]
    silences = [
        (after - before, (after + before) / 2)
        for (_start, before), (after, _end) in pairwise(edges)
        if (after + before) / 2 > length_s - SEARCHED_FOR_END_S and after - before >= LEAST_SILENCE_S
    ]
    return max(silences)[1] if silences else None


def spoken_words(segments: Iterable[Any]) -> Iterable[tuple[float, float, str]]:
    """Yield the words of the segments that are speech."""
    for segment in segments:
        is_unsure = segment.avg_logprob < UNSURE_LOGPROB or (
            segment.no_speech_prob > SILENCE_PROBABILITY and segment.avg_logprob < UNSURE_OF_SILENCE_LOGPROB
        )
        if is_unsure or segment.compression_ratio > REPEATED_RATIO:
            continue
        for word in segment.words or ():
            yield round(float(word.start), 3), round(float(word.end), 3), word.word


def converter(tag: str) -> Any:
    """Return the function that writes text in the characters of ``tag``."""
    if tag not in CONVERSIONS:
        return str
    from opencc import OpenCC

    return OpenCC(CONVERSIONS[tag]).convert


def main(request: str) -> int:
    """Print the words of the sound that ``request`` (JSON) names; return the exit code."""
    asked = json.loads(request)
    os.nice(19)  # pages, chat, live and encodes come first
    # Two libraries bring their own thread pools.
    os.environ["OMP_NUM_THREADS"] = str(asked["threads"])
    import numpy as np
    from faster_whisper import WhisperModel

    raw = np.frombuffer(Path(asked["sound"]).read_bytes(), dtype="<i2")
    sound = raw[int(asked["skip_s"] * RATE) :].astype(np.float32) / 32768
    model = WhisperModel(
        asked["model"],
        device="cpu",
        compute_type="int8",
        cpu_threads=asked["threads"],
        local_files_only=True,
    )
    heard = hear(sound, model=model, language=asked["language"], tag=asked["tag"], is_last=asked["is_last"])
    sys.stdout.write(json.dumps(heard, ensure_ascii=False))
    return 0
