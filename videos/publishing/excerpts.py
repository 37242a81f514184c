"""Excerpts: the stored segments that hold a section of a video, as playlists of their own.

Nothing is encoded and nothing is copied.  A segment opens with a keyframe, so an excerpt
begins with the segment that holds its start, and ``EXT-X-START`` gives players the exact
in point.  HLS has no tag for an out point: our player stops there, other players at the
end of the last segment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from videos.hls.media import MediaPlaylist, Segment
from videos.models import Rendition

from .encodes import Encode, Placed
from .playlists import NothingPublished, target_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Audio is cut between blocks of 21 ms, not where the video is.
_ROUNDING_S = 0.05
# An end on the last frame may lie a little behind it.
_END_S = 0.5


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The section from ``start_s`` to ``end_s`` of a video, in the renditions that hold it whole."""

    # Of the renditions that hold it.
    encode: Encode
    # Time in the video at which the first segment begins: the 0 of the excerpt's own playlists.
    begins_s: float
    start_s: float
    end_s: float
    segments: dict[str, tuple[Placed, ...]]

    @classmethod
    def of(cls, encode: Encode, start_s: float, end_s: float) -> Excerpt:
        """Return the excerpt, in the rungs that have stored it.

        Raises NothingPublished unless one rung and all audio tracks have.
        """
        held: dict[str, tuple[Placed, ...]] = {}
        begins_s: float | None = None
        for rung in encode.offered:
            if found := _section(encode, rung, start_s, end_s):
                first_s, held[rung.name] = found
                # All rungs have the same cuts.
                begins_s = first_s if begins_s is None else begins_s
        if encode.rungs and begins_s is None:
            raise NothingPublished("no rung holds the section")
        for track in encode.tracks:
            found = _section(encode, track, start_s if begins_s is None else begins_s + _ROUNDING_S, end_s)
            if found is None:
                raise NothingPublished(track.name)
            first_s, held[track.name] = found
            begins_s = first_s if begins_s is None else begins_s
        if begins_s is None:
            raise NothingPublished("no rendition")
        renditions = [rendition for rendition in encode.renditions if rendition.name in held]
        return cls(replace(encode, renditions=renditions), begins_s, start_s, end_s, held)

    @property
    def in_s(self) -> float:
        """Return the in point, counted as a player of the excerpt does."""
        return max(0.0, self.start_s - self.begins_s)

    @property
    def out_s(self) -> float:
        return self.end_s - self.begins_s

    def media_playlist(self, rendition: Rendition, uri: Callable[[str], str]) -> MediaPlaylist:
        """Return the media playlist of one rendition; ``uri`` maps an object's name to its URL.

        Raises NothingPublished if the rendition does not hold the section.
        """
        placed = self.segments.get(rendition.name)
        if placed is None:
            raise NothingPublished(rendition.name)
        return MediaPlaylist(
            target_duration_s=target_duration_s(self.encode),
            segments=tuple(
                Segment(
                    uri=uri(segment.name),
                    duration_s=segment.duration_s,
                    map_uri=uri(segment.init_name),
                    is_discontinuous=segment.is_discontinuous and number > 0,
                )
                for number, segment in enumerate(placed)
            ),
            start_s=self.in_s,
        )


def _section(
    encode: Encode, rendition: Rendition, start_s: float, end_s: float
) -> tuple[float, tuple[Placed, ...]] | None:
    """Return the beginning of the section's first segment, and its segments; None if one is missing."""
    spans = [
        (begin_s, placed)
        for begin_s, placed in _spans(encode.listed(rendition))
        if begin_s < end_s and begin_s + placed.duration_s > start_s
    ]
    if not spans or not all(placed.is_stored for _, placed in spans):
        return None
    last_s, last = spans[-1]
    if spans[0][0] > start_s or last_s + last.duration_s < end_s - _END_S:
        return None
    return spans[0][0], tuple(placed for _, placed in spans)


def _spans(listed: Sequence[Placed]) -> list[tuple[float, Placed]]:
    spans, begin_s = [], 0.0
    for placed in listed:
        spans.append((begin_s, placed))
        begin_s = round(begin_s + placed.duration_s, 6)
    return spans
