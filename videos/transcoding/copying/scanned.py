"""Tracks that a scan found, and the tables that are made of them.

Matroska and FLV round times to milliseconds.  A rounded time would make frames last 33,
33 and 34 ms, so frames that lie on a grid of equal steps get the grid's exact times, and
blocks of AAC the times that their samples take.  FFmpeg goes on seeing the file's own ones.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from statistics import median

from common.media.aac import AacConfig, read_config
from common.media.bits import BrokenConfiguration
from common.media.boxes import write_box
from videos.transcoding.framerate import constant_rates

from .eligibility import NotCopied
from .tables import AUDIO_FIELDS, MAX_SAMPLES, VISUAL_FIELDS, Edit, FileTimes, TrackTables

# Rounding to ticks moves a time by half a tick at most; the sums here are rounded as well.
_GRID_TICKS = 1.05
# Recorders stamp AAC by a clock of their own; this much is not heard, and one block more is a gap.
_AUDIO_SPREAD_S = 0.01
_AAC_BLOCK = 1024
_FINEST = 10_000
# A rate that does not fit the first times need not be tried on all of them.
_TRIED_TIMES = 6000
_LARGEST_SIZE, _LARGEST_TIME = 2**32, 2**60
# Times may count from 1970. In the finest ticks that tables have, ones within this fit 64 bits.
_LARGEST_TIME_S = 4_000_000_000


@dataclass(slots=True)
class ScannedTrack:
    """A track as its container declares it, and the samples that a scan has found so far.

    ``shown`` are presentation times in ticks, ``decoded`` decoding times where the container
    has them, ``steps`` how long each sample lasts by its container (0 if unknown).
    ``has_rounded_times`` means that ticks are coarser than the media's own clock.
    """

    number: int
    kind: str
    timescale: int
    entry_kind: bytes = b""
    entry: bytes = b""
    size_px: tuple[float, float] = (0.0, 0.0)
    is_turned: bool = False
    edits: tuple[Edit, ...] = ()
    delay_s: float = 0.0
    claimed_rate: Fraction | None = None
    has_rounded_times: bool = True
    places: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    shown: array[int] = field(default_factory=lambda: array("q"))
    decoded: array[int] = field(default_factory=lambda: array("q"))
    last_step: int = 0
    keyframes: array[int] = field(default_factory=lambda: array("I"))

    def add(self, place: int, size: int, shown: int, *, is_key: bool) -> None:
        """Append a sample in decoding order.  Raises NotCopied if there are too many."""
        count, latest = len(self.sizes), min(_LARGEST_TIME, _LARGEST_TIME_S * self.timescale)
        if count >= MAX_SAMPLES or not 0 < size < _LARGEST_SIZE or not -latest < shown < latest:
            raise NotCopied("tables", f"{count} samples, the next of {size} bytes at {shown}")
        if is_key:
            self.keyframes.append(count)
        self.places.append(place)
        self.sizes.append(size)
        self.shown.append(shown)

    @property
    def starts_s(self) -> float:
        """Return the time of the first sample; infinity without one."""
        return min(self.shown) / self.timescale - self.delay_s if self.shown else float("inf")


def tables_of(track: ScannedTrack, zero_s: float, check_time: Callable[[], None]) -> TrackTables:
    """Return the tables of a track in a file whose timeline begins at ``zero_s``.

    ``check_time`` raises NotCopied once that takes too long.  Raises NotCopied.
    """
    if not track.sizes:
        raise NotCopied("tables", f"track {track.number} is empty")
    if not track.has_rounded_times:
        return _exact_tables(track)
    if track.kind == "soun":
        return _audio_tables(track, zero_s)
    return _video_tables(track, zero_s, check_time)


def _exact_tables(track: ScannedTrack) -> TrackTables:
    """Return the tables of a track whose container has exact times, and those of decoding as well."""
    ends = array("q", track.decoded[1:])
    ends.append(track.decoded[-1] + track.last_step)
    if any(after < before for before, after in pairwise(track.decoded)):
        raise NotCopied("times", "decoding times without order")
    return _tables(track, track.timescale, track.shown, ends)


def _video_tables(track: ScannedTrack, zero_s: float, check_time: Callable[[], None]) -> TrackTables:
    times = array("q", sorted(track.shown))
    step = _step(track, times)
    first, timescale, offset_s = times[0], track.timescale, 0.0
    if (grid := _grid(track, times, check_time)) is None:
        presented = array("q", (time - first for time in track.shown))
    else:
        rate, offset = grid
        offset_s, a_tick = offset / track.timescale, rate / track.timescale
        timescale, step = rate.numerator, rate.denominator
        while timescale < _FINEST:
            # FFmpeg writes the encodes beside the copy with these ticks, and rounds to them.
            timescale, step = 2 * timescale, 2 * step
        numerator, denominator = 2 * a_tick.numerator, a_tick.denominator
        presented = array(
            "q",
            (((time - first) * numerator + denominator) // (2 * denominator) * step for time in track.shown),
        )
    tables = _tables(track, timescale, presented, _ends(presented, step))
    clock = FileTimes(track.timescale, track.shown)
    return replace(
        tables, edits=_delayed(first / track.timescale + offset_s - track.delay_s - zero_s), clock=clock
    )


def _audio_tables(track: ScannedTrack, zero_s: float) -> TrackTables:
    """Return the tables of audio; AAC without gaps and jumps gets the times of its samples."""
    first, count = track.shown[0], len(track.shown)
    configuration = _aac(track)
    if configuration is not None and count > 1:
        rate = Fraction(configuration.sample_rate_hz, _AAC_BLOCK)
        ticks_a_block = float(track.timescale / rate)
        late = array("d", (time - first - place * ticks_a_block for place, time in enumerate(track.shown)))
        if max(late) - min(late) <= _AUDIO_SPREAD_S * track.timescale:
            begins_s = (first + (max(late) + min(late)) / 2) / track.timescale - track.delay_s - zero_s
            blocks = array("q", range(0, _AAC_BLOCK * count, _AAC_BLOCK))
            tables = _tables(track, configuration.sample_rate_hz, blocks, _ends(blocks, _AAC_BLOCK))
            return replace(tables, edits=_delayed(begins_s))
    times = array("q", (time - first for time in track.shown))
    tables = _tables(track, track.timescale, times, _ends(times, _step(track, times)))
    return replace(tables, edits=_delayed(first / track.timescale - track.delay_s - zero_s))


def _aac(track: ScannedTrack) -> AacConfig | None:
    """Return the configuration of an AAC track with blocks of 1024 samples; None for any other."""
    if track.entry_kind != b"mp4a":
        return None
    try:
        # The audio entry holds one box, whose last descriptor but one is the configuration.
        configuration = read_config(_specific_in(track.entry))
    except BrokenConfiguration:
        return None
    return configuration if configuration.frame_samples == _AAC_BLOCK else None


def _tables(track: ScannedTrack, timescale: int, presented: array[int], ends: array[int]) -> TrackTables:
    return TrackTables(
        number=track.number,
        kind=track.kind,
        timescale=timescale,
        entry_kind=track.entry_kind,
        entry=track.entry,
        size_px=track.size_px,
        is_turned=track.is_turned,
        edits=track.edits,
        sizes=track.sizes,
        places=track.places,
        presented=presented,
        decoded_until=ends,
        keyframes=track.keyframes,
    )


def _delayed(begins_s: float) -> tuple[Edit, ...]:
    """Return the edits of a track that begins at ``begins_s`` on the file's timeline."""
    return (Edit(begins_s, None, is_normal_speed=True), Edit(0.0, 0, is_normal_speed=True))


def _ends(times: Sequence[int], step: int) -> array[int]:
    """Return the end of each sample, as if samples were decoded in the order of their times."""
    ends = array("q", sorted(times))
    ends.append(ends[-1] + step)
    del ends[0]
    return ends


def _step(track: ScannedTrack, times: Sequence[int]) -> int:
    """Return how long the last sample lasts in ticks."""
    if track.claimed_rate:
        return max(1, round(track.timescale / track.claimed_rate))
    steps = [after - before for before, after in pairwise(sorted(times[:_TRIED_TIMES]))]
    return max(1, round(median(steps))) if steps else max(1, track.timescale // 25)


def _grid(
    track: ScannedTrack, times: Sequence[int], check_time: Callable[[], None]
) -> tuple[Fraction, float] | None:
    """Return the rate whose grid every frame lies on but for rounding, and the grid's start.

    That is in ticks behind the first frame.  None if there is no such rate.
    """
    claims = [track.claimed_rate] if track.claimed_rate else []
    tried = times[:_TRIED_TIMES]
    for rate in constant_rates([time / track.timescale for time in tried], claims):
        a_tick = rate / track.timescale
        if _grid_offset(tried, a_tick) is None:
            continue
        if (offset := _grid_offset(times, a_tick)) is not None:
            return rate, offset
        # A file may be made to fit each rate but for its last frame.
        check_time()
    return None


def _grid_offset(times: Sequence[int], rate: Fraction) -> float | None:
    """Return how many ticks a grid of ``rate`` places a tick begins behind the first of ``times``.

    None if they do not lie on it.
    """
    first, numerator, denominator = times[0], 2 * rate.numerator, rate.denominator
    # Counted from the middle between two places, so that a place itself is at ``denominator``.
    # Whole numbers only: twelve hours of a 30000/1001 grid must not drift.
    least = most = denominator
    for time in times:
        late = ((time - first) * numerator + denominator) % (2 * denominator)
        if late < least:
            least = late
        elif late > most:
            most = late
    if most - least > _GRID_TICKS * numerator:
        return None
    return ((least + most) / 2 - denominator) / numerator


def visual_entry(configuration: bytes, *more: bytes) -> bytes:
    """Return a sample entry of H.264 with its decoder configuration and ``more`` boxes."""
    return bytes(VISUAL_FIELDS) + write_box(b"avcC", configuration) + b"".join(more)


def colour_box(primaries: int, transfer: int, matrix: int, *, is_full: bool) -> bytes:
    """Return a ``colr`` box with the numbers of ITU-T H.273."""
    return write_box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, is_full << 7))


def aac_entry(specific: bytes) -> bytes:
    """Return a sample entry of AAC with its AudioSpecificConfig (ISO/IEC 14496-1, 7.2.6).

    Raises NotCopied if that is too long.
    """
    if not 2 <= len(specific) <= 64:
        raise NotCopied("codec", f"an audio configuration of {len(specific)} bytes")
    decoder = struct.pack(">BB11x", 0x40, 0x15) + _descriptor(0x05, specific)
    elementary = bytes(3) + _descriptor(0x04, decoder) + _descriptor(0x06, b"\x02")
    return bytes(AUDIO_FIELDS) + write_box(b"esds", bytes(4), _descriptor(0x03, elementary))


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _specific_in(entry: bytes) -> bytes:
    """Return the AudioSpecificConfig in an entry that ``aac_entry`` wrote."""
    at = AUDIO_FIELDS + 8 + 4 + 2 + 3 + 2 + 13
    return entry[at + 2 : at + 2 + entry[at + 1]] if len(entry) > at + 1 else b""
