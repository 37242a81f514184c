"""A media playlist: one rendition's segments in order (RFC 8216, 4.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from .attributes import decimal, quoted, tag, uri_line

# fMP4 and EXT-X-MAP in playlists that are not only I-frames need 6, and 7 is
# what every player of fMP4 expects (RFC 8216, 7).
VERSION = 7


class PlaylistType(StrEnum):
    """``EVENT`` may still grow at its end, ``VOD`` never changes."""

    EVENT = "EVENT"
    VOD = "VOD"


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment; ``is_discontinuous`` when its timestamps do not follow the one before."""

    uri: str
    duration_s: float
    is_discontinuous: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments a player may fetch now.

    ``target_duration_s`` stays the same for the life of a playlist and bounds
    every segment, rounded to whole seconds.  ``start_offset_s`` is where players
    begin: 0 keeps them from the live edge of a playlist that is still growing.
    """

    segments: tuple[Segment, ...]
    map_uri: str
    target_duration_s: int
    playlist_type: PlaylistType | None = PlaylistType.VOD
    is_ended: bool = True
    media_sequence: int = 0
    start_offset_s: float | None = None

    def render(self) -> str:
        """Return the playlist's text.  Raises ValueError for a segment longer than the target duration."""
        too_long = [s.uri for s in self.segments if round(s.duration_s) > self.target_duration_s]
        if too_long:
            raise ValueError(f"{len(too_long)} segments are longer than {self.target_duration_s} s")
        lines = [*self._head(), *(line for segment in self.segments for line in _segment(segment))]
        if self.is_ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def _head(self) -> list[str]:
        start = self.start_offset_s
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            f"#EXT-X-TARGETDURATION:{self.target_duration_s}",
            *([f"#EXT-X-MEDIA-SEQUENCE:{self.media_sequence}"] if self.media_sequence else []),
            *([f"#EXT-X-PLAYLIST-TYPE:{self.playlist_type}"] if self.playlist_type else []),
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *([tag("EXT-X-START", [("TIME-OFFSET", decimal(start))])] if start is not None else []),
            tag("EXT-X-MAP", [("URI", quoted(self.map_uri))]),
        ]


def target_duration_s(segment_s: float, longest_picture_s: float = 0.0) -> int:
    """Return a target duration that holds for segments of ``segment_s`` cut at the next picture."""
    return max(1, ceil(round(segment_s + longest_picture_s, 6)))


def _segment(segment: Segment) -> list[str]:
    return [
        *(["#EXT-X-DISCONTINUITY"] if segment.is_discontinuous else []),
        f"#EXTINF:{decimal(segment.duration_s)},",
        uri_line(segment.uri),
    ]
