"""Playlist of one live rendition, as a value that each part advances by one step.

The writer keeps a :class:`Window`, Redis stores it and every origin renders it:
the last half minute in segments, the newest of them in parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from live.llhls.segments import Shape
from videos.hls.attributes import decimal, quoted, tag, uri_line, yes_no
from videos.hls.multivariant import MultivariantPlaylist, Variant

VERSION = 9  # EXT-X-SKIP (draft-pantos-hls-rfc8216bis, 8)
LISTED_S = 30
# Parts are listed up to this distance from the edge, in target durations.
PART_REACH_TARGETS = 3
# At least six; a delta update may omit segments further from the edge.
SKIP_TARGETS = 6
# At least two part targets; players need three in practice.
PART_HOLD_BACK = 3
HOLD_BACK = 3
# A segment this close to the length of the previous one is considered complete.
ROUNDING_S = 0.01


@dataclass(frozen=True, slots=True)
class ListedPart:
    """Listed part; a gap is a part that was lost."""

    duration_s: float
    is_independent: bool = False
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """Listed segment; ``duration_s`` is None while parts are still added.

    ``starts_at`` is the wall clock of its first frame (Unix time); ``discontinuity``
    counts the discontinuities since the broadcast began, including its own.  Segments
    far from the edge have no parts any more.
    """

    msn: int
    epoch: int
    starts_at: float
    discontinuity: int = 0
    is_discontinuous: bool = False
    duration_s: float | None = None
    parts: tuple[ListedPart, ...] = ()
    is_gap: bool = False

    @property
    def length_s(self) -> float:
        """Return its duration, or the sum of its parts so far."""
        return sum(part.duration_s for part in self.parts) if self.duration_s is None else self.duration_s


@dataclass(frozen=True, slots=True)
class Window:
    """Newest segments of one rendition.  Every change returns a new window.

    ``epoch`` (-1 before the first) and ``epoch_started_at`` belong to the next segment,
    ``last_epoch`` to the previous one, listed or not.  ``media_end_s`` is the end of
    all media ever listed, on the broadcast's timeline: the next epoch begins there.
    ``target_duration_s`` is the shape's until an encoder lengthens its GOPs: a segment
    above the target duration stops some players, a new target none.
    """

    shape: Shape
    target_duration_s: int
    segments: tuple[ListedSegment, ...] = ()
    next_msn: int = 0
    epoch: int = -1
    epoch_started_at: float = 0.0
    last_epoch: int = -1
    discontinuity: int = 0
    is_ended: bool = False
    media_end_s: float = 0.0

    @classmethod
    def empty(cls, shape: Shape, *, next_msn: int = 0, last_epoch: int = -1) -> Window:
        """Return a window without segments, after the given numbers have been used."""
        return cls(
            shape,
            shape.target_duration_s,
            next_msn=next_msn,
            epoch=last_epoch,
            last_epoch=last_epoch,
            discontinuity=max(0, last_epoch),
        )

    @property
    def open_segment(self) -> ListedSegment | None:
        """Return the segment that is still growing, if any."""
        last = self.segments[-1] if self.segments else None
        return last if last and last.duration_s is None else None

    @property
    def last_msn(self) -> int:
        """Return the number of the newest complete segment; -1 if there is none."""
        return self.next_msn - (2 if self.open_segment else 1)

    @property
    def last_position(self) -> tuple[int, int] | None:
        """Return the last listed segment and part, for the rendition reports of other playlists."""
        last = self.segments[-1] if self.segments else None
        return (last.msn, max(0, len(last.parts) - 1)) if last else None

    @property
    def hint(self) -> tuple[int, int]:
        """Return the segment and part that will probably come next.

        GOPs repeat: a segment as long as the previous one gets no further part.
        """
        current = self.open_segment
        if current is None:
            return self.next_msn, 0
        before = self.segments[-2] if len(self.segments) > 1 else None
        is_like_before = before is not None and before.epoch == current.epoch and not before.is_gap
        if before and is_like_before and current.length_s >= before.length_s - ROUNDING_S:
            return current.msn + 1, 0
        return current.msn, len(current.parts)

    def may_follow(self, msn: int, number: int) -> bool:
        """Return whether this part could be the next one."""
        current = self.open_segment
        if current is None:
            return (msn, number) == (self.next_msn, 0)
        return (msn, number) in {(current.msn, len(current.parts)), (current.msn + 1, 0)}

    def find(self, msn: int) -> ListedSegment | None:
        index = msn - self.segments[0].msn if self.segments else -1
        return self.segments[index] if 0 <= index < len(self.segments) else None

    def with_epoch(self, epoch: int, started_at: float) -> Window:
        """Begin another run of FFmpeg; the open segment is closed as it is.

        ``started_at`` is moved to the end of the listed media if it lies before it:
        EXT-X-PROGRAM-DATE-TIME never goes back.
        """
        last = self.segments[-1] if self.segments else None
        listed_until = last.starts_at + last.length_s if last else 0.0
        return replace(self.closed(), epoch=epoch, epoch_started_at=max(started_at, listed_until))

    def with_part(self, msn: int, number: int, part: ListedPart) -> Window:
        """Add a part; number 0 opens a segment.  Raises ValueError if another part is due."""
        current = self.open_segment
        if current and (msn, number) == (current.msn, len(current.parts)):
            return self._replaced(replace(current, parts=(*current.parts, part)))
        if number or msn != self.next_msn:
            raise ValueError(f"part {msn}.{number} does not follow")
        return self.closed()._opened(part)

    def _opened(self, part: ListedPart) -> Window:
        last = self.segments[-1] if self.segments else None
        is_discontinuous = self.last_epoch not in {-1, self.epoch}
        discontinuity = self.discontinuity + is_discontinuous
        starts_at = self.epoch_started_at
        if last and not is_discontinuous:
            starts_at = last.starts_at + last.length_s
        segment = ListedSegment(
            self.next_msn, self.epoch, starts_at, discontinuity, is_discontinuous, parts=(part,)
        )
        return replace(
            self,
            segments=(*self.segments, segment),
            next_msn=self.next_msn + 1,
            last_epoch=self.epoch,
            discontinuity=discontinuity,
        )

    def with_end(self, msn: int, duration_s: float) -> Window:
        """End the open segment.  Raises ValueError if it is not ``msn``."""
        current = self.open_segment
        if current is None or current.msn != msn:
            raise ValueError(f"segment {msn} is not open")
        # Halves are rounded up (RFC 8216, 4.3.3.1).
        target_s = max(self.target_duration_s, int(duration_s + 0.5))
        ended = self._replaced(replace(current, duration_s=duration_s))
        return replace(ended, target_duration_s=target_s)._trimmed()

    def closed(self) -> Window:
        """End the open segment, if any, with the parts that it has."""
        current = self.open_segment
        return self.with_end(current.msn, current.length_s) if current else self

    def with_gaps(self, missing: Iterable[ListedSegment]) -> Window:
        """Add segments that another rendition has and this one never received, as gaps."""
        window = self.closed()
        lost = tuple(
            replace(segment, duration_s=segment.length_s, parts=(), is_gap=True) for segment in missing
        )
        if not lost:
            return window
        if lost[0].msn != window.next_msn:
            raise ValueError(f"segment {lost[0].msn} does not follow")
        return replace(
            window,
            segments=(*window.segments, *lost),
            next_msn=lost[-1].msn + 1,
            last_epoch=lost[-1].epoch,
            discontinuity=lost[-1].discontinuity,
        )._trimmed()

    def with_lost_part(self, msn: int, number: int) -> Window:
        """Mark a lost part, and its segment as a whole, as gaps."""
        segment = self.find(msn)
        if segment is None:
            return self
        parts = tuple(
            replace(part, is_gap=True) if index == number else part
            for index, part in enumerate(segment.parts)
        )
        return self._replaced(replace(segment, parts=parts, is_gap=True))

    def without_before(self, msn: int) -> Window:
        """Remove the segments before ``msn``."""
        return replace(self, segments=tuple(segment for segment in self.segments if segment.msn >= msn))

    def ended(self) -> Window:
        return replace(self.closed(), is_ended=True)

    def _replaced(self, segment: ListedSegment) -> Window:
        index = segment.msn - self.segments[0].msn
        return replace(self, segments=(*self.segments[:index], segment, *self.segments[index + 1 :]))

    def _trimmed(self) -> Window:
        """Remove segments, and parts of segments, that are too far from the edge to be listed."""
        reach_s = PART_REACH_TARGETS * self.target_duration_s
        kept: list[ListedSegment] = []
        after_s = 0.0
        for segment in reversed(self.segments):
            if after_s >= max(LISTED_S, HOLD_BACK * self.target_duration_s):
                break
            kept.append(segment if after_s < reach_s or not segment.parts else replace(segment, parts=()))
            after_s += segment.length_s
        return replace(self, segments=tuple(reversed(kept)))

    def to_json(self) -> str:
        """Return compact JSON, because it is sent with every part."""
        return json.dumps(
            {
                "shape": [self.shape.part_target_s, self.shape.target_duration_s, self.shape.min_segment_s],
                "target": self.target_duration_s,
                "next": self.next_msn,
                "epoch": [self.epoch, self.epoch_started_at, self.last_epoch],
                "discontinuity": self.discontinuity,
                "ended": self.is_ended,
                "media_end": round(self.media_end_s, 6),
                "segments": [_segment_to_json(segment) for segment in self.segments],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Window:
        return cls.from_data(json.loads(text))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Window:
        """Return the window in data of :meth:`to_json`; values that a newer version appends are ignored."""
        return cls(
            shape=Shape(*data["shape"][: len(fields(Shape))]),
            target_duration_s=data["target"],
            segments=tuple(_segment_from_json(values) for values in data["segments"]),
            next_msn=data["next"],
            epoch=data["epoch"][0],
            epoch_started_at=data["epoch"][1],
            last_epoch=data["epoch"][2],
            discontinuity=data["discontinuity"],
            is_ended=data["ended"],
            media_end_s=data.get("media_end", 0.0),
        )


def _segment_to_json(segment: ListedSegment) -> list[Any]:
    return [
        segment.msn,
        segment.epoch,
        round(segment.starts_at, 4),
        segment.discontinuity,
        int(segment.is_discontinuous),
        segment.duration_s if segment.duration_s is None else round(segment.duration_s, 6),
        [[round(part.duration_s, 6), int(part.is_independent), int(part.is_gap)] for part in segment.parts],
        int(segment.is_gap),
    ]


def _segment_from_json(values: Sequence[Any]) -> ListedSegment:
    msn, epoch, starts_at, discontinuity, is_discontinuous, duration_s, parts, is_gap, *_newer = values
    return ListedSegment(
        msn,
        epoch,
        starts_at,
        discontinuity,
        bool(is_discontinuous),
        duration_s,
        tuple(ListedPart(length_s, bool(opens), bool(lost)) for length_s, opens, lost, *_newer in parts),
        bool(is_gap),
    )


@dataclass(frozen=True, slots=True)
class RenditionInfo:
    """Attributes of a rendition in the multivariant playlist."""

    codecs: str
    width_px: int
    height_px: int
    bandwidth_bps: int
    frame_rate: float


@dataclass(frozen=True, slots=True)
class LowLatencyPlaylist:
    """Media playlist of one rendition; ``others`` are the windows of the other renditions by name."""

    name: str
    window: Window
    others: Mapping[str, Window] = field(default_factory=dict)

    def render(self, *, is_delta: bool = False) -> str:
        """Return the playlist, as a delta update if that is requested and omits anything."""
        skipped = self._skippable() if is_delta else 0
        lines = [
            *self._head(),
            *([tag("EXT-X-SKIP", [("SKIPPED-SEGMENTS", str(skipped))])] if skipped else []),
            *self._body(skipped),
            *(["#EXT-X-ENDLIST"] if self.window.is_ended else self._live_end()),
        ]
        return "\n".join(lines) + "\n"

    def _head(self) -> list[str]:
        window, target_s = self.window, self.window.target_duration_s
        part_target_s = window.shape.part_target_s
        first = window.segments[0] if window.segments else None
        # A listed discontinuity is not counted yet.
        before = first.discontinuity - first.is_discontinuous if first else window.discontinuity
        control = [
            ("CAN-BLOCK-RELOAD", "YES"),
            ("CAN-SKIP-UNTIL", decimal(SKIP_TARGETS * target_s)),
            ("HOLD-BACK", decimal(HOLD_BACK * target_s)),
            ("PART-HOLD-BACK", decimal(PART_HOLD_BACK * part_target_s)),
        ]
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            f"#EXT-X-TARGETDURATION:{target_s}",
            tag("EXT-X-SERVER-CONTROL", control),
            tag("EXT-X-PART-INF", [("PART-TARGET", decimal(part_target_s))]),
            f"#EXT-X-MEDIA-SEQUENCE:{first.msn if first else window.next_msn}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{before}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]

    def _skippable(self) -> int:
        """Return the number of segments that a delta update may omit."""
        keep_s = SKIP_TARGETS * self.window.target_duration_s
        after_s = 0.0
        for kept, segment in enumerate(reversed(self.window.segments)):
            if after_s >= keep_s:
                return len(self.window.segments) - kept
            after_s += segment.length_s
        return 0

    def _body(self, skipped: int) -> Iterator[str]:
        with_parts = self._msns_with_parts()
        epoch = None
        for segment in self.window.segments[skipped:]:
            if segment.is_discontinuous:
                yield "#EXT-X-DISCONTINUITY"
            if segment.epoch != epoch:
                epoch = segment.epoch
                yield tag("EXT-X-MAP", [("URI", quoted(f"{self.name}/init-{epoch}.mp4"))])
            starts_at = datetime.fromtimestamp(segment.starts_at, UTC).replace(tzinfo=None)
            yield f"#EXT-X-PROGRAM-DATE-TIME:{starts_at.isoformat(timespec='milliseconds')}Z"
            if segment.msn in with_parts:
                yield from self._parts(segment)
            if segment.duration_s is not None:
                yield from ["#EXT-X-GAP"] if segment.is_gap else []
                yield f"#EXTINF:{decimal(segment.duration_s)},"
                yield uri_line(f"{self.name}/{segment.msn}.m4s")

    def _msns_with_parts(self) -> set[int]:
        reach_s = PART_REACH_TARGETS * self.window.target_duration_s
        msns, after_s = set(), 0.0
        for segment in reversed(self.window.segments):
            if after_s >= reach_s:
                break
            msns.add(segment.msn)
            after_s += segment.length_s
        return msns

    def _parts(self, segment: ListedSegment) -> Iterator[str]:
        for number, part in enumerate(segment.parts):
            attributes = [
                ("DURATION", decimal(part.duration_s)),
                ("URI", quoted(self._part_uri(segment.msn, number))),
                ("INDEPENDENT", yes_no(True) if part.is_independent else None),
                ("GAP", yes_no(True) if part.is_gap else None),
            ]
            yield tag("EXT-X-PART", attributes)

    def _live_end(self) -> Iterator[str]:
        """Yield the preload hint, also while the publisher is away, and the rendition reports."""
        hint = quoted(self._part_uri(*self.window.hint))
        yield tag("EXT-X-PRELOAD-HINT", [("TYPE", "PART"), ("URI", hint)])
        for name, window in self.others.items():
            if position := window.last_position:
                report = [("URI", quoted(f"{name}.m3u8"))]
                report += [("LAST-MSN", str(position[0])), ("LAST-PART", str(position[1]))]
                yield tag("EXT-X-RENDITION-REPORT", report)

    def _part_uri(self, msn: int, number: int) -> str:
        return f"{self.name}/{msn}.{number}.m4s"


def render_multivariant(renditions: Mapping[str, RenditionInfo]) -> str:
    """Return the multivariant playlist of ``renditions``, best first."""
    variants = [
        Variant(
            uri=f"{name}.m3u8",
            bandwidth_bps=info.bandwidth_bps,
            codecs=info.codecs,
            resolution=(info.width_px, info.height_px),
            frame_rate=info.frame_rate,
        )
        for name, info in renditions.items()
    ]
    return MultivariantPlaylist(tuple(variants)).render()
