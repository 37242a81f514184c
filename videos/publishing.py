"""Finished segments and playlists, in the bucket and as sent to players.

Objects of an encode::

    videos/<video>/source                                  the uploaded file
    videos/<video>/<encode>/<rendition>/<run>-<attempt>/init.mp4
    videos/<video>/<encode>/<rendition>/<run>-<attempt>/<segment>.m4s
    videos/<video>/<encode>/<rendition>.m3u8               written when the encode is complete
    videos/<video>/<encode>/multivariant.m3u8

``<run>`` is the position of a :class:`~videos.models.SegmentRun`.  The attempt is part of
the key, so a worker that was thought dead cannot overwrite its successor's objects.
Players see a segment once its run lists it.  A run lists a segment after it is stored
in each of the run's renditions, so every object named in a playlist exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction

from common import storage
from videos.hls.bitrate import measured
from videos.hls.media import MediaPlaylist, Segment
from videos.hls.multivariant import AudioRendition, MultivariantPlaylist, Variant
from videos.languages import spoken_tag
from videos.models import Job, Rendition, SegmentPlan, SegmentRun, Video
from videos.transcoding.chunks import SEGMENT_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videos.transcoding.run import FinishedSegment

AUDIO_GROUP = "audio"
_ROUNDING_S = 0.05
# For a rendition that is not measured yet: a segment holds at most its encoder's maxrate for
# its duration and for the buffer of one second, plus 2 % for the container.
PEAK_FACTOR = (SEGMENT_S + 1) / SEGMENT_S * 1.02
# Recordings are cut at keyframes of their source: segments last at least SEGMENT_S
# and less than this.
RECORDING_TARGET_DURATION_S = 8


@dataclass(slots=True)
class Encode:
    """An encode as stored in SQL: its renditions, their planned segments and the runs of stored ones."""

    video: Video
    renditions: list[Rendition]
    runs: list[SegmentRun] = field(repr=False)
    plans: dict[str, SegmentPlan] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, video: Video) -> Encode:
        """Read the current encode of ``video`` in three queries."""
        return cls(
            video=video,
            renditions=list(
                video.renditions.filter(encode_key=video.encode_key).order_by("kind", "position")
            ),
            runs=list(SegmentRun.objects.of(video)),
            plans={plan.kind: plan for plan in video.plans.filter(encode_key=video.encode_key)},
        )

    def runs_of(self, rendition: Rendition) -> list[SegmentRun]:
        """Return the runs of ``rendition`` in the order of its segments."""
        runs = [run for run in self.runs if run.holds(rendition)]
        # The first segment of an empty run of a recording says nothing.
        return runs if self.video.is_recording else sorted(runs, key=lambda run: run.first_segment)

    @property
    def is_complete(self) -> bool:
        """Return whether no run is open and no rendition has a gap."""
        return bool(self.runs) and not any(run.is_open for run in self.runs) and not self.gap

    @property
    def gap(self) -> SegmentRun | None:
        """Return the first chunk with too few segments although a later one has some, or None.

        A source may end earlier than its header says; then every later chunk is empty.
        """
        for rung in self.rungs:
            ended: SegmentRun | None = None
            for chunk in self.runs_of(rung):
                if ended and chunk.segments:
                    return ended
                if chunk.is_short and not chunk.is_open:
                    ended = ended or chunk
        return None

    @property
    def rungs(self) -> list[Rendition]:
        return [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.VIDEO]

    @property
    def tracks(self) -> list[Rendition]:
        """Return the audio renditions, except those without decodable audio in the source."""
        tracks = [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.AUDIO]
        return [track for track in tracks if any(run.is_open or run.segments for run in self.runs_of(track))]

    @property
    def is_playable(self) -> bool:
        """Return whether every rendition has at least one segment."""
        listed = [self.segments(rendition) for rendition in [*self.rungs, *self.tracks]]
        return bool(listed) and all(listed)

    @property
    def duration_s(self) -> float:
        """Return the published duration (s) of the longest rendition."""
        return max(
            (sum(segment.duration_s for segment in self.segments(r)) for r in [*self.rungs, *self.tracks]),
            default=0.0,
        )

    def segments(self, rendition: Rendition) -> list[Placed]:
        """Return the stored segments of ``rendition`` for its playlist: the first ones, without a gap.

        During an encode, video stops at the end of the slowest audio track, so that
        playback never waits for audio.  Audio stops with the last segment of video,
        because players without MSE wait for both.  If a source holds less video than
        its header declares, both end with the video.
        """
        placed = _place(rendition, self.runs_of(rendition))
        if rendition.kind == Rendition.Kind.AUDIO:
            return _beginning_before(self._video_end_s, placed)
        sound_s = min((_listened_s(self.runs_of(track)) for track in self.tracks), default=float("inf"))
        ends = accumulate(segment.duration_s for segment in placed)
        return [
            segment for segment, end_s in zip(placed, ends, strict=True) if end_s <= sound_s + SEGMENT_S / 2
        ]

    @property
    def _video_end_s(self) -> float:
        """Return the seconds of video without a gap in the longest rung, or infinity without a rung."""
        lengths_s = [
            sum(segment.duration_s for segment in _place(rung, self.runs_of(rung))) for rung in self.rungs
        ]
        return max(lengths_s, default=float("inf"))


def _beginning_before(end_s: float, placed: list[Placed]) -> list[Placed]:
    """Return the segments that begin before ``end_s``."""
    starts = accumulate((segment.duration_s for segment in placed), initial=0.0)
    # Audio is cut between blocks of 21 ms: a segment that starts just before the end belongs after it.
    return [
        segment for segment, start_s in zip(placed, starts, strict=False) if start_s < end_s - _ROUNDING_S
    ]


@dataclass(frozen=True, slots=True)
class Placed:
    """A published segment: its key and its init segment's, relative to the encode, and its duration."""

    name: str
    init_name: str
    duration_s: float
    is_discontinuous: bool = False
    taken_at: datetime | None = None


def _place(rendition: Rendition, runs: Sequence[SegmentRun]) -> list[Placed]:
    """Return the segments of consecutive runs, up to the first gap.

    Runs of one timeline have the same init segment, byte for byte, so players need
    only the first.  An upload has one timeline; a recording begins another after each
    interruption of its timestamps.
    """
    placed: list[Placed] = []
    init_name = ""
    for run in runs:
        folder = run.folder(rendition.name)
        if run.segments and (run.is_discontinuous or not init_name):
            init_name = f"{folder}init.mp4"
        is_gap = run.is_discontinuous and bool(placed)
        for index, duration_s in enumerate(run.segments):
            is_first = index == 0
            placed.append(
                Placed(
                    f"{folder}{run.first_segment + index}.m4s",
                    init_name,
                    duration_s,
                    is_discontinuous=is_gap and is_first,
                    taken_at=run.began_at if is_first else None,
                )
            )
        if run.is_open or run.is_short:
            break
    return placed


def _listened_s(runs: Sequence[SegmentRun]) -> float:
    """Return the seconds of audio in ``runs``, or infinity if they are complete."""
    if not any(run.is_open for run in runs):
        return float("inf")
    return sum(run.duration_s for run in runs)


class NothingPublished(Exception):
    """The requested playlist would list no segment."""


def media_playlist(encode: Encode, rendition: Rendition, uri: Callable[[str], str]) -> MediaPlaylist:
    """Return the media playlist of ``rendition``; ``uri`` maps an object's name to its URL.

    It is an ``EVENT`` while the encode runs, so that players keep their segments and
    ask for more.  It is a ``VOD`` with ``EXT-X-ENDLIST`` once the encode is complete.
    Raises NothingPublished if there is no segment.
    """
    placed = encode.segments(rendition)
    if not placed:
        raise NothingPublished(rendition.name)
    init_uris = {name: uri(name) for name in {segment.init_name for segment in placed}}
    return MediaPlaylist(
        target_duration_s=target_duration_s(encode),
        segments=tuple(
            Segment(
                uri=uri(segment.name),
                duration_s=segment.duration_s,
                map_uri=init_uris[segment.init_name],
                is_discontinuous=segment.is_discontinuous,
                taken_at=segment.taken_at,
            )
            for segment in placed
        ),
        is_complete=encode.is_complete,
    )


def target_duration_s(encode: Encode) -> int:
    """Return one value for all renditions and for the whole life of an encode (RFC 8216, 4.3.3.1)."""
    if encode.video.is_recording:
        return RECORDING_TARGET_DURATION_S
    longest_picture_s = max((1 / rung.frame_rate for rung in encode.rungs if rung.frame_rate), default=0)
    # A segment ends with the frame that crosses the grid; players compare durations in whole seconds.
    return int(SEGMENT_S + longest_picture_s + 0.5)


def multivariant_playlist(encode: Encode, uri: Callable[[str], str]) -> str:
    """Return the multivariant playlist; ``uri`` maps a rendition's name to the URL of its playlist."""
    tracks = encode.tracks
    if not encode.rungs:
        return MultivariantPlaylist(variants=tuple(_sound_alone(track, uri) for track in tracks[:1])).render()
    return MultivariantPlaylist(
        audio=tuple(_audio_rendition(track, tracks, uri) for track in tracks),
        variants=tuple(_variant(encode, rung, tracks, uri) for rung in encode.rungs),
    ).render()


def _sound_alone(track: Rendition, uri: Callable[[str], str]) -> Variant:
    return Variant(
        uri=uri(track.name),
        bandwidth_bps=_peak_bps(track),
        average_bandwidth_bps=track.average_bps,
        codecs=track.codecs,
        has_captions=False,
    )


def _variant(encode: Encode, rung: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> Variant:
    averages_bps = [rendition.average_bps for rendition in [rung, *tracks]]
    average_bps = None
    if None not in averages_bps:
        average_bps = (rung.average_bps or 0) + max((track.average_bps or 0 for track in tracks), default=0)
    return Variant(
        uri=uri(rung.name),
        bandwidth_bps=_peak_bps(rung) + max(map(_peak_bps, tracks), default=0),
        average_bandwidth_bps=average_bps,
        codecs=",".join([rung.codecs, *(track.codecs for track in tracks[:1])]),
        resolution=(rung.width_px, rung.height_px),
        frame_rate=rung.frame_rate,
        audio_group=AUDIO_GROUP if tracks else None,
        # Segments copied from a broadcast may hold closed captions; encodes of uploads do not.
        has_captions=encode.video.is_recording,
    )


def _peak_bps(rendition: Rendition) -> int:
    return rendition.peak_bps or round(rendition.bitrate_bps * PEAK_FACTOR)


def _audio_rendition(track: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> AudioRendition:
    default = next((other for other in tracks if other.is_default), tracks[0])
    return AudioRendition(
        group_id=AUDIO_GROUP,
        name=track.label,
        language=spoken_tag(track.language),
        uri=uri(track.name),
        is_default=track == default,
        channels=track.channels,
    )


def measure(encode: Encode) -> None:
    """Store the peak and average bitrate of each rendition, measured on the stored segments.

    A rendition with missing objects keeps the bound of its encoder as its peak.
    """
    prefix = encode.video.encode_prefix
    sizes = storage.sizes_under(prefix)
    renditions = [*encode.rungs, *encode.tracks]
    for rendition in renditions:
        placed = encode.segments(rendition)
        stored = [sizes[key] for segment in placed if (key := f"{prefix}{segment.name}") in sizes]
        durations_s = [segment.duration_s for segment in placed]
        # A recording of a single frame may have no duration, and so no bitrate.
        if not sum(durations_s) or len(stored) < len(placed):
            rendition.peak_bps = _peak_bps(rendition)
            continue
        bitrate = measured(stored, durations_s, target_duration_s(encode))
        rendition.peak_bps, rendition.average_bps = bitrate.peak_bps, bitrate.average_bps
    Rendition.objects.bulk_update(renditions, ["peak_bps", "average_bps"])


def write_playlists(encode: Encode) -> None:
    """Store the playlists of a finished encode, with relative URIs, media playlists first."""
    prefix = encode.video.encode_prefix
    for rendition in [*encode.rungs, *encode.tracks]:
        storage.put_text(f"{prefix}{rendition.name}.m3u8", media_playlist(encode, rendition, str).render())
    write_multivariant_playlist(encode)


def write_multivariant_playlist(encode: Encode) -> None:
    name = f"{encode.video.encode_prefix}multivariant.m3u8"
    storage.put_text(name, multivariant_playlist(encode, "{}.m3u8".format))


class LeaseLost(Exception):
    """Another attempt holds this job, or the video is gone: the worker must stop and change nothing."""


@dataclass(slots=True)
class SegmentPublisher:
    """The writer of one attempt's segments; it lists a number once every rendition has stored it."""

    job: Job
    run: SegmentRun
    renditions: Sequence[Rendition]
    on_listed: Callable[[], None]
    waiting: dict[int, dict[int, float]] = field(default_factory=dict)
    has_init: set[int] = field(default_factory=set)

    def key(self, output: int, name: str) -> str:
        rendition = self.renditions[output]
        return f"{self.job.video.encode_prefix}{self.run.folder(rendition.name)}{name}"

    def add(self, segment: FinishedSegment, init_path: Path) -> None:
        """Store a segment of one output and delete its file; list its number if no rendition lacks it.

        Raises LeaseLost.
        """
        output = segment.output_index
        if output not in self.has_init:
            storage.put_file(self.key(output, "init.mp4"), init_path)
            self.has_init.add(output)
        self.run.bytes_stored += storage.put_file(self.key(output, f"{segment.number}.m4s"), segment.path)
        segment.path.unlink()
        self.waiting.setdefault(segment.number, {})[output] = segment.duration_s
        self._list_complete()

    def _list_complete(self) -> None:
        listed_before = len(self.run.segments)
        while len(self.waiting.get(self._next_number, ())) == len(self.renditions):
            durations = self.waiting.pop(self._next_number)
            self.run.segments.append(round(max(durations.values()), 6))
        if len(self.run.segments) > listed_before:
            listed = {"segments": self.run.segments, "bytes_stored": self.run.bytes_stored}
            with transaction.atomic():
                # The first update locks the job, so no other attempt begins before the second.
                is_held = self.job.renew_lease(waits_for="", waits=0)
                if not is_held or not SegmentRun.objects.held(self.run).update(**listed):
                    raise LeaseLost
            self.on_listed()

    @property
    def _next_number(self) -> int:
        return self.run.first_segment + len(self.run.segments)
