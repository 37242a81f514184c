"""Init segments and media segments of a copied source, written from its own samples (ISO/IEC 14496-12).

Their times begin at 0 and follow the frames: within a segment, the decoding times are
the presentation times in order.  So every segment begins exactly at its keyframe and
ends exactly at the next one, as in the encodes beside it, whatever times the source has
for decoding; composition offsets may be negative, and there is no edit list.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from common.media.boxes import BrokenBoxes, write_box
from common.media.fragments import NOT_SYNC, FragmentReader, Movie, Sample, write_fragment
from videos.transcoding.byteranges import RangeReader
from videos.transcoding.chunks import SourceCuts
from videos.transcoding.errors import StorageFailed

from .eligibility import CopiableAudio, CopiableVideo, NotCopied, check_keyframe
from .tables import FileTimes, TrackTables

MAX_SEGMENT_BYTES = 256 * 1024**2
"""Eight seconds of 2160p at 60 frames per second, as cameras record it, are a third of this."""

# Reading so many unneeded bytes takes less time than another request.
_CLOSE_BYTES = 256 * 1024
_SYNC_SAMPLE, _OTHER_SAMPLE = 0x0200_0000, 0x0100_0000 | NOT_SYNC
_TRACK = 1
_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# BT.709 in limited range, which copied frames have even if they do not say so.
_COLOURS = b"nclx" + struct.pack(">HHHB", 1, 1, 1, 0)
_ENGLISH_OR_NOT = 0x55C4  # "und"


@dataclass(frozen=True, slots=True)
class SampleSpan:
    """The samples ``first`` up to, not including, ``after`` of one track."""

    first: int
    after: int


@dataclass(frozen=True)
class CopiedTracks:
    """The tracks of a source that are copied, and the keyframes' samples at which segments begin.

    ``audio`` has one entry for each audio track of the source, None for one that is encoded.
    """

    video: CopiableVideo
    audio: tuple[CopiableAudio | None, ...]
    cuts: tuple[int, ...]

    @cached_property
    def bounds_s(self) -> list[float]:
        """Return the start of each segment, and the end of the last, in seconds from the first frame."""
        tables = self.video.tables
        ticks = [*(tables.presented[cut] for cut in self.cuts), self.video.end]
        return [round((tick - ticks[0]) / tables.timescale, 6) for tick in ticks]

    def frames(self, number: int) -> SampleSpan:
        """Return the frames of segment ``number``."""
        after = self.cuts[number + 1] if number + 1 < len(self.cuts) else len(self.video.tables.sizes)
        return SampleSpan(self.cuts[number], after)

    def source_cuts(self, first: int, after: int) -> SourceCuts:
        """Return the cuts from segment ``first`` to before ``after``, for an encode beside the copy."""
        tables = self.video.tables
        # FFmpeg sees the file's own times.
        clock = tables.clock or FileTimes(tables.timescale, tables.presented)
        is_last = after >= len(self.cuts)
        end = max(self.video.end if tables.clock is None else 0, max(clock.times) + 1) if is_last else None
        return SourceCuts(
            timescale=clock.timescale,
            zero=clock.times[0],
            starts=tuple(clock.times[cut] for cut in self.cuts[first:after]),
            end=clock.times[self.cuts[after]] if end is None else end,
            written_timescale=tables.timescale,
        )

    def blocks(self, track: CopiableAudio, start_s: float, end_s: float) -> SampleSpan:
        """Return the blocks of audio from ``start_s`` to ``end_s``: each belongs where most of it lies."""
        first, after = (
            min(max(0, self._block(track, at_s)), len(track.tables.sizes)) for at_s in (start_s, end_s)
        )
        return SampleSpan(first, after)

    def _block(self, track: CopiableAudio, at_s: float) -> int:
        """Return the first block of a segment that begins at ``at_s`` from the first frame."""
        ticks = (at_s + self.video.starts_s - track.starts_s) * track.tables.timescale
        block_ticks = track.configuration.frame_samples
        # The first segment also holds the block that the beginning falls into.
        return round(ticks / block_ticks) if at_s else int(ticks // block_ticks)


def sizes(tracks: CopiedTracks) -> list[int]:
    """Return the bytes of each segment's frames.  Raises NotCopied if one is too large."""
    table = tracks.video.tables.sizes
    spans = map(tracks.frames, range(len(tracks.cuts)))
    found = [sum(table[span.first : span.after]) for span in spans]
    if max(found) > MAX_SEGMENT_BYTES:
        raise NotCopied("large", f"{max(found)} bytes in a segment")
    return found


def video_init(video: CopiableVideo) -> bytes:
    """Return the init segment of a copied video track."""
    picture = video.picture
    entry = write_box(
        b"avc1",
        struct.pack(">6xH16x", 1),
        struct.pack(">HHIIIH", picture.width_px, picture.height_px, 0x480000, 0x480000, 0, 1),
        bytes(32),
        struct.pack(">Hh", 24, -1),
        write_box(b"avcC", video.tables.entry_box(b"avcC") or b""),
        write_box(b"colr", _COLOURS),
        write_box(b"pasp", struct.pack(">II", 1, 1)),
    )
    header = write_box(b"vmhd", struct.pack(">I8x", 1))
    return _init(video.tables, b"vide", entry, header, (picture.width_px, picture.height_px))


def audio_init(audio: CopiableAudio) -> bytes:
    """Return the init segment of a copied audio track."""
    entry = write_box(
        b"mp4a",
        struct.pack(">6xH8x", 1),
        struct.pack(">HHIHH", audio.configuration.channels, 16, 0, audio.configuration.sample_rate_hz, 0),
        write_box(b"esds", audio.tables.entry_box(b"esds") or b""),
    )
    return _init(audio.tables, b"soun", entry, write_box(b"smhd", bytes(8)), (0, 0))


def _init(
    tables: TrackTables, kind: bytes, entry: bytes, media_header: bytes, size_px: tuple[int, int]
) -> bytes:
    is_sound = kind == b"soun"
    empty = (write_box(name, bytes(8)) for name in (b"stts", b"stsc", b"stco"))
    reference = write_box(b"dref", struct.pack(">II", 0, 1), write_box(b"url ", struct.pack(">I", 1)))
    media = write_box(
        b"mdia",
        write_box(b"mdhd", struct.pack(">5IHH", 0, 0, 0, tables.timescale, 0, _ENGLISH_OR_NOT, 0)),
        write_box(b"hdlr", struct.pack(">II4s12x", 0, 0, kind), b"\0"),
        write_box(
            b"minf",
            media_header,
            write_box(b"dinf", reference),
            write_box(
                b"stbl",
                write_box(b"stsd", struct.pack(">II", 0, 1), entry),
                *empty,
                write_box(b"stsz", bytes(12)),
            ),
        ),
    )
    volume = 0x100 if is_sound else 0
    track_header = write_box(
        b"tkhd",
        struct.pack(">6I8xHHHH", 3, 0, 0, _TRACK, 0, 0, 0, int(is_sound), volume, 0),
        _MATRIX,
        struct.pack(">II", size_px[0] << 16, size_px[1] << 16),
    )
    movie_header = struct.pack(">5IIH10x", 0, 0, 0, 1000, 0, 0x10000, 0x100) + _MATRIX + bytes(24)
    return write_box(b"ftyp", b"iso5", bytes(4), b"iso5iso6mp41") + write_box(
        b"moov",
        write_box(b"mvhd", movie_header, struct.pack(">I", _TRACK + 1)),
        write_box(b"trak", track_header, media),
        write_box(b"mvex", write_box(b"trex", struct.pack(">6I", 0, _TRACK, 1, 0, 0, 0))),
    )


def video_segment(tracks: CopiedTracks, number: int, samples: Sequence[bytes]) -> bytes:
    """Return segment ``number`` with its frames ``samples``.

    Raises NotCopied if it does not begin with an IDR picture.
    """
    check_keyframe(samples[0], tracks.video.configuration)
    first = tracks.frames(number).first
    flags = (
        _SYNC_SAMPLE if _holds(tracks.video.gops, index) else _OTHER_SAMPLE
        for index in range(first, first + len(samples))
    )
    run = [
        Sample(_TRACK, begins, lasts, flag, offset, data)
        for (begins, lasts, offset), flag, data in zip(_times(tracks, number), flags, samples, strict=True)
    ]
    return write_fragment(number + 1, [run])


def retimed(tracks: CopiedTracks, number: int, init: bytes, segment: bytes) -> bytes:
    """Return an encoded segment of the same frames with exactly the times of the copied one.

    FFmpeg takes the duration of the last frame before a cut from the source's decoding
    times, which differ where the rate varies.  Raises BrokenBoxes if frames are missing or
    doubled, or if it does not begin with its only keyframe.
    """
    found = list(FragmentReader().feed(init + segment))
    samples = [piece for piece in found if isinstance(piece, Sample)]
    span = tracks.frames(number)
    if len(samples) != span.after - span.first or [s for s in samples if s.is_sync] != samples[:1]:
        raise BrokenBoxes(f"segment {number} holds {len(samples)} frames of {span.after - span.first}")
    timescales = {track.timescale for piece in found if isinstance(piece, Movie) for track in piece.tracks}
    if timescales != {tracks.video.tables.timescale}:
        raise BrokenBoxes(f"timescales {timescales}")
    shown = sorted(sample.decode_time + sample.composition_offset for sample in samples)
    times = {time: place for place, time in enumerate(shown)}
    if len(times) != len(samples):
        raise BrokenBoxes(f"segment {number} shows two frames at once")
    ranks = [times[sample.decode_time + sample.composition_offset] for sample in samples]
    bounds = _bounds(tracks, number)
    run = [
        replace(
            sample,
            decode_time=bounds[index],
            duration=bounds[index + 1] - bounds[index],
            composition_offset=bounds[rank] - bounds[index],
        )
        for index, (sample, rank) in enumerate(zip(samples, ranks, strict=True))
    ]
    return write_fragment(number + 1, [run])


def _times(tracks: CopiedTracks, number: int) -> Iterator[tuple[int, int, int]]:
    """Yield decoding time, duration and composition offset of each frame of a segment."""
    tables, span, bounds = tracks.video.tables, tracks.frames(number), _bounds(tracks, number)
    zero = tables.presented[0]
    presented = tables.presented[span.first : span.after]
    for shown_at, (begins, ends) in zip(presented, pairwise(bounds), strict=True):
        yield begins, ends - begins, shown_at - zero - begins


def _bounds(tracks: CopiedTracks, number: int) -> list[int]:
    """Return the times of a segment's frames in order, from the first frame of all, and the segment's end."""
    tables, span = tracks.video.tables, tracks.frames(number)
    is_last = span.after == len(tables.sizes)
    end = tracks.video.end if is_last else tables.presented[span.after]
    return [time - tables.presented[0] for time in (*sorted(tables.presented[span.first : span.after]), end)]


def audio_segment(
    tracks: CopiedTracks, track: CopiableAudio, number: int, span: SampleSpan, samples: Sequence[bytes]
) -> tuple[bytes, float]:
    """Return segment ``number`` of an audio track with the blocks of ``span``, and its seconds."""
    block, timescale = track.configuration.frame_samples, track.tables.timescale
    zero = round((tracks.video.starts_s - track.starts_s) * timescale)
    video_ends = round(tracks.bounds_s[-1] * timescale)
    run = []
    for index, data in zip(range(span.first, span.after), samples, strict=True):
        # The block around the beginning is cut to what lies behind it; all others keep their times.
        begins, ends = max(0, index * block - zero), (index + 1) * block - zero
        # The last one lasts as long as the video, so that all renditions end together.
        is_last = index == len(track.tables.sizes) - 1
        run.append(
            Sample(_TRACK, begins, max(ends, video_ends if is_last else 0) - begins, _SYNC_SAMPLE, 0, data)
        )
    if not run:
        raise NotCopied("times", f"no audio in segment {number}")
    duration_s = (run[-1].end - run[0].decode_time) / timescale
    return write_fragment(number + 1, [run]), duration_s


def _holds(numbers: Sequence[int], number: int) -> bool:
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number


def held_bytes(tables: TrackTables, span: SampleSpan) -> int:
    """Return the bytes that a fetch of ``span`` holds: its samples, or its longest read if that is larger."""
    reads = map(_length, _close_together(sorted(_wanted([(tables, span)]))))
    return max(sum(tables.sizes[span.first : span.after]), max(reads, default=0))


def fetch(spans: Iterable[tuple[TrackTables, SampleSpan]], read: RangeReader) -> list[list[bytes]]:
    """Return the samples of each span, with as few reads of the file as their places allow.

    Raises StorageFailed if the file is shorter than its size was.
    """
    wanted = _wanted(spans)
    found: dict[tuple[int, int], bytes] = {}
    for group in _close_together(sorted(wanted)):
        start = group[0][0]
        length = _length(group)
        data = memoryview(read(start, length))
        if len(data) < length:
            raise StorageFailed("the source is shorter than its size")
        for at, size, place, index in group:
            found[place, index] = bytes(data[at - start : at - start + size])
    lists: dict[int, list[bytes]] = {}
    for place, index in sorted(found):
        lists.setdefault(place, []).append(found[place, index])
    count = 1 + max((place for _, _, place, _ in wanted), default=-1)
    return [lists.get(place, []) for place in range(count)]


def _wanted(spans: Iterable[tuple[TrackTables, SampleSpan]]) -> list[tuple[int, int, int, int]]:
    """Return each sample's place in the file, its size, the number of its span, and its place in the span."""
    return [
        (tables.places[index], tables.sizes[index], place, index - span.first)
        for place, (tables, span) in enumerate(spans)
        for index in range(span.first, span.after)
    ]


def _length(group: Sequence[tuple[int, int, int, int]]) -> int:
    """Return the bytes of the read that covers a sorted group of samples."""
    return max(at + size for at, size, _, _ in group) - group[0][0]


def _close_together(wanted: Sequence[tuple[int, int, int, int]]) -> Iterable[list[tuple[int, int, int, int]]]:
    """Yield groups of samples that one read covers."""
    group: list[tuple[int, int, int, int]] = []
    end = 0
    for sample in wanted:
        at, size = sample[:2]
        if group and (at - end > _CLOSE_BYTES or at + size - group[0][0] > MAX_SEGMENT_BYTES):
            yield group
            group = []
        group.append(sample)
        end = max(end, at + size) if len(group) > 1 else at + size
    if group:
        yield group
