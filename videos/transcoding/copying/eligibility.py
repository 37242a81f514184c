"""Decision whether the streams of an MP4 file can be copied, each refusal with its reason.

A copy must look, sound and cut like the encodes beside it, in every player.  Whatever
is in doubt is encoded.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from common.media.aac import AacConfig, read_specific
from common.media.avc import (
    IDR_SLICE,
    SLICES,
    SPS,
    UNSPECIFIED,
    AvcColours,
    DecoderConfiguration,
    ParameterSet,
    nal_units,
    read_configuration,
    read_parameter_set,
)
from common.media.bits import BrokenConfiguration
from videos.transcoding.colour import guessed_matrix

from .grid import LONGEST_GOP_S
from .tables import TrackTables

# Baseline, Main and High; browsers decode no other profile everywhere.
_PROFILES = frozenset({66, 77, 100})
# 5.2: 2160p at 60 frames per second.
_HIGHEST_LEVEL = 52
_LONGEST_SIDE_PX = 4096
_SHORTEST_SIDE_PX = 64
_FASTEST = 61.0
# Of a shorter video, an encode takes no time.
_SHORTEST_S = 0.5
_BT709, _SMPTE170M = 1, 6
# The curves of BT.709 and BT.601 are the same.
_TRANSFERS = frozenset({_BT709, _SMPTE170M, UNSPECIFIED})
# A track may start or end this much beside the other one without a filler: a frame, or some blocks of AAC.
_BESIDE_S = 0.25
# Sound later than this is audibly late, or begins behind a hole that players stop at.
_LATE_S = 0.03
# Rounding of times between timescales.
_ROUNDING_S = 0.001
_AAC_RATES_HZ = frozenset({44_100, 48_000})
_AAC_LC, _AAC_BLOCK = 2, 1024
# The first frames tell the rate: five minutes at 60 frames per second.
_RATED_FRAMES = 18_000


class NotCopied(Exception):
    """Refusal to copy a stream; ``code`` names the reason."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class CopiableVideo:
    """A video track that can be copied.

    ``starts_s`` is the time of the first frame on the movie's timeline.  ``end`` counts
    ticks of the track, ``gops`` are the numbers of the keyframes' samples.
    """

    tables: TrackTables
    configuration: DecoderConfiguration
    picture: ParameterSet
    gops: Sequence[int]
    end: int
    starts_s: float

    @property
    def codecs(self) -> str:
        return f"avc1.{self.configuration.sequence_sets[0][1:4].hex()}"

    @property
    def duration_s(self) -> float:
        return (self.end - self.tables.presented[0]) / self.tables.timescale

    @property
    def bitrate_bps(self) -> int:
        """Return the average bitrate."""
        return round(sum(self.tables.sizes) * 8 / self.duration_s)


@dataclass(frozen=True, slots=True)
class CopiableAudio:
    """An AAC track that can be copied; ``starts_s`` is the time of its first block after the edits."""

    tables: TrackTables
    configuration: AacConfig
    starts_s: float


def copiable_video(tables: TrackTables) -> CopiableVideo:
    """Return the video track of ``tables``.  Raises NotCopied."""
    if tables.entry_kind != b"avc1":
        raise NotCopied("codec", tables.entry_kind.decode("latin-1"))
    configuration, picture = _configuration(tables)
    _check_picture(picture)
    _check_shape(tables, picture)
    _check_colours(tables, picture)
    gops = _closed_gops(tables)
    end = _end(tables)
    starts_s = _start_s(tables, first=tables.presented[0], end=end)
    video = CopiableVideo(tables, configuration, picture, gops, end, starts_s)
    if video.duration_s < _SHORTEST_S:
        raise NotCopied("short", f"{video.duration_s:.3f} s")
    check_rate(len(tables.sizes), video.duration_s)
    bounds = [*(tables.presented[first] for first in gops), end]
    longest_s = max(after - before for before, after in pairwise(bounds)) / tables.timescale
    if longest_s > LONGEST_GOP_S + _ROUNDING_S:
        raise NotCopied("long_gops", f"{longest_s:.1f} s")
    return video


def check_rate(frames: int, duration_s: float) -> None:
    """Raise NotCopied if frames follow each other faster than in any encode."""
    if frames > 10 and frames > _FASTEST * duration_s:
        raise NotCopied("frame_rate", f"{frames} frames in {duration_s:.3f} s")


def _configuration(tables: TrackTables) -> tuple[DecoderConfiguration, ParameterSet]:
    try:
        configuration = read_configuration(tables.entry_box(b"avcC") or b"")
        if len(configuration.sequence_sets) != 1 or not configuration.picture_sets:
            raise NotCopied("parameter_sets", f"{len(configuration.sequence_sets)} of sequences")
        return configuration, read_parameter_set(configuration.sequence_sets[0])
    except BrokenConfiguration as error:
        raise NotCopied("parameter_sets", str(error)) from error


def _check_picture(picture: ParameterSet) -> None:
    short, long = sorted((picture.width_px, picture.height_px))
    checks = {
        "profile": picture.profile in _PROFILES,
        "level": picture.level <= _HIGHEST_LEVEL,
        "chroma": picture.chroma_format == 1 and picture.bit_depth == 8,
        "interlaced": not picture.may_be_interlaced,
        "size": short >= _SHORTEST_SIDE_PX and long <= _LONGEST_SIDE_PX,
        # Players cut the right and the bottom off; some ignore the other sides.
        "cropped": picture.crop_left_px == picture.crop_top_px == 0,
        "anamorphic": picture.pixel_shape == 1,
    }
    for code, holds in checks.items():
        if not holds:
            raise NotCopied(code, str(picture))


def _check_shape(tables: TrackTables, picture: ParameterSet) -> None:
    """Raise NotCopied if the container turns, cuts or stretches the frames."""
    if tables.is_turned:
        raise NotCopied("turned")
    if tables.entry_box(b"clap") is not None:
        raise NotCopied("cropped", "clean aperture")
    shape = tables.entry_box(b"pasp")
    if shape is not None and (len(shape) < 8 or shape[:4] != shape[4:8]):
        raise NotCopied("anamorphic", "pixel aspect")
    width, height = tables.size_px
    if width and height and abs(width * picture.height_px / (height * picture.width_px) - 1) > 0.01:
        raise NotCopied("anamorphic", f"shown as {width:.0f}x{height:.0f}")


def _check_colours(tables: TrackTables, picture: ParameterSet) -> None:
    """Raise NotCopied unless a browser shows the colours as the BT.709 that encodes declare."""
    found = [picture.colours]
    colr = tables.entry_box(b"colr") or b""
    if colr[:4] in {b"nclx", b"nclc"} and len(colr) >= 10:
        is_full = colr[:4] == b"nclx" and len(colr) > 10 and bool(colr[10] & 0x80)
        primaries, transfer, matrix = struct.unpack_from(">HHH", colr, 4)
        found.append(AvcColours(primaries, transfer, matrix, is_full))
    elif colr:
        raise NotCopied("colours", "a profile of its own")
    for colours in found:
        are_known = (
            not colours.is_full_range
            and colours.primaries in {_BT709, UNSPECIFIED}
            and colours.transfer in _TRANSFERS
            and colours.matrix in {_BT709, UNSPECIFIED}
        )
        if not are_known:
            raise NotCopied("colours", str(colours))
    is_untagged = all(colours.matrix == UNSPECIFIED for colours in found)
    if is_untagged and guessed_matrix(picture.width_px, picture.height_px) != "bt709":
        raise NotCopied("colours", "untagged, and small")


def _closed_gops(tables: TrackTables) -> Sequence[int]:
    """Return the samples of the keyframes.

    Raises NotCopied unless a decoder can begin at each: no frame behind it in decoding
    order is shown before it, and none before it is shown behind it.
    """
    presented = tables.presented
    gops = tables.keyframes if tables.keyframes is not None else array("I", range(len(presented)))
    if not gops or gops[0] != 0:
        raise NotCopied("no_keyframes", "the first frame is none")
    latest = presented[0] - 1
    for first, after in pairwise([*gops, len(presented)]):
        times = sorted(presented[first:after])
        if times[0] != presented[first] or times[0] <= latest:
            raise NotCopied("open_gops", f"at sample {first}")
        if any(later == earlier for earlier, later in pairwise(times)):
            raise NotCopied("times", f"two frames at once behind sample {first}")
        latest = times[-1]
    return gops


def _end(tables: TrackTables) -> int:
    """Return the end of the last frame; without a duration it lasts as long as the average one."""
    end, latest = tables.end, max(tables.presented)
    if end > latest or len(tables.presented) < 2:
        return max(end, latest + 1)
    return latest + max(1, (latest - tables.presented[0]) // (len(tables.presented) - 1))


def _start_s(tables: TrackTables, *, first: int, end: int) -> float:
    """Return the time of media time ``first`` on the movie's timeline.

    Raises NotCopied if the edit list does more than to delay the track and to skip what
    lies before its first frame.
    """
    edits = list(tables.edits)
    delay_s = 0.0
    if edits and edits[0].media_time is None:
        delay_s = edits.pop(0).length_s
    if not edits:
        return delay_s + first / tables.timescale
    (edit, *more) = edits
    if more or edit.media_time is None or not edit.is_normal_speed:
        raise NotCopied("edited", f"{len(tables.edits)} edits")
    shown_s = (end - edit.media_time) / tables.timescale
    # Fragmented files, and some recorders, write a length of 0 for the whole track.
    if edit.length_s and edit.length_s < shown_s - _BESIDE_S:
        raise NotCopied("edited", f"{edit.length_s:.3f} of {shown_s:.3f} s")
    return delay_s + (first - edit.media_time) / tables.timescale


def check_start(video: CopiableVideo) -> None:
    """Raise NotCopied if the edit list hides frames at the beginning."""
    frame_s = video.duration_s / len(video.tables.sizes)
    if video.starts_s < -min(_ROUNDING_S, frame_s / 2):
        raise NotCopied("edited", f"{-video.starts_s:.3f} s are skipped")


def copiable_audio(tables: TrackTables, video: CopiableVideo) -> CopiableAudio:
    """Return the audio track of ``tables`` beside ``video``.  Raises NotCopied."""
    if tables.entry_kind != b"mp4a":
        raise NotCopied("codec", tables.entry_kind.decode("latin-1"))
    try:
        configuration = read_specific((tables.entry_box(b"esds") or b"")[4:])
    except BrokenConfiguration as error:
        raise NotCopied("codec", str(error)) from error
    checks = {
        "profile": configuration.object_type == _AAC_LC and configuration.frame_samples == _AAC_BLOCK,
        "channels": configuration.channels in {1, 2},
        "sample_rate": configuration.sample_rate_hz in _AAC_RATES_HZ
        and tables.timescale == configuration.sample_rate_hz,
        "times": _has_whole_blocks(tables),
    }
    for code, holds in checks.items():
        if not holds:
            raise NotCopied(code, str(configuration))
    starts_s = _start_s(tables, first=0, end=tables.decoded_until[-1])
    if starts_s > video.starts_s + _LATE_S:
        raise NotCopied("late", f"{starts_s - video.starts_s:.3f} s")
    ends_s = audio_end_s(tables)
    if ends_s < video.starts_s + video.duration_s - _BESIDE_S:
        raise NotCopied("short", f"{ends_s:.3f} of {video.duration_s:.3f} s")
    return CopiableAudio(tables, configuration, starts_s)


def _has_whole_blocks(tables: TrackTables) -> bool:
    """Return whether all blocks but the last follow each other without gaps or jumps."""
    ends = tables.decoded_until
    if tables.presented[0] != 0 or len(ends) < 2:
        return False
    expected = range(_AAC_BLOCK, _AAC_BLOCK * len(ends), _AAC_BLOCK)
    return ends[:-1] == array("q", expected)


def audio_end_s(tables: TrackTables) -> float:
    """Return the end of an audio track on the movie's timeline.  Raises NotCopied."""
    return (
        _start_s(tables, first=0, end=tables.decoded_until[-1]) + tables.decoded_until[-1] / tables.timescale
    )


def check_ends(video: CopiableVideo, ends_s: Sequence[float]) -> None:
    """Raise NotCopied if audio goes on behind the last frame, which an encode would hold."""
    latest_s = max(ends_s, default=0.0)
    if latest_s > video.starts_s + video.duration_s + _BESIDE_S:
        raise NotCopied("short", f"audio lasts {latest_s:.3f}, video {video.duration_s:.3f} s")


def check_keyframe(sample: bytes | memoryview, configuration: DecoderConfiguration) -> None:
    """Raise NotCopied unless a sample is a whole IDR picture under the parameter set of the header."""
    end, kinds = 0, []
    for start, end in nal_units(sample, configuration.nal_length_bytes):
        kind = sample[start] & 0x1F
        kinds.append(kind)
        if kind == SPS and bytes(sample[start:end]) not in configuration.sequence_sets:
            raise NotCopied("parameter_sets", "another one within the stream")
    if end != len(sample):
        raise NotCopied("damaged", "NAL units do not fill their sample")
    if next((kind for kind in kinds if kind in SLICES), 0) != IDR_SLICE:
        raise NotCopied("open_gops", "a keyframe that is no IDR picture")


def usual_rate(video: CopiableVideo) -> float:
    """Return the frames per second without those that stay on screen much longer than most."""
    times = sorted(video.tables.presented[:_RATED_FRAMES])
    steps = [after - before for before, after in pairwise(times)] or [video.end - times[0]]
    longest = 1.5 * median(steps)
    usual = [step for step in steps if step < longest] or steps
    return len(usual) * video.tables.timescale / sum(usual)
