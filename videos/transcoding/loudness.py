"""Loudness of an encoded audio track: integrated and true peak (EBU R128, ITU-R BS.1770).

FFmpeg's ``ebur128`` reports the values so far; the last report holds those of the whole track.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .tools import ffmpeg_path

# The filter counts in steps of this length.
_STEP_S = 0.1
# Reports of one measurement: the output of FFmpeg while it reads must fit into a pipe.
REPORTS = 60
# Quieter than this is silence, which nobody wants levelled.
SILENT_LUFS = -60.0
_LOWEST_PEAK = 1e-5
_INTEGRATED = re.compile(rb"^lavfi\.r128\.I=(-?[\d.]+)", re.MULTILINE)
_PEAK = re.compile(rb"^lavfi\.r128\.true_peaks_ch\d+=([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBTP; 0 dBTP is full scale."""

    integrated_lufs: float
    true_peak_dbtp: float


def measure_args(duration_s: float) -> list[str]:
    """Return the FFmpeg command that measures fragmented MP4 from its standard input."""
    step = max(1, math.ceil(duration_s / _STEP_S / REPORTS))
    filters = [
        # Silence at the end, which counts for nothing, so that a report follows the last sound.
        f"apad=pad_dur={(step + 2) * _STEP_S:.1f}",
        "ebur128=peak=true:metadata=1:framelog=quiet",
        f"aselect='not(mod(n,{step}))'",
        "ametadata=mode=print:file=-",
    ]
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-threads", "1",
        "-codec_whitelist", "aac", "-f", "mov", "-format_whitelist", "mov",
        "-protocol_whitelist", "pipe", "-i", "pipe:0",
        "-map", "0:a:0", "-vn", "-af", ",".join(filters), "-f", "null", "-",
    ]  # fmt: skip


def read_reports(printed: bytes) -> Loudness | None:
    """Return the loudness in FFmpeg's last report; None for silence or without a report."""
    integrated = _INTEGRATED.findall(printed)
    peaks = [float(peak) for peak in _PEAK.findall(printed)]
    if not integrated or not peaks or float(integrated[-1]) <= SILENT_LUFS:
        return None
    true_peak_dbtp = 20 * math.log10(max(*peaks, _LOWEST_PEAK))
    return Loudness(round(float(integrated[-1]), 1), round(true_peak_dbtp, 1))


def joined(parts: Iterable[tuple[float, Loudness]]) -> Loudness | None:
    """Return the loudness of parts with these durations (s), by their mean energy; None without any."""
    measured = [(duration_s, part) for duration_s, part in parts if duration_s > 0]
    if not measured:
        return None
    energy = sum(duration_s * 10 ** (part.integrated_lufs / 10) for duration_s, part in measured)
    mean = energy / sum(duration_s for duration_s, _ in measured)
    peak_dbtp = max(part.true_peak_dbtp for _, part in measured)
    return Loudness(round(10 * math.log10(mean), 1), peak_dbtp)
