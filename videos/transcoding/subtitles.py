"""Subtitles inside a source: which of its tracks are text, and their extraction by one FFmpeg.

Tracks of pictures (PGS, VobSub, DVB) stay in the file; the leftovers count them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .codecs import DECODER_WHITELIST
from .errors import DecodeFailed, StorageFailed
from .inputs import probe_input_args
from .processes import STORAGE_TROUBLE, run_short
from .sandbox import encoding
from .tools import ffmpeg_path

MAX_SUBTITLES = 32
# The text lies between the frames, so the whole file is read.
EXTRACT_TIMEOUT_S = 3600.0

_SUBSTATION = frozenset({"ass", "ssa"})
TEXT_CODECS = _SUBSTATION | {"mov_text", "subrip", "webvtt", "text"}
# FFmpeg's decoder of SubRip has another name than the codec.
_DECODERS = ",".join(sorted({*TEXT_CODECS, "srt"}))

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A text track; ``language`` is an ISO 639 code, perhaps with subtags, or empty."""

    index: int
    codec: str
    language: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.index}.{'ass' if self.codec in _SUBSTATION else 'vtt'}"


def subtitles_of(streams: Sequence[_Json]) -> tuple[SubtitleStream, ...]:
    """Return the text tracks of ffprobe's ``streams``, one for each language.

    A whole track is better than one for foreign words only, and the first of two alike.
    """
    found = [
        stream
        for stream in streams
        if stream.get("codec_type") == "subtitle" and stream.get("codec_name") in TEXT_CODECS
    ]
    found.sort(key=lambda stream: bool((stream.get("disposition") or {}).get("forced")))
    chosen: dict[str, SubtitleStream] = {}
    for stream in found[:MAX_SUBTITLES]:
        language = str((stream.get("tags") or {}).get("language") or "")[:16]
        track = SubtitleStream(int(stream["index"]), str(stream["codec_name"]), language)
        chosen.setdefault(language, track)
    return tuple(chosen.values())


def extract(
    url: str,
    container: str,
    tracks: Sequence[SubtitleStream],
    folder: Path,
    nicely: Callable[[list[str]], list[str]],
) -> list[tuple[SubtitleStream, Path]]:
    """Write each track as a caption file into ``folder``; return those that are not empty.

    Raises StorageFailed, LimitsExceeded, or DecodeFailed if nothing could be read.
    """
    decoders = f"{DECODER_WHITELIST},{_DECODERS}"
    argv = [
        ffmpeg_path(), "-v", "error", "-nostdin",
        "-codec_whitelist", decoders,
        *probe_input_args(url, container),
    ]  # fmt: skip
    for track in tracks:
        is_substation = track.codec in _SUBSTATION
        # SubStation is copied: our own reader keeps the place of its lines.
        codec, muxer = ("copy", "ass") if is_substation else ("webvtt", "webvtt")
        argv += ["-map", f"0:{track.index}", "-c:s", codec, "-f", muxer, str(folder / track.file_name)]
    finished = run_short(
        nicely(argv), timeout_s=EXTRACT_TIMEOUT_S, writes=[folder], limits=encoding(EXTRACT_TIMEOUT_S)
    )
    if STORAGE_TROUBLE.search(finished.stderr):
        raise StorageFailed(finished.stderr)
    written = [(track, folder / track.file_name) for track in tracks]
    filled = [(track, path) for track, path in written if path.exists() and path.stat().st_size]
    if finished.exit_code != 0 and not filled:
        raise DecodeFailed(finished.stderr)
    return filled
