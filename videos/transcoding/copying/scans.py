"""The scan of a source by its container, for those that have no table of all frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from videos.transcoding.byteranges import RangeReader

from .eligibility import NotCopied
from .flv import scan_flv
from .fragments import scan_fragments
from .matroska import scan_matroska
from .scanned import tables_of
from .scanning import scan_of
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
    with scan_of(read, size_bytes) as scan:
        has_index = False
        if container == "matroska":
            file = scan_matroska(scan)
            found, has_index = file.tracks, file.has_cues
        elif container == "flv":
            found = scan_flv(scan)
        elif container == "mov" and moov is not None:
            found = scan_fragments(scan, moov, numbers)
        else:
            raise NotCopied("container", container)
    if any(sum(track.sizes) > size_bytes for track in found):
        # Samples that share bytes would let a small file become a large one.
        raise NotCopied("tables", "samples that are larger than the file")
    # FFmpeg's timeline begins with the first sample of all tracks.
    zero_s = min((track.starts_s for track in found), default=0.0)
    of_kind: dict[str, list[TrackTables]] = {"vide": [], "soun": []}
    for track in found:
        if track.sizes and track.kind in of_kind:
            of_kind[track.kind].append(tables_of(track, zero_s))
    return ScannedSource(of_kind["vide"], of_kind["soun"], has_index)
