"""The scan of a source by its container, for those that have no table of all frames."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from videos.transcoding.byteranges import RangeReader

from .eligibility import NotCopied, check_rate
from .flv import scan_flv
from .fragments import scan_fragments
from .matroska import scan_matroska
from .scanned import ScannedTrack, tables_of
from .scanning import Scan, scan_of
from .tables import TrackTables

SCANNED_CONTAINERS = frozenset({"mov", "matroska", "flv"})


@dataclass(frozen=True, slots=True)
class ScannedSource:
    """The tables of a file's video and audio tracks, in the file's order.

    ``has_index`` says that FFmpeg finds a keyframe without reading the file up to it.
    """

    video: list[TrackTables]
    audio: list[TrackTables]
    has_index: bool


def chosen_of(
    tables: Iterable[TrackTables], video: int, audio: Sequence[int]
) -> tuple[TrackTables, list[TrackTables]]:
    """Return the tables of tracks by their numbers.  Raises NotCopied if one is missing."""
    by_number = {track.number: track for track in tables}
    try:
        return by_number[video], [by_number[number] for number in audio]
    except KeyError as error:
        raise NotCopied("tables", f"no track {error}") from error


def scan_source(
    container: str,
    read: RangeReader,
    *,
    size_bytes: int,
    moov: memoryview | None = None,
    numbers: Sequence[int] = (),
) -> ScannedSource:
    """Return the tables of a file's tracks.

    Of a fragmented MP4, whose header ``moov`` is known, only those of the tracks
    ``numbers``.  Raises NotCopied.
    """
    try:
        with scan_of(read, size_bytes) as scan:
            found, has_index = _found(container, scan, moov, numbers)
            return _source_of(found, has_index, scan)
    except (struct.error, IndexError, ArithmeticError, ValueError) as error:
        # Values in a damaged or hostile file that its reader did not expect: an encode may still read it.
        raise NotCopied("tables", f"{type(error).__name__}: {error}") from error


def _found(
    container: str, scan: Scan, moov: memoryview | None, numbers: Sequence[int]
) -> tuple[list[ScannedTrack], bool]:
    """Return the tracks of a file, and whether it has an index."""
    if container == "matroska":
        file = scan_matroska(scan)
        return file.tracks, file.has_cues
    if container == "flv":
        return scan_flv(scan), False
    if container == "mov" and moov is not None:
        return scan_fragments(scan, moov, numbers), False
    raise NotCopied("container", container)


def _source_of(found: Sequence[ScannedTrack], has_index: bool, scan: Scan) -> ScannedSource:
    if any(sum(track.sizes) > scan.size_bytes for track in found):
        # Samples that share bytes would let a small file become a large one.
        raise NotCopied("tables", "samples that are larger than the file")
    for track in found:
        if track.kind == "vide" and track.sizes:
            # Tables take time and memory, which a track that is refused anyway does not need.
            check_rate(len(track.sizes) - 1, (max(track.shown) - min(track.shown)) / track.timescale)
    # FFmpeg's timeline begins with the first sample of all tracks.
    zero_s = min((track.starts_s for track in found), default=0.0)
    of_kind: dict[str, list[TrackTables]] = {"vide": [], "soun": []}
    for track in found:
        if track.sizes and track.kind in of_kind:
            of_kind[track.kind].append(tables_of(track, zero_s, scan.check_time))
    return ScannedSource(of_kind["vide"], of_kind["soun"], has_index)
