"""The rungs of a source, chosen by its size and frame rate alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .source import SourceInfo, VideoStream

# Chromium and phones decode this size; H.264 level 5.1 asks for no more.
_LONGEST_SIDE_PX = 4096
_SMALLEST_SIDE_PX = 64
# A source this near below a rung is encoded at its own size instead of falling to the next.
_NEARLY = Fraction(9, 10)
_WIDE = Fraction(16, 9)
_LOWEST_BITRATE_BPS = 100_000


@dataclass(frozen=True, slots=True)
class Rung:
    """A frame size by its short side in pixels, and the highest average bitrate."""

    short_side: int
    bitrate_bps: int


LADDER = (
    Rung(2160, 12_000_000),
    Rung(1440, 7_000_000),
    Rung(1080, 4_500_000),
    Rung(720, 2_500_000),
    Rung(480, 1_200_000),
    Rung(360, 730_000),
)
"""Best first, for up to 30 pictures a second."""


def plan_ladder(source: SourceInfo, *, max_short_side: int = 1080) -> tuple[Rung, ...]:
    """Return the rungs to encode for ``source``, best first, never upscaling.

    The short side decides, so a 1080×1920 portrait clip is a 1080 source.  A source a
    little below a rung keeps its own size at the top.  A source below all rungs gets one
    rung of its own size, a source without a video track none.
    """
    if source.video is None:
        return ()
    own = source.video.short_side
    allowed = [rung for rung in LADDER if rung.short_side <= max_short_side] or [LADDER[-1]]
    fitting = [rung for rung in allowed if rung.short_side <= own]
    missed = [rung for rung in allowed if rung.short_side > own]
    if missed and (not fitting or own >= missed[-1].short_side * _NEARLY):
        fitting.insert(0, _own_rung(source.video, missed[-1]))
    return tuple(_for_rate(rung, source.video.frame_rate) for rung in fitting)


@dataclass(frozen=True, slots=True)
class CopyLadder:
    """The rungs to encode beside a copied video track; ``is_interim`` if the best one replaces the copy."""

    rungs: tuple[Rung, ...]
    is_interim: bool


def plan_beside_copy(source: SourceInfo, *, factor: float, max_short_side: int = 1080) -> CopyLadder:
    """Return the rungs to encode beside the copy of ``source``.

    A copy whose average bitrate is more than ``factor`` times that of a rung of its size,
    or that is larger than ``max_short_side``, serves only until the encode is complete.
    Otherwise only rungs are encoded that are smaller and cheaper: a dearer one would rank
    above the copy, and players would choose the worse rendition.
    """
    if source.video is None or source.copied is None:
        raise ValueError("nothing is copied")
    ladder = plan_ladder(source, max_short_side=max_short_side)
    own, average_bps = source.video.short_side, source.copied.average_bps
    above = next((rung for rung in reversed(LADDER) if rung.short_side >= own), LADDER[0])
    allowed = _for_rate(_own_rung(source.video, above), source.video.frame_rate)
    if own > max_short_side or average_bps > factor * allowed.bitrate_bps:
        return CopyLadder(ladder, is_interim=True)
    below = tuple(rung for rung in ladder if rung.short_side < own and rung.bitrate_bps < average_bps)
    return CopyLadder(below, is_interim=False)


def rung_size(source: SourceInfo, rung: Rung) -> tuple[int, int]:
    """Return a rung's width and height in pixels: even, upright, in the source's proportions.

    Sizes too small or too long for a player's decoder are brought into its range; only
    then is a frame enlarged or distorted.  Raises ValueError for a source without a
    video track.
    """
    if source.video is None:
        raise ValueError("no picture, no size")
    width_px, height_px = source.video.width_px, source.video.height_px
    short, long = min(width_px, height_px), max(width_px, height_px)
    target = max(min(rung.short_side, short), _SMALLEST_SIDE_PX)
    scale = min(Fraction(target, short), Fraction(_LONGEST_SIDE_PX, long))
    return _even(width_px, scale), _even(height_px, scale)


def _even(side_px: int, scale: Fraction) -> int:
    """Return the nearest even side, because 4:2:0 halves it; rounding never exceeds the source."""
    nearest = round(side_px * scale / 2) * 2
    if scale <= 1 and nearest > side_px:
        nearest -= 2
    return max(_SMALLEST_SIDE_PX, nearest)


def _own_rung(video: VideoStream, above: Rung) -> Rung:
    """Return a rung of the source's own size; small frames need more bits per pixel than large ones."""
    normal_area = above.short_side**2 * _WIDE
    share = min(1.0, float(video.width_px * video.height_px / normal_area)) ** 0.75
    return Rung(video.short_side, max(_LOWEST_BITRATE_BPS, round(above.bitrate_bps * share, -3)))


def _for_rate(rung: Rung, frame_rate: Fraction) -> Rung:
    """Raise the bitrate above 30 frames per second: 1.5 times at 60, because neighbours are alike."""
    if frame_rate <= 30:
        return rung
    return Rung(rung.short_side, int(rung.bitrate_bps * (1 + (frame_rate - 30) / 60)))
