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
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from common import storage
from videos import caption_tracks
from videos.hls.bitrate import measured
from videos.hls.media import MediaPlaylist, Segment
from videos.hls.multivariant import AudioRendition, MultivariantPlaylist, Variant
from videos.languages import spoken_tag
from videos.models import Job, Rendition, SegmentPlan, SegmentRun, Video
from videos.transcoding.chunks import SEGMENT_S
from videos.transcoding.codecs import expected_codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videos.models import CaptionTrack
    from videos.transcoding.run import FinishedSegment

AUDIO_GROUP = "audio"
_ROUNDING_S = 0.05
# A place on the grid may lie this much, in frames, behind the frame that begins there.
_ROUNDING_FRAMES = Fraction(1, 1000)
# Our encoder's blocks of 1024 samples at 48 kHz.
AAC_BLOCKS_PER_S = Fraction(48_000, 1024)
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
        """Read the current encode of ``video`` in three queries; a recording has no plan and takes two."""
        return cls(
            video=video,
            renditions=list(
                video.renditions.filter(encode_key=video.encode_key).order_by("kind", "position")
            ),
            runs=list(SegmentRun.objects.of(video)),
            plans={}
            if video.is_recording
            else {plan.kind: plan for plan in video.plans.filter(encode_key=video.encode_key)},
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
    def offered(self) -> list[Rendition]:
        """Return the rungs for new players: without a copy that an encoded rung has replaced.

        During an encode, those that have their first segment come first: players of ours
        begin with the first one (``engine.js``).
        """
        rungs = [rung for rung in self.rungs if rung.retired_at is None]
        if self.shows_plan:
            rungs.sort(key=lambda rung: not self._stored(rung))
        return rungs

    @property
    def tracks(self) -> list[Rendition]:
        """Return the audio renditions, except those without decodable audio in the source."""
        tracks = [rendition for rendition in self.renditions if rendition.kind == Rendition.Kind.AUDIO]
        return [track for track in tracks if any(run.is_open or run.segments for run in self.runs_of(track))]

    @property
    def shows_plan(self) -> bool:
        """Return whether the playlists list the planned segments: until the encode is complete."""
        plan = self.plans.get(Rendition.Kind.VIDEO)
        is_running = self.video.status == Video.Status.PROCESSING
        return plan is not None and plan.is_trusted and is_running and not self.is_complete

    @property
    def is_playable(self) -> bool:
        """Return whether every rendition has its first segment; with a plan, one rung and all tracks."""
        rungs = [bool(self._stored(rung)) for rung in self.rungs]
        tracks = [bool(self._stored(track)) for track in self.tracks]
        if not rungs and not tracks:
            return False
        is_enough = any(rungs) if self.shows_plan else all(rungs)
        return is_enough and all(tracks)

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
        placed = self._stored(rendition)
        if rendition.kind == Rendition.Kind.AUDIO:
            return _beginning_before(self._video_end_s, placed)
        sound_s = min((_listened_s(self.runs_of(track)) for track in self.tracks), default=inf)
        ends = accumulate(segment.duration_s for segment in placed)
        return [
            segment for segment, end_s in zip(placed, ends, strict=True) if end_s <= sound_s + SEGMENT_S / 2
        ]

    def _stored(self, rendition: Rendition) -> list[Placed]:
        return _place(rendition, self.runs_of(rendition))

    @property
    def _video_end_s(self) -> float:
        """Return the seconds of video without a gap in the longest rung, or infinity without a rung."""
        lengths_s = [sum(segment.duration_s for segment in self._stored(rung)) for rung in self.rungs]
        return max(lengths_s, default=inf)

    def listed(self, rendition: Rendition) -> list[Placed]:
        """Return the segments of the rendition's playlist now; with a plan, also those that will exist."""
        if not self.shows_plan:
            return self.segments(rendition)
        stored = self.stored_by_number(rendition)
        init_name = next((placed.init_name for placed in stored.values()), f"{rendition.name}/init.mp4")
        listed = []
        for number, duration_s in enumerate(self._planned_durations_s(rendition)):
            if number in stored:
                listed.append(replace(stored[number], init_name=init_name))
            elif self.is_beyond_end(rendition, number):
                return listed
            else:
                name = f"{rendition.name}/{number}.m4s"
                listed.append(Placed(name, init_name, duration_s, is_stored=False))
        # The decoder found more than the header declared.
        while placed := stored.get(len(listed)):
            listed.append(replace(placed, init_name=init_name))
        return listed

    def stored_by_number(self, rendition: Rendition) -> dict[int, Placed]:
        """Return the stored segments of ``rendition`` by their number in the video, with gaps."""
        return {
            run.first_segment + index: placed
            for run in self.runs_of(rendition)
            for index, placed in enumerate(_placed_of(rendition, run))
        }

    def awaits(self, name: str, number: int | None) -> bool:
        """Return whether segment ``number`` of a rendition may still come; None means its init segment."""
        rendition = self.rendition(name)
        if rendition is None or not self.shows_plan:
            return False
        stored = self.stored_by_number(rendition)
        if number is None:
            return not stored
        return number not in stored and not self.is_beyond_end(rendition, number)

    def rendition(self, name: str) -> Rendition | None:
        """Return the rung or the track ``name``, or None."""
        return next((each for each in [*self.rungs, *self.tracks] if each.name == name), None)

    def is_beyond_end(self, rendition: Rendition, number: int) -> bool:
        """Return whether ``rendition`` ends before segment ``number``, as far as that is known."""
        for run in self.runs_of(rendition):
            stored_until = run.first_segment + len(run.segments)
            if stored_until > number:
                return False
            planned_until = inf if run.segment_count is None else run.first_segment + run.segment_count
            if run.is_open and planned_until > number:
                return False
        return True

    def _planned_durations_s(self, rendition: Rendition) -> list[float]:
        """Return the durations of the planned segments, each from its first frame to the next one's."""
        grid = self.plans[rendition.kind].grid
        source = self.video.source
        if rendition.kind == Rendition.Kind.VIDEO and any(rung.is_copied for rung in self.rungs):
            # Cut at the source's own frames.
            return [round(after - before, 6) for before, after in pairwise([*grid.starts_s, grid.end_s])]
        if rendition.kind == Rendition.Kind.AUDIO:
            rate = AAC_BLOCKS_PER_S
        elif source and source.video:
            rate = source.video.frame_rate
        else:
            rate = Fraction(rendition.frame_rate).limit_denominator(1001)
        # A segment begins with the first frame at or after its place on the grid.
        starts = [ceil(Fraction(start_s) * rate - _ROUNDING_FRAMES) / rate for start_s in grid.starts_s]
        following = [
            *starts[1:],
            max(starts[-1], ceil(Fraction(grid.end_s) * rate - _ROUNDING_FRAMES) / rate),
        ]
        return [round(float(end - start), 6) for start, end in zip(starts, following, strict=True)]


def _beginning_before(end_s: float, placed: list[Placed]) -> list[Placed]:
    """Return the segments that begin before ``end_s``."""
    starts = accumulate((segment.duration_s for segment in placed), initial=0.0)
    # Audio is cut between blocks of 21 ms: a segment that starts just before the end belongs after it.
    return [
        segment for segment, start_s in zip(placed, starts, strict=False) if start_s < end_s - _ROUNDING_S
    ]


@dataclass(frozen=True, slots=True)
class Placed:
    """A listed segment: its key and its init segment's, relative to the encode, and its duration.

    The names of segments that are not stored yet, and of init segments before the first
    stored one, are addresses relative to the playlists (``videos.views.delivery``).
    """

    name: str
    init_name: str
    duration_s: float
    is_discontinuous: bool = False
    taken_at: datetime | None = None
    is_stored: bool = True


def _place(rendition: Rendition, runs: Sequence[SegmentRun]) -> list[Placed]:
    """Return the segments of consecutive runs, up to the first gap.

    Runs of one timeline have the same init segment, byte for byte, so players need
    only the first.  An upload has one timeline; a recording begins another after each
    interruption of its timestamps.
    """
    placed: list[Placed] = []
    init_name = ""
    for run in runs:
        of_run = _placed_of(rendition, run)
        if of_run and (run.is_discontinuous or not init_name):
            init_name = of_run[0].init_name
        is_gap = run.is_discontinuous and bool(placed)
        placed += [
            replace(segment, init_name=init_name, is_discontinuous=is_gap and index == 0)
            for index, segment in enumerate(of_run)
        ]
        if run.is_open or run.is_short:
            break
    return placed


def _placed_of(rendition: Rendition, run: SegmentRun) -> list[Placed]:
    """Return the stored segments of one run, with the init segment of that run."""
    folder = run.folder(rendition.name)
    return [
        Placed(
            f"{folder}{run.first_segment + index}.m4s",
            f"{folder}init.mp4",
            duration_s,
            taken_at=run.began_at if index == 0 else None,
        )
        for index, duration_s in enumerate(run.segments)
    ]


def _listened_s(runs: Sequence[SegmentRun]) -> float:
    """Return the seconds of audio in ``runs``, or infinity if they are complete."""
    if not any(run.is_open for run in runs):
        return inf
    return sum(run.duration_s for run in runs)


class NothingPublished(Exception):
    """The requested playlist would list no segment."""


def media_playlist(
    encode: Encode,
    rendition: Rendition,
    uri: Callable[[str], str],
    address: Callable[[str], str] = str,
) -> MediaPlaylist:
    """Return the media playlist of ``rendition``.

    ``uri`` maps an object's name to its URL, ``address`` the relative address of a
    segment that is not stored yet to the one that the playlist names.

    It is a ``VOD`` with ``EXT-X-ENDLIST`` once the encode is complete, and before that
    where it lists the whole plan.  Otherwise it is an ``EVENT``, so that players keep
    their segments and ask for more.  Raises NothingPublished if there is no segment.
    """
    placed = encode.listed(rendition)
    if not placed:
        raise NothingPublished(rendition.name)
    # Of a rendition without stored segments, the init segment does not exist either.
    has_init = any(segment.is_stored for segment in placed)
    init_uris = {
        name: uri(name) if has_init else address(name) for name in {segment.init_name for segment in placed}
    }
    return MediaPlaylist(
        target_duration_s=target_duration_s(encode),
        segments=tuple(
            Segment(
                uri=uri(segment.name) if segment.is_stored else address(segment.name),
                duration_s=segment.duration_s,
                map_uri=init_uris[segment.init_name],
                is_discontinuous=segment.is_discontinuous,
                taken_at=segment.taken_at,
            )
            for segment in placed
        ),
        is_complete=encode.shows_plan or encode.is_complete,
    )


def target_duration_s(encode: Encode) -> int:
    """Return one value for all renditions and for the whole life of an encode (RFC 8216, 4.3.3.1)."""
    if encode.video.is_recording:
        return RECORDING_TARGET_DURATION_S
    longest_picture_s = max((1 / rung.frame_rate for rung in encode.rungs if rung.frame_rate), default=0)
    grid = encode.plans[Rendition.Kind.VIDEO].grid if Rendition.Kind.VIDEO in encode.plans else None
    planned = pairwise([*grid.starts_s, grid.end_s]) if grid else ()
    longest_s = max((end_s - start_s for start_s, end_s in planned), default=0)
    # A segment ends with the frame that crosses the grid; players compare durations in whole seconds.
    return int(max(SEGMENT_S, longest_s) + longest_picture_s + 0.5)


def multivariant_playlist(
    encode: Encode, uri: Callable[[str], str], captions: Sequence[CaptionTrack] = ()
) -> str:
    """Return the multivariant playlist; ``uri`` maps a rendition's name to the URL of its playlist.

    Captions change without the encode, so the playlist in storage names none.
    """
    tracks = encode.tracks
    subtitles = tuple(caption_tracks.rendition_of(track, uri) for track in captions)
    variants = (
        [_variant(encode, rung, tracks, uri) for rung in encode.offered]
        if encode.rungs
        else [_sound_alone(track, uri) for track in tracks[:1]]
    )
    return MultivariantPlaylist(
        audio=tuple(_audio_rendition(track, tracks, uri) for track in tracks) if encode.rungs else (),
        subtitles=subtitles,
        variants=tuple(
            replace(variant, subtitle_group=caption_tracks.SUBTITLE_GROUP if subtitles else None)
            for variant in variants
        ),
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
        codecs=",".join([rung.codecs or _expected_codec(rung), *(track.codecs for track in tracks[:1])]),
        resolution=(rung.width_px, rung.height_px),
        frame_rate=rung.frame_rate,
        audio_group=AUDIO_GROUP if tracks else None,
        # Copied segments may hold closed captions; encoded ones do not.
        has_captions=encode.video.is_recording or any(other.is_copied for other in encode.rungs),
    )


def _expected_codec(rung: Rendition) -> str:
    return expected_codec(rung.width_px, rung.height_px, rung.frame_rate, rung.bitrate_bps)


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


def retire_interim(encode: Encode) -> None:
    """Take the copy of a complete encode out of its multivariant playlist if an encoded rung replaces it.

    Its own playlist and its segments stay for players that have the older playlist
    (``videos.cleaning``).
    """
    now = timezone.now()
    for rung in encode.rungs:
        if rung.is_interim and rung.retired_at is None:
            rung.retired_at = now
            rung.save(update_fields=["retired_at"])


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
    was_shortened: bool = False

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
        size_bytes = storage.put_file(self.key(output, f"{segment.number}.m4s"), segment.path)
        segment.path.unlink()
        self.hold(segment.number, size_bytes, segment.duration_s, output=output)
        self.list_complete()

    def hold(self, number: int, size_bytes: int, duration_s: float, *, output: int = 0) -> None:
        """Keep a stored segment of one output, to be listed."""
        self.run.bytes_stored += size_bytes
        self.waiting.setdefault(number, {})[output] = duration_s

    @property
    def is_cut(self) -> bool:
        """Return whether all segments are listed because the run was shortened: the encoder can stop."""
        return self.was_shortened and not self.run.is_short

    def list_complete(self) -> None:
        """List the next segments that every rendition has stored.  Raises LeaseLost."""
        listed = list(self.run.segments)
        while len(self.waiting.get(self.run.first_segment + len(listed), ())) == len(self.renditions):
            durations = self.waiting.pop(self.run.first_segment + len(listed))
            listed.append(round(max(durations.values()), 6))
        if len(listed) > len(self.run.segments):
            with transaction.atomic():
                # The first update locks the job, so no other attempt begins before the second,
                # and nobody shortens the run.
                is_held = self.job.renew_lease(waits_for="", waits=0)
                held = SegmentRun.objects.held(self.run)
                planned = held.values_list("segment_count", flat=True).first()
                if planned != self.run.segment_count:
                    self.was_shortened, self.run.segment_count = True, planned
                if self.was_shortened:
                    del listed[planned:]
                fields = {"segments": listed, "bytes_stored": self.run.bytes_stored}
                if not is_held or not held.update(**fields):
                    raise LeaseLost
            self.run.segments = listed
            self.on_listed()
