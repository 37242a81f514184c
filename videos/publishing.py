"""Finished segments and playlists, in the bucket and towards the player.

Objects of an encode::

    videos/<video>/source                                  what the person uploaded
    videos/<video>/<encode>/<rendition>/<job>-<attempt>/init.mp4
    videos/<video>/<encode>/<rendition>/<job>-<attempt>/<segment>.m4s
    videos/<video>/<encode>/<rendition>.m3u8               written when the encode is complete
    videos/<video>/<encode>/multivariant.m3u8

The attempt is part of the key, so a worker that was thought dead cannot touch
what its successor wrote.  A segment exists for players once its job's row lists
it, which happens after the object was stored in every rung: whoever reads a
playlist finds everything it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from videoplatform import storage
from videos.hls.media import MediaPlaylist, Segment
from videos.hls.multivariant import AudioRendition, MultivariantPlaylist, Variant
from videos.models import Job, Rendition, Video
from videos.transcoding.chunks import SEGMENT_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videos.transcoding.run import FinishedSegment

AUDIO_GROUP = "audio"
# A player buffers rungs by their declared peak; x264's maxrate is not exceeded
# over its buffer, a single segment may be (RFC 8216, 4.3.4.2 allows 10 %).
PEAK_FACTOR = 1.1
# What is recorded is cut where its source has keyframes: at least SEGMENT_S, and
# less than this.
RECORDING_TARGET_DURATION_S = 8


@dataclass(slots=True)
class Encode:
    """An encode as it stands in SQL: its renditions, and the jobs that fill them."""

    video: Video
    renditions: list[Rendition]
    jobs: list[Job] = field(repr=False)

    @classmethod
    def of(cls, video: Video) -> Encode:
        """Read the current encode of ``video`` in two queries."""
        jobs = video.jobs.filter(encode_key=video.encode_key, kind__in=[Job.Kind.VIDEO, Job.Kind.AUDIO])
        return cls(
            video=video,
            renditions=list(
                video.renditions.filter(encode_key=video.encode_key).order_by("kind", "position")
            ),
            jobs=list(jobs.order_by("kind", "position")),
        )

    @property
    def chunks(self) -> list[Job]:
        return [job for job in self.jobs if job.kind == Job.Kind.VIDEO]

    def track(self, position: int) -> Job:
        return next(job for job in self.jobs if job.kind == Job.Kind.AUDIO and job.position == position)

    @property
    def is_complete(self) -> bool:
        return bool(self.jobs) and all(job.status == Job.Status.DONE for job in self.jobs)

    @property
    def rungs(self) -> list[Rendition]:
        return [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.VIDEO]

    @property
    def tracks(self) -> list[Rendition]:
        """Audio renditions, without those whose source turned out to hold no sound."""
        tracks = [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.AUDIO]
        return [track for track in tracks if not _is_silent(self.track(track.position))]

    @property
    def is_playable(self) -> bool:
        """At least one segment in every rendition that will have any."""
        listed = [self.segments(rendition) for rendition in [*self.rungs, *self.tracks]]
        return bool(listed) and all(listed)

    @property
    def duration_s(self) -> float:
        """Seconds that are published, in the longest rendition."""
        return max(
            (sum(segment.duration_s for segment in self.segments(r)) for r in [*self.rungs, *self.tracks]),
            default=0.0,
        )

    def segments(self, rendition: Rendition) -> list[Placed]:
        """The contiguous prefix of ``rendition`` that players may know of.

        While encoding, the picture stops where the slowest sound track stops, so
        that playing never waits for sound.
        """
        if rendition.kind == Rendition.Kind.AUDIO:
            return list(_place(rendition, [self.track(rendition.position)]))
        placed = list(_place(rendition, self.chunks, is_recording=self.video.is_recording))
        sound_s = min(
            (_listened_s(self.track(track.position)) for track in self.tracks), default=float("inf")
        )
        ends = accumulate(segment.duration_s for segment in placed)
        return [
            segment for segment, end_s in zip(placed, ends, strict=True) if end_s <= sound_s + SEGMENT_S / 2
        ]


@dataclass(frozen=True, slots=True)
class Placed:
    """A published segment: its key relative to the encode, that of its init segment, and its length."""

    name: str
    init_name: str
    duration_s: float
    is_discontinuous: bool = False
    taken_at: datetime | None = None


def _place(rendition: Rendition, jobs: Sequence[Job], *, is_recording: bool = False) -> list[Placed]:
    """Segments of consecutive jobs, up to the first gap.

    Jobs of one timeline begin with the same init segment, byte for byte, so
    players need only the first.  A job at 0 s begins a timeline: an upload has
    one, a recording as many as its broadcast was interrupted.
    """
    placed: list[Placed] = []
    init_name = ""
    for job in jobs:
        folder = attempt_folder(rendition.name, job)
        is_new = job.start_s == 0
        if job.segments and (is_new or not init_name):
            init_name = f"{folder}init.mp4"
        for index, duration_s in enumerate(job.segments):
            name = f"{folder}{job.first_segment + index}.m4s"
            # Only what was recorded happened at a moment that matters.
            taken_at = job.claimed_at if is_recording and index == 0 else None
            is_gap = is_new and bool(placed)
            placed.append(Placed(name, init_name, duration_s, is_discontinuous=is_gap, taken_at=taken_at))
            is_new = False
        ended_early = job.segment_count is not None and len(job.segments) < job.segment_count
        if job.status != Job.Status.DONE or ended_early:
            break
    return placed


def _listened_s(track: Job) -> float:
    return float("inf") if track.status == Job.Status.DONE else sum(track.segments)


def _is_silent(track: Job) -> bool:
    return track.status == Job.Status.DONE and not track.segments


def attempt_folder(rendition_name: str, job: Job) -> str:
    """Where one attempt of a job writes in one rendition, relative to the encode's prefix."""
    return f"{rendition_name}/{job.position}-{job.attempt}/"


class NothingPublished(Exception):
    """A playlist was asked for that would name no segment."""


# --- Playlists ------------------------------------------------------------------


def media_playlist(encode: Encode, rendition: Rendition, uri: Callable[[str], str]) -> str:
    """The media playlist of ``rendition``; ``uri`` turns an object's relative name into what players fetch.

    ``EVENT`` while the encode runs, so a player keeps what it has and asks for
    more; ``VOD`` with ``EXT-X-ENDLIST`` once it is complete.  Raises
    NothingPublished while there is no segment.
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
    ).render()


def target_duration_s(encode: Encode) -> int:
    """One value for all renditions and for the whole life of an encode (RFC 8216, 4.3.3.1)."""
    if encode.video.is_recording:
        return RECORDING_TARGET_DURATION_S
    longest_picture_s = max((1 / rung.frame_rate for rung in encode.rungs if rung.frame_rate), default=0)
    # A segment ends with the picture that crosses the grid, and is compared rounded to whole seconds.
    return int(SEGMENT_S + longest_picture_s + 0.5)


def multivariant_playlist(encode: Encode, uri: Callable[[str], str]) -> str:
    """The multivariant playlist; ``uri`` turns a rendition's name into its playlist's address."""
    tracks = encode.tracks
    if not encode.rungs:
        return MultivariantPlaylist(variants=tuple(_sound_alone(track, uri) for track in tracks[:1])).render()
    return MultivariantPlaylist(
        audio=tuple(_audio_rendition(track, tracks, uri) for track in tracks),
        variants=tuple(_variant(rung, tracks, uri) for rung in encode.rungs),
    ).render()


def _sound_alone(track: Rendition, uri: Callable[[str], str]) -> Variant:
    return Variant(uri=uri(track.name), bandwidth_bps=_peak(track.bitrate_bps), codecs=track.codecs)


def _variant(rung: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> Variant:
    sound_bps = max((track.bitrate_bps for track in tracks), default=0)
    return Variant(
        uri=uri(rung.name),
        bandwidth_bps=_peak(rung.bitrate_bps + sound_bps),
        codecs=",".join([rung.codecs, *(track.codecs for track in tracks[:1])]),
        resolution=(rung.width_px, rung.height_px),
        frame_rate=rung.frame_rate,
        audio_group=AUDIO_GROUP if tracks else None,
    )


def _peak(bitrate_bps: int) -> int:
    return round(bitrate_bps * PEAK_FACTOR)


def _audio_rendition(track: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> AudioRendition:
    default = next((other for other in tracks if other.is_default), tracks[0])
    return AudioRendition(
        group_id=AUDIO_GROUP,
        name=track.label,
        language=track.language,
        uri=uri(track.name),
        is_default=track == default,
        channels=track.channels,
    )


def write_playlists(encode: Encode) -> None:
    """Leave the finished encode as a plain HLS tree with relative URIs, media playlists first."""
    prefix = encode.video.encode_prefix
    for rendition in [*encode.rungs, *encode.tracks]:
        storage.put_text(f"{prefix}{rendition.name}.m3u8", media_playlist(encode, rendition, str))
    storage.put_text(f"{prefix}multivariant.m3u8", multivariant_playlist(encode, "{}.m3u8".format))


# --- Segments -------------------------------------------------------------------


class LeaseLost(Exception):
    """Another attempt has this job now, or the video is gone: stop, and change nothing."""


@dataclass(slots=True)
class SegmentPublisher:
    """Stores the segments of one attempt, and lists each number once it is stored in every rendition."""

    job: Job
    renditions: Sequence[Rendition]
    on_listed: Callable[[], None]
    waiting: dict[int, dict[int, float]] = field(default_factory=dict)
    has_init: set[int] = field(default_factory=set)

    def key(self, output: int, name: str) -> str:
        rendition = self.renditions[output]
        return f"{self.job.video.encode_prefix}{attempt_folder(rendition.name, self.job)}{name}"

    def add(self, segment: FinishedSegment, init_path: Path) -> None:
        """Store a segment of one output and delete its file; list its number if it was the last to come."""
        output = segment.output_index
        if output not in self.has_init:
            storage.put_file(self.key(output, "init.mp4"), init_path)
            self.has_init.add(output)
        self.job.bytes_stored += storage.put_file(self.key(output, f"{segment.number}.m4s"), segment.path)
        segment.path.unlink()
        self.waiting.setdefault(segment.number, {})[output] = segment.duration_s
        self._list_complete()

    def _list_complete(self) -> None:
        listed_before = len(self.job.segments)
        while len(self.waiting.get(self._next_number, ())) == len(self.renditions):
            durations = self.waiting.pop(self._next_number)
            self.job.segments.append(round(max(durations.values()), 6))
        if len(self.job.segments) > listed_before:
            if not self.job.renew_lease(segments=self.job.segments, bytes_stored=self.job.bytes_stored):
                raise LeaseLost
            self.on_listed()

    @property
    def _next_number(self) -> int:
        return self.job.first_segment + len(self.job.segments)
