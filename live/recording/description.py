"""Description of a rendition by one recorded segment: its size, codecs and rates.

After a reconnect, a publisher may send another size, profile or frame rate.  The
description that the recording lists must hold for every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from common.media.boxes import BrokenBoxes
from common.media.fragments import FragmentReader, Movie, Sample, Track
from live.frame_rates import usual_rate
from videos.publishing import PEAK_FACTOR, RECORDING_TARGET_DURATION_S
from videos.services.recordings import RecordedRendition

# A segment below half the target duration is no measure of the bitrate (RFC 8216, 4.1).
MEASURED_FROM_S = RECORDING_TARGET_DURATION_S / 2
_LEAST_FRAMES = 10


def described(rendition: RecordedRendition, init: bytes, data: bytes) -> RecordedRendition:
    """Return ``rendition`` as its init segment and media describe it; unchanged if they cannot be read."""
    reader = FragmentReader()
    try:
        found = [*reader.feed(init), *reader.feed(data)]
    except BrokenBoxes:
        return rendition
    tracks = [track for movie in found if isinstance(movie, Movie) for track in movie.tracks]
    video = next((track for track in tracks if track.kind == "vide"), None)
    if video is None:
        return rendition
    samples = [sample for sample in found if isinstance(sample, Sample) and sample.track == video.number]
    return replace(
        rendition,
        width_px=video.width_px,
        height_px=video.height_px,
        codecs=",".join(track.codecs for track in tracks),
        frame_rate=_frame_rate(video, samples) or rendition.frame_rate,
    )


def _frame_rate(video: Track, samples: Sequence[Sample]) -> float:
    """Return the frames per second, rounded as playlists write it; 0 for too few samples."""
    if len(samples) < _LEAST_FRAMES:
        return 0.0
    span_s = (samples[-1].decode_time - samples[0].decode_time) / video.timescale
    return round(usual_rate((len(samples) - 1) / span_s), 3) if span_s > 0 else 0.0


def measured_bps(size_bytes: int, duration_s: float) -> int:
    """Return the bitrate from which playlists derive ``BANDWIDTH``, which is the segment's real one."""
    return ceil(size_bytes * 8 / duration_s / PEAK_FACTOR)
