"""How much of anything one upload may have before we refuse it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a source, and of the work it takes to look at it."""

    size_bytes: int = 64 * 1024**3
    duration_s: float = 12 * 3600
    # 8K is 7680×4320, DCI 8K 8192×4320, either way up.
    pixels: int = 8192 * 4608
    side_px: int = 16_384
    # Slow-motion cameras go to 960 pictures a second, nothing real goes beyond.
    frame_rate: int = 1000
    media_tracks: int = 32
    # Subtitles, fonts and telemetry are cheap to skip; films bring dozens.
    all_tracks: int = 256
    # Read from end to end up to this size, because headers lie; above it sampled.
    scan_bytes: int = 256 * 1024**2
    sample_s: float = 60
    header_timeout_s: float = 60
    scan_timeout_s: float = 300
    decode_timeout_s: float = 60


DEFAULT_LIMITS = Limits()
