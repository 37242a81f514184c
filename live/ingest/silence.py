"""Silence for gaps in the audio track: silent AAC frames, so that viewers' players go on.

A player waits for audio that its playlist promises and does not deliver.  So every
broadcast has an audio track from its first frame to its last: in the publisher's
own configuration, or in :data:`NO_SOUND` if it sends none.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.media.aac import AacConfig
from live.ingest.frames import Frame
from live.rtmp import flv

# 48 kHz, two channels, AAC-LC.
NO_SOUND = Frame("audio", 0, b"\xaf\x00\x11\x90", 0.0, is_header=True)
# A longer gap between two audio frames is filled; a shorter one is rounding.
GAP_MS = 100
# Video frames that are so far ahead of the audio no longer wait for it.
PATIENCE_MS = 500
MAX_PATIENCE_MS = 5000

# The syntactic elements of each channel configuration (ISO/IEC 14496-3, table 1.19).
_SCE, _CPE, _LFE, _END = 0, 1, 3, 7
_ELEMENTS = {
    1: (_SCE,),
    2: (_CPE,),
    3: (_SCE, _CPE),
    4: (_SCE, _CPE, _SCE),
    5: (_SCE, _CPE, _CPE),
    6: (_SCE, _CPE, _CPE, _LFE),
    8: (_SCE, _CPE, _CPE, _CPE, _LFE),
}


def silent_frame(config: AacConfig) -> bytes | None:
    """Return a ``raw_data_block`` that decodes to silence; None for a layout that AAC headers do not name."""
    elements = _ELEMENTS.get(config.channels)
    if elements is None:
        return None
    bits, seen = "", dict.fromkeys(elements, 0)
    # One long window without a single scale factor band, and a gain of 0.
    window, gain, no_tools = "0" * 11, "0" * 8, "000"
    for element in elements:
        bits += f"{element:03b}{seen[element]:04b}"
        seen[element] += 1
        if element == _CPE:  # a common window, no mid and side, two channels
            bits += "1" + window + "00" + 2 * (gain + no_tools)
        else:
            bits += gain + window + no_tools
    bits += f"{_END:03b}"
    size = (len(bits) + 7) // 8
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size)


class SilenceFiller:
    """Filter for the frames of one epoch that fills gaps in its audio from ``start_ms`` on.

    Video is the clock: if audio is late by more than the patience, silence takes its
    place, and audio that arrives for filled time is dropped.  Each such delay increases
    the patience.
    """

    def __init__(self, header: Frame, start_ms: int) -> None:
        config = flv.aac_config(header.payload)
        self._frame_ms = 1000 * config.frame_samples / config.sample_rate_hz
        silent = silent_frame(config)
        self._payload = None if silent is None else header.payload[:1] + b"\x01" + silent
        self._end_ms = float(start_ms)
        self._filled_ms = float(start_ms)
        self._patience_ms = float(PATIENCE_MS)
        self._is_silent = header is NO_SOUND

    def around(self, frame: Frame) -> Iterator[Frame]:
        """Yield the frames for FFmpeg: silence that is due, and ``frame`` unless it is too late."""
        if self._payload is None:
            yield frame
        elif frame.kind == "audio":
            yield from self._around_sound(frame)
        else:
            late_ms = frame.timestamp_ms - self._end_ms
            if late_ms > (0 if self._is_silent else self._patience_ms):
                self._is_silent = True
                yield from self._fill(frame)
            yield frame

    def _around_sound(self, frame: Frame) -> Iterator[Frame]:
        late_ms = self._filled_ms - frame.timestamp_ms
        if late_ms > self._frame_ms / 2:
            self._patience_ms = min(MAX_PATIENCE_MS, max(self._patience_ms, 1.5 * late_ms))
            # The audio is only late: wait until it has caught up.
            self._is_silent = False
            return
        if frame.timestamp_ms - self._end_ms > GAP_MS:
            yield from self._fill(frame)
        self._is_silent = False
        self._end_ms = max(self._end_ms, frame.timestamp_ms + self._frame_ms)
        yield frame

    def _fill(self, frame: Frame) -> Iterator[Frame]:
        while self._payload and self._end_ms + self._frame_ms <= frame.timestamp_ms:
            yield Frame("audio", round(self._end_ms), self._payload, frame.arrived_at)
            self._end_ms += self._frame_ms
            self._filled_ms = self._end_ms
