"""From ffprobe's JSON and the packets' times to the streams we encode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .codecs import AUDIO_CODECS, COVER_CODECS, VIDEO_CODECS
from .errors import DecodeFailed, Encrypted, LimitsExceeded, NoStreams, UnsupportedCodec
from .framerate import choose_frame_rate
from .limits import Limits
from .packets import StreamPackets
from .source import AudioStream, SourceInfo, VideoStream

# Only these keep an index by which FFmpeg finds any moment without reading up to it.
_SEEKABLE = frozenset({"mov", "matroska"})
# With keyframes rarer than this, every chunk would decode much of its predecessor again.
_LONGEST_GOP_S = 30.0
_HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9-]{2,20})?")
_WIDEST_PIXEL = 16

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """When things happen, in the file's own time; ``is_whole`` when every packet was seen."""

    start_s: float
    declared_duration_s: float
    is_whole: bool
    streams: dict[int, StreamPackets]


@dataclass(frozen=True, slots=True)
class Chosen:
    """ffprobe's rows for the picture, the sound tracks and the attached cover."""

    video: _Json | None
    audio: list[_Json]
    cover: _Json | None


def choose_streams(streams: list[_Json], limits: Limits) -> Chosen:
    """Pick what we encode: the first real picture and every sound track we can decode.

    Raises LimitsExceeded, Encrypted, UnsupportedCodec or NoStreams.
    """
    media = [stream for stream in streams if stream.get("codec_type") in {"video", "audio"}]
    if len(media) > limits.media_tracks or len(streams) > limits.all_tracks:
        raise LimitsExceeded(
            f"{len(media)} of {len(streams)} tracks",
            detail=f"This file has over {limits.media_tracks} tracks. Export it with fewer and try again.",
        )
    if any(_is_encrypted(stream) for stream in media):
        raise Encrypted("encrypted track")
    pictures = [stream for stream in media if stream["codec_type"] == "video"]
    films = [stream for stream in pictures if not _is_still(stream)]
    sounds = [stream for stream in media if stream["codec_type"] == "audio"]
    covers = [s for s in pictures if _is_still(s) and s.get("codec_name") in COVER_CODECS]
    audible = [stream for stream in sounds if stream.get("codec_name") in AUDIO_CODECS]
    if films and films[0].get("codec_name") not in VIDEO_CODECS:
        raise UnsupportedCodec(f"video {films[0].get('codec_name')}")
    if not films and not audible:
        raise UnsupportedCodec("audio") if sounds else NoStreams("no picture or sound")
    return Chosen(films[0] if films else None, audible, covers[0] if covers else None)


def describe(
    chosen: Chosen, timing: Timing, *, container: str, size_bytes: int, limits: Limits
) -> SourceInfo:
    """Put header and measurement together.  Raises LimitsExceeded and DecodeFailed."""
    video = _video(chosen.video, timing, limits) if chosen.video else None
    used = [stream["index"] for stream in (chosen.video, *chosen.audio) if stream]
    return SourceInfo(
        container=container,
        duration_s=_presented_s(used, timing),
        size_bytes=size_bytes,
        video=video,
        audio=tuple(_audio(stream, timing) for stream in chosen.audio),
        is_seekable=container in _SEEKABLE and _is_indexed(chosen.video, used, timing),
        cover_index=chosen.cover["index"] if chosen.cover else None,
    )


def number(text: object) -> float | None:
    """Return one of ffprobe's numbers, which it writes as text and leaves out when unknown."""
    try:
        return float(str(text))
    except ValueError:
        return None


def rows(found: _Json, key: str) -> list[_Json]:
    """Return a list of ffprobe's JSON, empty when it is left out."""
    return list(found.get(key) or [])


def _is_still(stream: _Json) -> bool:
    flags = stream.get("disposition") or {}
    return bool(flags.get("attached_pic") or flags.get("timed_thumbnails") or flags.get("still_image"))


def _is_encrypted(stream: _Json) -> bool:
    tags = stream.get("tags") or {}
    kinds = {side.get("side_data_type") for side in rows(stream, "side_data_list")}
    # Matroska's ContentEncryption becomes a tag, CENC becomes side data.
    return "enc_key_id" in tags or "Encryption initialization data" in kinds


def _video(stream: _Json, timing: Timing, limits: Limits) -> VideoStream:
    width_px, height_px = int(stream.get("width") or 0), int(stream.get("height") or 0)
    if not width_px or not height_px:
        raise DecodeFailed("no picture size")
    if width_px * height_px > limits.pixels or max(width_px, height_px) > limits.side_px:
        raise LimitsExceeded(f"{width_px}x{height_px}", detail=_TOO_BIG)
    rotation = _rotation(stream)
    width_px, height_px = _square(width_px, height_px, stream.get("sample_aspect_ratio"))
    if rotation in {90, 270}:
        width_px, height_px = height_px, width_px
    packets = timing.streams.get(stream["index"]) or StreamPackets()
    is_interlaced = stream.get("field_order") in {"tt", "bb", "tb", "bt"}
    return VideoStream(
        index=stream["index"],
        codec=str(stream["codec_name"]),
        width_px=width_px,
        height_px=height_px,
        frame_rate=choose_frame_rate(
            packets.times_s,
            claimed=_rates(stream, "r_frame_rate", "avg_frame_rate"),
            is_interlaced=is_interlaced,
        ),
        duration_s=_presented_s([stream["index"]], timing),
        start_s=_start_s(stream, timing),
        rotation=rotation,
        pix_fmt=str(stream.get("pix_fmt") or ""),
        transfer=str(stream.get("color_transfer") or ""),
        is_hdr=stream.get("color_transfer") in _HDR_TRANSFERS,
        is_interlaced=is_interlaced,
        has_display_matrix=_display_matrix(stream) is not None,
    )


def _audio(stream: _Json, timing: Timing) -> AudioStream:
    tags = stream.get("tags") or {}
    language = str(tags.get("language", ""))
    title = "".join(letter for letter in str(tags.get("title", "")) if letter.isprintable())
    return AudioStream(
        index=stream["index"],
        codec=str(stream["codec_name"]),
        channels=int(stream.get("channels") or 2),
        language=language if _LANGUAGE.fullmatch(language) and language != "und" else "",
        title=title[:100],
        is_default=bool((stream.get("disposition") or {}).get("default")),
        start_s=_start_s(stream, timing),
    )


def _display_matrix(stream: _Json) -> _Json | None:
    """Return how the file says the picture is to be turned, if it does."""
    sides = rows(stream, "side_data_list")
    return next((side for side in sides if side.get("side_data_type") == "Display Matrix"), None)


def _rotation(stream: _Json) -> int:
    """Return how far FFmpeg turns the picture clockwise: 0, 90, 180 or 270 degrees."""
    side = _display_matrix(stream)
    if side is None:
        return 0
    if _is_degenerate(str(side.get("displaymatrix", ""))):
        raise DecodeFailed("display matrix flattens the picture")
    return round(-(number(side.get("rotation")) or 0) / 90) * 90 % 360


def _is_degenerate(matrix: str) -> bool:
    """Say whether a display matrix (14496-12, 8.2.2) maps the picture onto a line or a point."""
    cells = [int(cell) for cell in re.findall(r"(?<=[\s:])-?\d+(?=\s|$)", matrix)]
    return len(cells) == 9 and cells[0] * cells[4] - cells[1] * cells[3] == 0


def _square(width_px: int, height_px: int, ratio: object) -> tuple[int, int]:
    """Return the size in square pixels; the height stays, as scanners and DVDs mean it."""
    across, _, down = str(ratio or "1:1").partition(":")
    shape = (
        Fraction(int(across), int(down)) if across.isdigit() and down.isdigit() and int(down) else Fraction(1)
    )
    if not Fraction(1, _WIDEST_PIXEL) <= shape <= _WIDEST_PIXEL:
        return width_px, height_px
    return max(1, round(width_px * shape)), height_px


def _rates(stream: _Json, *keys: str) -> list[Fraction]:
    """Read fractions such as ``30000/1001``; ``0/0`` means unknown."""
    texts = [str(stream.get(key) or "0/0") for key in keys]
    return [Fraction(text) for text in texts if re.fullmatch(r"\d+/[1-9]\d*", text)]


def _start_s(stream: _Json, timing: Timing) -> float:
    """Return when a stream starts after the container's start."""
    packets = timing.streams.get(stream["index"])
    first_s = packets.first_s if packets else number(stream.get("start_time"))
    return max(0.0, round((first_s if first_s is not None else timing.start_s) - timing.start_s, 6))


def _presented_s(indexes: list[int], timing: Timing) -> float:
    """Return where the last of these streams ends, counted from the container's start."""
    if not timing.is_whole:
        return timing.declared_duration_s
    ends = [timing.streams[index].presented_end_s for index in indexes if index in timing.streams]
    return max(0.0, round(max(ends, default=timing.start_s) - timing.start_s, 6))


def _is_indexed(video: _Json | None, used: list[int], timing: Timing) -> bool:
    """Say whether header and packets agree, and keyframes are near enough to start from."""
    packets = timing.streams.get(video["index"]) if video else None
    if packets is None:
        return False
    is_honest = abs(timing.declared_duration_s - _presented_s(used, timing)) < 1
    return is_honest and packets.longest_gop_s <= _LONGEST_GOP_S


_TOO_BIG = "The picture of this video is larger than 8K. Export it in a smaller size and try again."
