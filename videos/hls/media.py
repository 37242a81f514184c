"""A media playlist: one rendition's segments in order (RFC 8216, 4.3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .attributes import decimal, quoted, tag, uri_line

# EXT-X-MAP outside I-frame playlists needs 6; players of fMP4 expect 7 (RFC 8216, 7).
VERSION = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment and the init segment it is read with.

    ``is_discontinuous`` says that its timestamps do not follow the one before;
    ``taken_at`` is the wall clock of its first picture, where that is of interest.
    """

    uri: str
    duration_s: float
    map_uri: str
    is_discontinuous: bool = False
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments a player may fetch now.

    Until ``is_complete`` the playlist is an ``EVENT``, which may grow at its end,
    and asks players to begin at 0 instead of near that end; then it is a ``VOD``
    and never changes.  ``target_duration_s`` stays the same all along and bounds
    every segment, rounded to whole seconds.
    """

    segments: tuple[Segment, ...]
    target_duration_s: int
    is_complete: bool = True

    def render(self) -> str:
        """Return the playlist's text.  Raises ValueError for a segment longer than the target duration."""
        # Halves count up: 4.5 s is not within 4 s (4.3.3.1).
        too_long = [s for s in self.segments if int(s.duration_s + 0.5) > self.target_duration_s]
        if too_long:
            raise ValueError(f"{len(too_long)} segments are longer than {self.target_duration_s} s")
        lines = [*self._head(), *self._body(), *(["#EXT-X-ENDLIST"] if self.is_complete else [])]
        return "\n".join(lines) + "\n"

    def _head(self) -> list[str]:
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            f"#EXT-X-TARGETDURATION:{self.target_duration_s}",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if self.is_complete else 'EVENT'}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *([] if self.is_complete else [tag("EXT-X-START", [("TIME-OFFSET", "0")])]),
        ]

    def _body(self) -> Iterator[str]:
        """Yield each segment's lines, with a map wherever it differs from the one before."""
        map_uri = None
        for segment in self.segments:
            if segment.is_discontinuous:
                yield "#EXT-X-DISCONTINUITY"
            if segment.map_uri != map_uri:
                map_uri = segment.map_uri
                yield tag("EXT-X-MAP", [("URI", quoted(map_uri))])
            if segment.taken_at:
                taken_at = segment.taken_at.astimezone(UTC).isoformat(timespec="milliseconds")
                yield f"#EXT-X-PROGRAM-DATE-TIME:{taken_at.replace('+00:00', 'Z')}"
            yield f"#EXTINF:{decimal(segment.duration_s)},"
            yield uri_line(segment.uri)
