"""The streams to encode, from ffprobe's JSON and the packets' times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .codecs import AUDIO_CODECS, COVER_CODECS, VIDEO_CODECS
from .errors import DecodeFailed, Encrypted, LimitsExceeded, NoStreams, UnsupportedCodec
from .framerate import MIN_RATE, choose_frame_rate
from .frames import FrameLook
from .limits import SourceLimits
from .packets import StreamPackets
from .source import AudioStream, SourceInfo, VideoStream

# Only these have an index, by which FFmpeg seeks without reading up to the target.
_SEEKABLE = frozenset({"mov", "matroska"})
# If keyframes are rarer than this, every chunk would decode much of its predecessor again.
_LONGEST_GOP_S = 30.0
_HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9-]{2,20})?")
_WIDEST_PIXEL = 16

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a source, as in the file; ``is_whole`` if every packet was read."""

    start_s: float
    declared_duration_s: float
    is_whole: bool
    streams: dict[int, StreamPackets]


@dataclass(frozen=True, slots=True)
class Chosen:
    """ffprobe's rows for the video track, the audio tracks and the attached cover.

    ``own`` are the indexes of all streams in the video track's programmes; empty if the file has none.
    """

    video: _Json | None
    audio: list[_Json]
    cover: _Json | None
    own: frozenset[int] = frozenset()


def choose_streams(streams: list[_Json], limits: SourceLimits, programs: Sequence[_Json] = ()) -> Chosen:
    """Return the streams to encode: the first video track and the decodable audio tracks of its programme.

    Raises LimitsExceeded, Encrypted, UnsupportedCodec or NoStreams.
    """
    media = [stream for stream in streams if stream.get("codec_type") in {"video", "audio"}]
    if len(media) > limits.media_tracks or len(streams) > limits.all_tracks:
        raise LimitsExceeded(
            f"{len(media)} of {len(streams)} tracks",
            limit="tracks",
            most=limits.media_tracks,
        )
    if any(_is_encrypted(stream) for stream in media):
        raise Encrypted("encrypted track")
    pictures = [stream for stream in media if stream["codec_type"] == "video"]
    films = [stream for stream in pictures if not is_attached(stream)]
    sounds = [stream for stream in media if stream["codec_type"] == "audio"]
    covers = [s for s in pictures if is_attached(s) and s.get("codec_name") in COVER_CODECS]
    audible = [stream for stream in sounds if stream.get("codec_name") in AUDIO_CODECS]
    own = _own_programme(films[0], programs) if films else frozenset()
    audible = [stream for stream in audible if not own or stream["index"] in own]
    if films and films[0].get("codec_name") not in VIDEO_CODECS:
        raise UnsupportedCodec(f"video {films[0].get('codec_name')}")
    if not films and not audible:
        raise UnsupportedCodec("audio") if sounds else NoStreams("no picture or sound")
    return Chosen(films[0] if films else None, audible, covers[0] if covers else None, own)


def _own_programme(film: _Json, programs: Sequence[_Json]) -> frozenset[int]:
    """Return the indexes of all streams in the programmes that hold ``film``; empty without programmes."""
    members = [{int(stream["index"]) for stream in rows(program, "streams")} for program in programs]
    return frozenset[int]().union(*(indexes for indexes in members if film["index"] in indexes))


def describe(
    chosen: Chosen, timing: Timing, look: FrameLook, *, container: str, size_bytes: int, limits: SourceLimits
) -> SourceInfo:
    """Return the source from header, packets and first frames.  Raises LimitsExceeded and DecodeFailed."""
    video = _video(chosen.video, timing, look, limits) if chosen.video else None
    used = [stream["index"] for stream in (chosen.video, *chosen.audio) if stream]
    return SourceInfo(
        container=container,
        duration_s=_presented_s(used, timing),
        size_bytes=size_bytes,
        video=video,
        audio=tuple(_audio(stream, timing) for stream in chosen.audio),
        is_measured=timing.is_whole,
        is_seekable=container in _SEEKABLE and _is_indexed(chosen.video, used, timing),
        cover_index=chosen.cover["index"] if chosen.cover else None,
    )


def number(text: object) -> float | None:
    """Return a number that ffprobe wrote as text; None if it is unknown."""
    try:
        return float(str(text))
    except ValueError:
        return None


def rows(found: _Json, key: str) -> list[_Json]:
    """Return a list from ffprobe's JSON; empty if it is missing."""
    return list(found.get(key) or [])


def is_attached(stream: _Json) -> bool:
    """Return whether ffprobe's row is a picture beside the video, such as a cover."""
    flags = stream.get("disposition") or {}
    return bool(flags.get("attached_pic") or flags.get("timed_thumbnails") or flags.get("still_image"))


def _is_encrypted(stream: _Json) -> bool:
    tags = stream.get("tags") or {}
    kinds = {side.get("side_data_type") for side in rows(stream, "side_data_list")}
    # Matroska's ContentEncryption becomes a tag, CENC becomes side data.
    return "enc_key_id" in tags or "Encryption initialization data" in kinds


def _video(stream: _Json, timing: Timing, look: FrameLook, limits: SourceLimits) -> VideoStream:
    width_px, height_px = stored = _stored_size(stream, look)
    if width_px <= 0 or height_px <= 0:
        raise DecodeFailed("no picture size")
    if width_px * height_px > limits.pixels or max(width_px, height_px) > limits.side_px:
        raise LimitsExceeded(f"{width_px}x{height_px}", limit="picture")
    rotation = _rotation(stream)
    width_px, height_px = _square(width_px, height_px, stream.get("sample_aspect_ratio"))
    if rotation in {90, 270}:
        width_px, height_px = height_px, width_px
    packets = timing.streams.get(stream["index"]) or StreamPackets()
    is_interlaced = look.is_interlaced or stream.get("field_order") in {"tt", "bb", "tb", "bt"}
    transfer = look.transfer or str(stream.get("color_transfer") or "")
    is_still = timing.is_whole and packets.count == 1
    return VideoStream(
        index=stream["index"],
        codec=str(stream["codec_name"]),
        width_px=width_px,
        height_px=height_px,
        frame_rate=MIN_RATE
        if is_still
        else choose_frame_rate(
            packets.times_s,
            busiest_s=packets.busiest_s,
            claimed=_rates(stream, "r_frame_rate", "avg_frame_rate"),
            is_interlaced=is_interlaced,
        ),
        duration_s=_presented_s([stream["index"]], timing),
        start_s=_start_s(stream, timing),
        rotation=rotation,
        pix_fmt=look.pix_fmt or str(stream.get("pix_fmt") or ""),
        transfer=transfer,
        matrix=look.matrix or str(stream.get("color_space") or ""),
        primaries=look.primaries or str(stream.get("color_primaries") or ""),
        color_range=look.color_range or str(stream.get("color_range") or ""),
        stored_size_px=stored,
        is_hdr=transfer in _HDR_TRANSFERS,
        is_interlaced=is_interlaced,
        has_display_matrix=_display_matrix(stream) is not None,
    )


def _stored_size(stream: _Json, look: FrameLook) -> tuple[int, int]:
    """Return width and height of the frames as FFmpeg decodes them, cropped as the container says."""
    width_px = look.width_px or int(stream.get("width") or 0)
    height_px = look.height_px or int(stream.get("height") or 0)
    for side in rows(stream, "side_data_list"):
        if side.get("side_data_type") == "Frame Cropping":
            width_px -= int(side.get("crop_left") or 0) + int(side.get("crop_right") or 0)
            height_px -= int(side.get("crop_top") or 0) + int(side.get("crop_bottom") or 0)
    return width_px, height_px


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
        layout=str(stream.get("channel_layout") or ""),
    )


def _display_matrix(stream: _Json) -> _Json | None:
    """Return the side data that says how to turn the frames; None without such."""
    sides = rows(stream, "side_data_list")
    return next((side for side in sides if side.get("side_data_type") == "Display Matrix"), None)


def _rotation(stream: _Json) -> int:
    """Return how far FFmpeg turns the frames clockwise: 0, 90, 180 or 270 degrees.

    Raises DecodeFailed if the matrix flattens them.
    """
    side = _display_matrix(stream)
    if side is None:
        return 0
    if _is_degenerate(str(side.get("displaymatrix", ""))):
        raise DecodeFailed("display matrix flattens the picture")
    return round(-(number(side.get("rotation")) or 0) / 90) * 90 % 360


def _is_degenerate(matrix: str) -> bool:
    """Return whether a display matrix (14496-12, 8.2.2) maps the frame onto a line or a point."""
    cells = [int(cell) for cell in re.findall(r"(?<=[\s:])-?\d+(?=\s|$)", matrix)]
    return len(cells) == 9 and cells[0] * cells[4] - cells[1] * cells[3] == 0


def _square(width_px: int, height_px: int, ratio: object) -> tuple[int, int]:
    """Return the size in square pixels; only the width changes, as on DVDs."""
    across, _, down = str(ratio or "1:1").partition(":")
    shape = (
        Fraction(int(across), int(down)) if across.isdigit() and down.isdigit() and int(down) else Fraction(1)
    )
    if not Fraction(1, _WIDEST_PIXEL) <= shape <= _WIDEST_PIXEL:
        return width_px, height_px
    return max(1, round(width_px * shape)), height_px


def _rates(stream: _Json, *keys: str) -> list[Fraction]:
    """Return the known rates, written as fractions such as ``30000/1001``; ``0/0`` means unknown."""
    texts = [str(stream.get(key) or "0/0") for key in keys]
    return [Fraction(text) for text in texts if re.fullmatch(r"\d+/[1-9]\d*", text)]


def _start_s(stream: _Json, timing: Timing) -> float:
    """Return the start of a stream in seconds after the container's start."""
    packets = timing.streams.get(stream["index"])
    first_s = packets.first_s if packets else number(stream.get("start_time"))
    return max(0.0, round((first_s if first_s is not None else timing.start_s) - timing.start_s, 6))


def _presented_s(indexes: list[int], timing: Timing) -> float:
    """Return the end of the last of these streams, in seconds after the container's start.

    If packets were only sampled, it is the declared duration.
    """
    if not timing.is_whole:
        return timing.declared_duration_s
    ends = [timing.streams[index].presented_end_s for index in indexes if index in timing.streams]
    return max(0.0, round(max(ends, default=timing.start_s) - timing.start_s, 6))


def _is_indexed(video: _Json | None, used: list[int], timing: Timing) -> bool:
    """Return whether header and packets agree and keyframes are close enough to seek to."""
    packets = timing.streams.get(video["index"]) if video else None
    if packets is None:
        return False
    is_honest = abs(timing.declared_duration_s - _presented_s(used, timing)) < 1
    return is_honest and packets.longest_gop_s <= _LONGEST_GOP_S
