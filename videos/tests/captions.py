"""Rules for captions that players may receive, checked independently of the reader."""

from __future__ import annotations

import re
import subprocess
from itertools import groupby
from pathlib import Path

from videos.transcoding.captions import Captions
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

_TIME = r"(\d{2,4}:[0-5]\d:[0-5]\d\.\d{3})"
_CUE = re.compile(rf"{_TIME} --> {_TIME}((?: [a-z]+:[\w.,%-]+)*)\n((?:[^\n]+\n)+)")
_TAG = re.compile(r"</?(?:[biucv]|ruby|rt|lang)(?:[. \t][^<>&]*)?>|<\d[\d:.]*>")
_ENTITY = re.compile(r"&(?:amp|lt|gt|lrm|rlm|nbsp);")


def faults(captions: Captions, work: Path) -> list[str]:
    """Return the faults of captions that we would serve; empty if there are none."""
    text = captions.render()
    header, *blocks = text.split("\n\n")
    matches = [_CUE.fullmatch(f"{block.rstrip()}\n") for block in blocks]
    found = [] if header == "WEBVTT" else ["no header"]
    found += [f"no cue: {block[:80]!r}" for block, match in zip(blocks, matches, strict=True) if not match]
    for match in filter(None, matches):
        found += _faults_of_a_cue(match)
    # FFmpeg leaves out a cue that repeats the one before it.
    distinct = [
        key for key, _ in groupby(captions.cues, key=lambda cue: (cue.start_ms, cue.end_ms, cue.text))
    ]
    path = work / "captions.vtt"
    path.write_text(text)
    counted, complaints = _counted(path)
    if (counted, complaints) != (len(distinct), ""):
        found.append(f"FFmpeg reads {counted} of {len(distinct)} cues: {complaints[-200:]}")
    return found


def words_for_ffmpeg(path: Path) -> list[str]:
    """Return the text lines, without tags and times, that FFmpeg finds in captions of any format."""
    argv = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", f"file:{path}", "-f", "webvtt", "-"]
    output = subprocess.run(argv, capture_output=True, timeout=60, check=False).stdout.decode(
        "utf-8", "replace"
    )
    lines = [line for line in output.splitlines()[1:] if "-->" not in line]
    return [words for line in lines if (words := re.sub(r"<[^>]*>", "", line).strip())]


def _faults_of_a_cue(cue: re.Match[str]) -> list[str]:
    start, end, _, words = cue.groups()
    rest = _ENTITY.sub("", _TAG.sub("", words))
    found = [f"markup: {rest[:80]!r}"] if set(rest) & set("<>&\0\r") else []
    # As text, because hours have as many digits on both sides.
    if start.rjust(14) >= end.rjust(14):
        found.append(f"never shown: {start} --> {end}")
    return found


def _counted(path: Path) -> tuple[int, str]:
    """Return the number of cues that FFmpeg reads from a WebVTT file, and its complaints."""
    argv = [ffprobe_path(), "-v", "error", "-f", "webvtt", "-of", "csv=p=0", "-show_entries", "packet=pts"]
    done = subprocess.run([*argv, f"file:{path}"], capture_output=True, timeout=60, check=True)
    return len(done.stdout.split()), done.stderr.decode("utf-8", "replace")
