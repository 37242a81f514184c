"""The content of a source that its video will lack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

CODES = ("audio_tracks", "video_tracks", "programmes", "subtitles", "attachments", "missing_end")
# Containers that declare the duration of the whole in the header.
_ANNOUNCING = frozenset({"mov", "matroska", "avi", "asf", "flv"})
# Headers round, and the last packets of tracks end apart.
_MISSING_END_S = 3.0
_NAMED = 5  # codecs of one kind
_MISSING_END_SHARE = 0.02

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One kind of content that is left out.

    ``code`` is one of ``CODES``; ``count`` is the number of tracks, or of seconds for
    ``missing_end``; ``names`` are FFmpeg's names of their formats, at most five.
    """

    code: str
    count: int
    names: tuple[str, ...] = ()


def left_out_of(streams: Sequence[_Json], used: Iterable[int], own: Iterable[int]) -> tuple[LeftOut, ...]:
    """Return the content left out of ffprobe's ``streams`` if the indexes ``used`` are encoded.

    ``own`` are the indexes of the streams in the video's programmes; empty without programmes.
    """
    taken, at_home = set(used), set(own)
    kinds: dict[str, list[_Json]] = {}
    for stream in streams:
        if stream.get("index") not in taken and (code := _code(stream, at_home)):
            kinds.setdefault(code, []).append(stream)
    left_out = []
    for code, found in kinds.items():
        names = (str(stream.get("codec_name") or stream.get("codec_tag_string") or "?") for stream in found)
        left_out.append(LeftOut(code, len(found), tuple(dict.fromkeys(names))[:_NAMED]))
    return tuple(left_out)


def missing_end(container: str, *, declared_s: float, found_s: float) -> tuple[LeftOut, ...]:
    """Return the declared seconds that a source lacks; empty if it lacks few or declares none."""
    missing_s = declared_s - found_s
    is_much = missing_s > max(_MISSING_END_S, _MISSING_END_SHARE * declared_s)
    return (LeftOut("missing_end", round(missing_s)),) if container in _ANNOUNCING and is_much else ()


def _code(stream: _Json, own: set[int]) -> str:
    """Return the code for a stream that is not used; empty for covers and data, which nobody misses."""
    flags = stream.get("disposition") or {}
    kind = str(stream.get("codec_type") or "")
    if flags.get("attached_pic") or flags.get("timed_thumbnails") or flags.get("still_image"):
        return ""
    if own and stream.get("index") not in own and kind in {"audio", "video"}:
        return "programmes"
    names = {"subtitle": "subtitles", "attachment": "attachments"}
    return names.get(kind, f"{kind}_tracks" if kind in {"audio", "video"} else "")
