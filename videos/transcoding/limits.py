"""Limits above which an upload is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Bounds of a source and of the work to probe it."""

    size_bytes: int = 64 * 1024**3
    duration_s: float = 12 * 3600
    # 8K is 7680×4320, DCI 8K 8192×4320, either way up.
    pixels: int = 8192 * 4608
    side_px: int = 16_384
    # Slow-motion cameras reach 960 frames per second; no real source exceeds 1000.
    frame_rate: int = 1000
    media_tracks: int = 32
    # Subtitles, fonts and telemetry are cheap to skip; films bring dozens.
    all_tracks: int = 256
    # Files up to this size are read whole, because headers may be wrong; larger ones are sampled.
    scan_bytes: int = 256 * 1024**2
    sample_s: float = 60
    header_timeout_s: float = 60
    scan_timeout_s: float = 300
    decode_timeout_s: float = 60


DEFAULT_LIMITS = SourceLimits()
