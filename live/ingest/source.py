"""What a publisher sends, as far as it shows in the first seconds, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from live.llhls.segments import SLACK_S
from videos.transcoding.ladder import LADDER

# A segment is at least a second and lasts until a keyframe: with rarer ones, viewers
# join late and lag behind, so we set keyframes of our own.
LONGEST_COPIED_GOP_S = 2.5
FORCED_GOP_S = 1.0
# From here on a keyframe ends a segment.
MIN_SEGMENT_S = 1.0 - SLACK_S
# No player's decoder takes more; what is larger is refused, and what must be encoded is made smaller.
MAX_SIDE_PX = 4096
MAX_ENCODED_SHORT_SIDE_PX = 1080
# H.264 profiles that browsers decode: Baseline, Main, High.
_PLAYABLE_PROFILES = frozenset({66, 77, 100})
_USUAL_RATES = (
    10.0,
    12.0,
    15.0,
    20.0,
    24000 / 1001,
    24.0,
    25.0,
    30000 / 1001,
    30.0,
    48.0,
    50.0,
    60000 / 1001,
    60.0,
)
_NEAR = 0.004
_MIN_SIDE_PX = 64
_PARTS_PER_S = 5
_PART_SLACK_S = 0.002


@dataclass(frozen=True, slots=True)
class Source:
    """``codecs`` as RFC 6381 names them; ``keyframe_interval_s`` is None where none came a second time."""

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

    @property
    def short_side(self) -> int:
        return min(self.width_px, self.height_px)

    @property
    def profile(self) -> int:
        """H.264's profile_idc: the first two digits behind ``avc1.``."""
        return int(self.codecs[5:7], 16)

    @property
    def has_sane_keyframes(self) -> bool:
        return self.keyframe_interval_s is not None and self.keyframe_interval_s <= LONGEST_COPIED_GOP_S

    @property
    def can_be_copied(self) -> bool:
        return self.has_sane_keyframes and self.profile in _PLAYABLE_PROFILES

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Output:
    """One rendition that FFmpeg makes; ``bitrate_bps`` is the picture's."""

    name: str
    width_px: int
    height_px: int
    bitrate_bps: int
    is_copied: bool

    @property
    def short_side(self) -> int:
        return min(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of FFmpeg: what comes out, best first.

    ``forced_gop_s`` is None where every output follows the source's keyframes.
    """

    outputs: tuple[Output, ...]
    has_audio: bool
    forced_gop_s: float | None

    @property
    def is_copied(self) -> bool:
        return self.outputs[0].is_copied


def plan_outputs(
    source: Source, short_sides: Sequence[int], *, count: int | None = None, must_encode: bool = False
) -> Plan:
    """Lay out the renditions of ``source``: itself, and those of ``short_sides`` that are smaller.

    ``count`` is how many a broadcast that goes on has already: a rendition never
    comes or goes, so the smallest is repeated or left out.
    """
    is_copied = source.can_be_copied and not must_encode
    best = _output(0, source, source.short_side, is_copied=is_copied)
    below = [side for side in sorted(set(short_sides), reverse=True) if side < best.short_side]
    if count is not None:
        below = (below + [below[-1] if below else best.short_side] * count)[: count - 1]
    lower = [_output(position, source, side, is_copied=False) for position, side in enumerate(below, 1)]
    return Plan((best, *lower), source.has_audio, None if is_copied else FORCED_GOP_S)


def _output(position: int, source: Source, short_side: int, *, is_copied: bool) -> Output:
    width_px, height_px = source.width_px, source.height_px
    bitrate_bps = source.video_bitrate_bps
    if not is_copied:
        short_side = min(short_side, MAX_ENCODED_SHORT_SIDE_PX)
        scale = min(Fraction(short_side, source.short_side), Fraction(1))
        width_px, height_px = _even(width_px * scale), _even(height_px * scale)
        bitrate_bps = rung_bitrate_bps(short_side, source.frame_rate)
    return Output(f"r{position}", width_px, height_px, bitrate_bps, is_copied)


def _even(side_px: Fraction) -> int:
    """A side that 4:2:0 can halve."""
    return max(_MIN_SIDE_PX, round(side_px / 2) * 2)


def rung_bitrate_bps(short_side: int, frame_rate: float) -> int:
    """The ladder's bitrate, by area between its rungs; half as much again at 60 pictures a second."""
    above = next((rung for rung in reversed(LADDER) if rung.short_side >= short_side), LADDER[0])
    share: float = min(1.0, (short_side / above.short_side) ** 1.5)
    faster = 1 + max(0.0, min(frame_rate, 60) - 30) / 60
    return round(above.bitrate_bps * share * faster)


def usual_rate(measured: float, announced: float = 0) -> float:
    """The frame rate that is meant by one measured from times in whole milliseconds.

    What the encoder announced counts where it agrees with the pictures.
    """
    candidates = [rate for rate in (announced, *_USUAL_RATES) if rate]
    nearest = min(candidates, key=lambda rate: abs(rate / measured - 1))
    return nearest if abs(nearest / measured - 1) < _NEAR else measured


def part_target_s(frame_rate: float) -> float:
    """How long a part may be: as many pictures as fit in a fifth of a second, and what rounding adds.

    Up to the next millisecond, as playlists write it.
    """
    pictures = max(1, int(frame_rate / _PARTS_PER_S + 1e-6))
    return math.ceil((pictures / frame_rate + _PART_SLACK_S) * 1000 - 1e-6) / 1000


def target_duration_s(plan: Plan, source: Source) -> int:
    """``EXT-X-TARGETDURATION`` of a broadcast: what its segments last, in whole seconds, halves up."""
    gop_s = plan.forced_gop_s or source.keyframe_interval_s or LONGEST_COPIED_GOP_S
    # A segment ends at the first keyframe at which it is long enough.
    gops = max(1, math.ceil(MIN_SEGMENT_S / gop_s))
    return max(1, int(gops * gop_s + 0.5))
