"""Source of a broadcast, as its first seconds show it, and the plan of its renditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from live.llhls.segments import SLACK_S
from videos.transcoding.colour import guessed_matrix
from videos.transcoding.ladder import LADDER

# A segment lasts at least a second, up to a keyframe.  x264's default places keyframes
# up to 5 s apart at 50 frames a second: encoding such a source again at full size costs
# more than the longer delay of its viewers.  With longer GOPs we set our own keyframes.
LONGEST_COPIED_GOP_S = 5.0
FORCED_GOP_S = 1.0
# Age of a segment from which a keyframe ends it.
MIN_SEGMENT_S = 1.0 - SLACK_S
# Players decode nothing larger: larger sources are refused, and encoded ones are scaled down.
MAX_SIDE_PX = 4096
MAX_ENCODED_SHORT_SIDE_PX = 1080
# H.264 profiles that browsers decode: Baseline, Main, High.
_PLAYABLE_PROFILES = frozenset({66, 77, 100})
_MIN_SIDE_PX = 64
_PARTS_PER_S = 5
# A bitrate below this share of our ladder's is that of a still picture, not of the source.
_MEASURED_SHARE = 0.25
_PART_SLACK_S = 0.002


@dataclass(frozen=True, slots=True)
class Source:
    """Properties of a signal, with ``codecs`` as in RFC 6381.

    The size is the one to show, in square pixels; ``has_square_pixels`` means that the
    frames are stored in it.  ``keyframe_interval_s`` is None if no second keyframe has
    arrived.  ``has_open_gops`` means that a keyframe was no IDR picture, ``has_matrix``
    that the signal names the matrix of its colours.
    """

    codecs: str
    width_px: int
    height_px: int
    frame_rate: float
    keyframe_interval_s: float | None
    has_b_frames: bool
    has_audio: bool
    video_bitrate_bps: int
    audio_bitrate_bps: int
    encoder: str = ""
    has_square_pixels: bool = True
    may_be_interlaced: bool = False
    has_open_gops: bool = False
    has_matrix: bool = False

    @property
    def short_side(self) -> int:
        return min(self.width_px, self.height_px)

    @property
    def profile(self) -> int:
        """Return H.264's profile_idc: the first two digits after ``avc1.``."""
        return int(self.codecs[5:7], 16)

    @property
    def has_sane_keyframes(self) -> bool:
        return self.keyframe_interval_s is not None and self.keyframe_interval_s <= LONGEST_COPIED_GOP_S

    @property
    def can_be_copied(self) -> bool:
        """Return whether viewers can join at every keyframe and see the frames in their right shape.

        Browsers do not deinterlace, and the lower renditions have square pixels.
        """
        return self.has_sane_keyframes and not self.obstacles and self.profile in _PLAYABLE_PROFILES

    @property
    def obstacles(self) -> frozenset[str]:
        """Return the codes of what the streamer could change so that the source is copied."""
        codes = {
            "open_gops": self.has_open_gops,
            "interlaced": self.may_be_interlaced,
            "anamorphic": not self.has_square_pixels,
        }
        return frozenset(code for code, applies in codes.items() if applies)

    @property
    def measured_bitrate_bps(self) -> int | None:
        """Return the video's bitrate; None if the first seconds are no measure, as with a still picture."""
        usual_bps = rung_bitrate_bps(self.short_side, self.frame_rate)
        return self.video_bitrate_bps if self.video_bitrate_bps >= _MEASURED_SHARE * usual_bps else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Output:
    """Rendition that FFmpeg makes; ``bitrate_bps`` is that of its video track."""

    name: str
    width_px: int
    height_px: int
    bitrate_bps: int
    is_copied: bool

    @property
    def short_side(self) -> int:
        return min(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """Plan of one run of FFmpeg: its outputs, best first.

    ``forced_gop_s`` is None if every output follows the source's keyframes.
    ``deinterlaces`` joins fields where a frame says that it has them.  ``matrix`` is
    FFmpeg's name of the source's matrix if frames do not name it.
    """

    outputs: tuple[Output, ...]
    forced_gop_s: float | None
    deinterlaces: bool = False
    matrix: str = ""

    @property
    def is_copied(self) -> bool:
        return self.outputs[0].is_copied


def plan_outputs(
    source: Source, short_sides: Sequence[int], *, count: int | None = None, must_encode: bool = False
) -> EncodePlan:
    """Return the renditions of ``source``: itself, and the ``short_sides`` that are smaller and cheaper.

    A rung with a higher bitrate than a copied source would rank above it, and players
    would choose the worse rendition.  ``count`` is the number of renditions of a
    continued broadcast: it never changes, so the smallest is repeated or left out.
    """
    is_copied = source.can_be_copied and not must_encode
    best = _output(0, source, source.short_side, is_copied=is_copied)
    below = [
        side
        for side in sorted(set(short_sides), reverse=True)
        if side < best.short_side and rung_bitrate_bps(side, source.frame_rate) < best.bitrate_bps
    ]
    if count is not None:
        below = (below + [below[-1] if below else best.short_side] * count)[: count - 1]
    lower = [_output(position, source, side, is_copied=False) for position, side in enumerate(below, 1)]
    return EncodePlan(
        (best, *lower),
        None if is_copied else FORCED_GOP_S,
        source.may_be_interlaced,
        "" if source.has_matrix else guessed_matrix(source.width_px, source.height_px),
    )


def _output(position: int, source: Source, short_side: int, *, is_copied: bool) -> Output:
    width_px, height_px = source.width_px, source.height_px
    usual_bps = rung_bitrate_bps(source.short_side, source.frame_rate)
    bitrate_bps = source.measured_bitrate_bps or max(source.video_bitrate_bps, usual_bps)
    if not is_copied:
        short_side = min(short_side, MAX_ENCODED_SHORT_SIDE_PX)
        longest = Fraction(MAX_SIDE_PX, max(source.width_px, source.height_px))
        scale = min(Fraction(short_side, source.short_side), longest, Fraction(1))
        width_px, height_px = _even(width_px * scale), _even(height_px * scale)
        bitrate_bps = rung_bitrate_bps(short_side, source.frame_rate)
    return Output(f"r{position}", width_px, height_px, bitrate_bps, is_copied)


def _even(side_px: Fraction) -> int:
    """Return a side length that 4:2:0 can halve."""
    return max(_MIN_SIDE_PX, round(side_px / 2) * 2)


def rung_bitrate_bps(short_side: int, frame_rate: float) -> int:
    """Return the ladder's bitrate, by area between its rungs, and up to 1.5 times as much at 60 fps."""
    above = next((rung for rung in reversed(LADDER) if rung.short_side >= short_side), LADDER[0])
    share: float = min(1.0, (short_side / above.short_side) ** 1.5)
    faster = 1 + max(0.0, min(frame_rate, 60) - 30) / 60
    return round(above.bitrate_bps * share * faster)


def part_target_s(frame_rate: float) -> float:
    """Return the longest part duration: the frames that fit into 200 ms, and a margin for rounding.

    It is rounded up to the next millisecond, as playlists write it.
    """
    pictures = max(1, int(frame_rate / _PARTS_PER_S + 1e-6))
    return math.ceil((pictures / frame_rate + _PART_SLACK_S) * 1000 - 1e-6) / 1000


def segment_duration_s(plan: EncodePlan, source: Source) -> float:
    """Return the duration of a regular segment: it ends at the first keyframe after ``MIN_SEGMENT_S``."""
    gop_s = plan.forced_gop_s or source.keyframe_interval_s or LONGEST_COPIED_GOP_S
    return max(1, math.ceil(MIN_SEGMENT_S / gop_s)) * gop_s


def target_duration_s(plan: EncodePlan, source: Source) -> int:
    """Return ``EXT-X-TARGETDURATION``: the segment duration in whole seconds, halves rounded up."""
    return max(1, int(segment_duration_s(plan, source) + 0.5))
