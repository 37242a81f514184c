"""A media playlist: one rendition's segments in order (RFC 8216, 4.3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .attributes import decimal, quoted, tag, uri_line

# EXT-X-MAP outside I-frame playlists needs 6; players of fMP4 expect 7 (RFC 8216, 7).
VERSION = 7
# EXT-X-SKIP needs 9, and a delta update must keep the last six target durations
# (draft-pantos-hls-rfc8216bis, 8 and 4.4.3.8).
DELTA_VERSION = 9
SKIP_TARGETS = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment and its init segment.

    ``is_discontinuous`` means that its timestamps do not continue those of the
    previous segment.  ``taken_at`` is the wall-clock time of its first frame, or None
    to leave it out of the playlist.  ``byte_range`` is the length and the offset of the
    bytes that a player fetches, or None for all.
    """

    uri: str
    duration_s: float
    map_uri: str
    is_discontinuous: bool = False
    taken_at: datetime | None = None
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The list of segments that a player may fetch now.

    Until ``is_complete``, the playlist is an ``EVENT``: it may grow at its end, and it
    asks players to start at 0 instead of near the end.  Then it is a ``VOD`` and never
    changes.  ``target_duration_s`` stays constant.  No segment's duration, rounded to
    whole seconds, exceeds it.  ``start_s`` is the exact time at which players should start,
    counted from the beginning of the playlist.

    An ``EVENT`` of several hours is long and is requested every few seconds, so it
    offers delta updates: ``is_delta`` leaves out the segments that a player already has.

    ``is_keyframes`` marks an I-frame playlist: the byte range of each segment holds its
    first frame (4.3.3.6).
    """

    segments: tuple[Segment, ...]
    target_duration_s: int
    is_complete: bool = True
    is_keyframes: bool = False
    start_s: float | None = None

    def render(self, *, is_delta: bool = False) -> str:
        """Return the playlist's text, as a delta update if requested and possible.

        Raises ValueError for a segment longer than the target duration.
        """
        # Halves round up: a segment of 4.5 s exceeds a target of 4 s (4.3.3.1).
        too_long = [s for s in self.segments if int(s.duration_s + 0.5) > self.target_duration_s]
        if too_long:
            raise ValueError(f"{len(too_long)} segments are longer than {self.target_duration_s} s")
        skipped = self._skippable() if is_delta and not self.is_complete else 0
        lines = [
            *self._head(DELTA_VERSION if skipped else VERSION),
            *([tag("EXT-X-SKIP", [("SKIPPED-SEGMENTS", str(skipped))])] if skipped else []),
            *self._body(skipped),
            *(["#EXT-X-ENDLIST"] if self.is_complete else []),
        ]
        return "\n".join(lines) + "\n"

    def _head(self, version: int) -> list[str]:
        growing = [
            tag("EXT-X-SERVER-CONTROL", [("CAN-SKIP-UNTIL", str(SKIP_TARGETS * self.target_duration_s))]),
            tag("EXT-X-START", [("TIME-OFFSET", "0")]),
        ]
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{version}",
            f"#EXT-X-TARGETDURATION:{self.target_duration_s}",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if self.is_complete else 'EVENT'}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(["#EXT-X-I-FRAMES-ONLY"] if self.is_keyframes else []),
            *([] if self.is_complete else growing),
            *(
                [tag("EXT-X-START", [("TIME-OFFSET", decimal(self.start_s)), ("PRECISE", "YES")])]
                if self.start_s is not None and self.is_complete
                else []
            ),
        ]

    def _skippable(self) -> int:
        """Return the number of segments at the beginning that a delta update may leave out."""
        after_s = 0.0
        for kept, segment in enumerate(reversed(self.segments)):
            if after_s >= SKIP_TARGETS * self.target_duration_s:
                return len(self.segments) - kept
            after_s += segment.duration_s
        return 0

    def _body(self, skipped: int) -> Iterator[str]:
        """Yield each segment's lines, with ``EXT-X-MAP`` after every change of the init segment."""
        map_uri = None
        for segment in self.segments[skipped:]:
            if segment.is_discontinuous:
                yield "#EXT-X-DISCONTINUITY"
            if segment.map_uri != map_uri:
                map_uri = segment.map_uri
                yield tag("EXT-X-MAP", [("URI", quoted(map_uri))])
            if segment.taken_at:
                taken_at = segment.taken_at.astimezone(UTC).isoformat(timespec="milliseconds")
                yield f"#EXT-X-PROGRAM-DATE-TIME:{taken_at.replace('+00:00', 'Z')}"
            yield f"#EXTINF:{decimal(segment.duration_s)},"
            if segment.byte_range:
                length, offset = segment.byte_range
                yield f"#EXT-X-BYTERANGE:{length}@{offset}"
            yield uri_line(segment.uri)


def whole_file_playlist(uri: str, duration_s: float) -> str:
    """Return the media playlist of a file without an init segment, such as WebVTT, as one segment."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(duration_s))}",
        f"#EXTINF:{decimal(duration_s)},",
        uri_line(uri),
        "#EXT-X-ENDLIST",
    ]
    return "\n".join(lines) + "\n"
