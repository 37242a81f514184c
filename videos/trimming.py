"""Trims: an encode of the kept parts of a video, made from the segments of its current one.

Nothing is read from the source.  Whole segments are copied with other times; those at the
edges of a part are encoded anew from the best rung.  The video, with all its rungs, is one
job, and so is each audio track: a job that is killed begins anew, and an hour takes about
as long as a copy of its objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import transaction

from common import disk, storage
from common.media.boxes import BrokenBoxes
from common.media.fragments import FragmentReader, Movie, Sample, Track, write_fragment
from common.media.parameter_sets import AvcSets, sets_of, with_sets
from common.media.retiming import moved
from videos import ends, progress, queue
from videos.leases import LeaseKeeper, lease_kept
from videos.models import Job, Rendition, SegmentPlan, SegmentRun, Video
from videos.poster_choices import poster_rendition
from videos.publishing import (
    MAX_INIT_BYTES,
    MAX_SEGMENT_BYTES,
    Encode,
    LeaseLost,
    Placed,
    SegmentPublisher,
    read_object,
)
from videos.transcoding.chunks import grid_until
from videos.transcoding.copying.segments import MAX_SEGMENT_BYTES as MAX_COPIED_BYTES
from videos.transcoding.edges import EdgeOutput, EdgeTimes, edge_args, init_of, retimed_edge
from videos.transcoding.errors import EncodeFailed, FFmpegFailed, HostTrouble
from videos.transcoding.processes import DISK_TROUBLE, run_short
from videos.transcoding.run import run_poster
from videos.transcoding.sandbox import encoding
from videos.transcoding.storyboard import still_args, still_size
from videos.transcoding.timeline import KeptParts
from videos.transcoding.trimming import (
    Piece,
    frame_at,
    frames_between,
    plan_pieces,
    segment_at,
    spliced,
)

SEGMENTS_AT_ONCE = 8
# An edge of 2160p on a slow core.
EDGE_TIMEOUT_S = 1800.0
# Each listing is a transaction.
LIST_EVERY_S = 0.5
POSTER_SHARE, POSTER_LATEST_S = 0.1, 30.0
BULK_NICENESS = 19


@dataclass
class OldEncode:
    """The current encode of a video, as a trim reads it."""

    encode: Encode
    inits: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, edition: Video) -> OldEncode:
        """Return the encode that an edition trims.  Raises LeaseLost if the video is gone."""
        if edition.edition_of is None:
            raise LeaseLost
        return cls(Encode.of(edition.edition_of))

    @cached_property
    def rungs(self) -> list[Rendition]:
        return self.encode.offered

    @cached_property
    def placed(self) -> dict[str, list[Placed]]:
        """Return the segments of each rendition by its name."""
        return {one.name: self.encode.segments(one) for one in [*self.rungs, *self.encode.tracks]}

    @cached_property
    def bounds_s(self) -> list[float]:
        """Return where the segments of video begin, and where the last one ends."""
        lengths = (segment.duration_s for segment in self.placed[self.rungs[0].name])
        return [round(at_s, 6) for at_s in accumulate(lengths, initial=0.0)]

    def init(self, name: str) -> bytes:
        """Return the init segment of a rendition."""
        if name not in self.inits:
            self.inits[name] = read_object(self.encode.video, self.placed[name][0].init_name, MAX_INIT_BYTES)
        return self.inits[name]

    def track(self, name: str) -> Track:
        movies = [found for found in FragmentReader().feed(self.init(name)) if isinstance(found, Movie)]
        if len(movies) != 1 or len(movies[0].tracks) != 1:
            raise BrokenBoxes("no init segment of one track")
        return movies[0].tracks[0]

    def segment(self, name: str, number: int) -> bytes:
        # A copied segment may be larger than an encoded one.
        most = max(MAX_SEGMENT_BYTES, MAX_COPIED_BYTES)
        return read_object(self.encode.video, self.placed[name][number].name, most)

    def samples(self, name: str, numbers: range) -> list[Sample]:
        """Return the samples of consecutive segments."""
        reader = FragmentReader(max_box_bytes=MAX_COPIED_BYTES)
        pieces = list(reader.feed(self.init(name)))
        for number in numbers:
            pieces += reader.feed(self.segment(name, number))
        return [piece for piece in pieces if isinstance(piece, Sample)]


def plan(job: Job) -> None:
    """Move the requested parts onto frames, and create the jobs of a trim."""
    old = OldEncode.of(job.video)
    with lease_kept(job), _failed_if_broken():
        kept = _on_frames(old, KeptParts.of(job.video.kept_parts or ()))
    lay_out(job, old, kept)
    progress.publish(job.video)


@contextmanager
def _failed_if_broken() -> Iterator[None]:
    """Let stored segments that cannot be read fail the encode."""
    try:
        yield
    except BrokenBoxes as error:
        raise EncodeFailed(f"a stored segment: {error}") from error


def _on_frames(old: OldEncode, requested: KeptParts) -> KeptParts:
    """Return the parts with each end on the frame that is on screen at that moment.

    The frame at a part's start is its first; that at its end is the first one that is cut.
    """
    if not old.rungs:
        end_s = sum(segment.duration_s for segment in next(iter(old.placed.values())))
        return KeptParts.of([(start_s, min(after_s, end_s)) for start_s, after_s in requested.parts])
    smallest, bounds_s = old.rungs[-1].name, old.bounds_s
    timescale = old.track(smallest).timescale
    known: dict[int, list[float]] = {}

    def on_frame(at_s: float) -> float:
        if at_s >= bounds_s[-1]:
            return bounds_s[-1]
        number = segment_at(bounds_s, at_s)
        if number not in known:
            samples = old.samples(smallest, range(number, number + 1))
            known[number] = sorted((one.decode_time + one.composition_offset) / timescale for one in samples)
        shown_s = frame_at(known[number], at_s)
        # A segment begins with its first frame, as its playlist counts.
        return bounds_s[number] if shown_s == known[number][0] else shown_s

    found = [(on_frame(start_s), on_frame(end_s)) for start_s, end_s in requested.parts]
    parts = [(start_s, end_s) for start_s, end_s in found if start_s < end_s]
    if not parts:
        raise EncodeFailed("no frame is kept")
    return KeptParts.of(parts)


@transaction.atomic
def lay_out(job: Job, old: OldEncode, kept: KeptParts) -> None:
    """Store the renditions, the planned segments and the jobs of a trim."""
    ends.finish_row(job)
    edition, video = job.video, old.encode.video
    shown = {
        "kept_parts": kept.to_json(),
        "duration_s": kept.duration_s,
        "width_px": video.width_px,
        "height_px": video.height_px,
        "source_json": video.source_json,
    }
    if not Video.objects.filter(pk=edition.pk, encode_key=job.encode_key).update(**shown):
        raise LeaseLost
    pieces = plan_pieces(old.bounds_s, kept) if old.rungs else ()
    names = [rung.name for rung in old.rungs]
    Rendition.objects.bulk_create(_like(one, edition) for one in [*old.rungs, *old.encode.tracks])
    of_encode = {"video": edition, "encode_key": edition.encode_key}
    if pieces:
        starts_s = [piece.begins_s for piece in pieces]
        audio = grid_until(kept.duration_s)
        SegmentPlan.objects.bulk_create(
            [
                SegmentPlan(**of_encode, kind=Rendition.Kind.VIDEO, starts_s=starts_s, end_s=kept.duration_s),
                SegmentPlan(
                    **of_encode, kind=Rendition.Kind.AUDIO, starts_s=list(audio.starts_s), end_s=audio.end_s
                ),
            ]
        )
    video_runs = [
        SegmentRun(**of_encode, kind=Rendition.Kind.VIDEO, renditions=names, segment_count=len(pieces))
    ]
    audio_runs = [
        SegmentRun(**of_encode, kind=Rendition.Kind.AUDIO, position=track.position, renditions=[track.name])
        for track in old.encode.tracks
    ]
    runs = [*(video_runs if pieces else []), *audio_runs]
    SegmentRun.objects.bulk_create(runs)
    Job.objects.bulk_create(
        Job(
            **of_encode,
            kind=Job.Kind.TRIM,
            position=position,
            lane=Job.Lane.BULK,
            run=run,
            length_s=kept.duration_s,
        )
        for position, run in enumerate(runs)
    )
    source = video.source
    if not old.rungs and source and source.cover_index is not None:
        # A cover shows no moment: it is read from the file again.
        Job.objects.create(**of_encode, kind=Job.Kind.POSTER, lane=Job.Lane.BULK)
    transaction.on_commit(lambda: queue.wake(Job.Lane.BULK, len(runs)))


def _like(rendition: Rendition, edition: Video) -> Rendition:
    """Return a rendition of the edition that is like one of the video; its bitrates are measured anew."""
    return Rendition(
        video=edition,
        encode_key=edition.encode_key,
        **{
            name: getattr(rendition, name)
            for name in (
                "kind", "position", "name", "width_px", "height_px", "frame_rate", "bitrate_bps", "codecs",
                "language", "label", "channels", "is_default", "is_copied", "role", "is_added",
            )
        },
    )  # fmt: skip


def work(job: Job) -> None:
    """Make the segments of one run of a trim: of all rungs, or of an audio track."""
    if job.run is None or not job.video.kept_parts:
        raise LeaseLost  # the edition was reset after this claim
    old, kept = OldEncode.of(job.video), KeptParts.of(job.video.kept_parts)
    with disk.workspace() as folder, lease_kept(job), _failed_if_broken():
        if job.run.kind == Rendition.Kind.AUDIO:
            _splice_audio(job, job.run, old, kept)
        else:
            pieces = plan_pieces(old.bounds_s, kept)
            _RungCutter(job, job.run, old, kept, folder).run(pieces)
            _store_poster(job, old, kept, folder)
    ends.finish(job)


def _renditions(job: Job, run: SegmentRun) -> list[Rendition]:
    of_kind = job.video.renditions.filter(encode_key=job.encode_key, kind=run.kind)
    return [one for one in of_kind.order_by("position") if run.holds(one)]


class _RungCutter:
    """The making of all rungs of a trim."""

    def __init__(self, job: Job, run: SegmentRun, old: OldEncode, kept: KeptParts, folder: Path) -> None:
        self.job, self.old, self.kept, self.folder = job, old, kept, folder
        self.renditions = _renditions(job, run)
        self.publisher = SegmentPublisher(
            job, run, self.renditions, on_listed=lambda: ends.record_playable(job.video_id)
        )
        self.timescales = [old.track(one.name).timescale for one in self.renditions]
        self.sets = [sets_of(old.init(one.name)) for one in self.renditions]
        # Of each rung: the sets of its edges, once the first one is encoded.
        self.added: list[AvcSets | None] = [None] * len(self.renditions)

    def run(self, pieces: Sequence[Piece]) -> None:
        """Store all pieces: those at edges first, because the init segments need their parameter sets."""
        sizes: dict[int, list[int]] = {}
        for number, piece in enumerate(pieces):
            if not piece.is_whole:
                sizes[number] = self._store_edge(number, piece)
        for output, rendition in enumerate(self.renditions):
            init, added = self.old.init(rendition.name), self.added[output]
            key = self.publisher.key(output, "init.mp4")
            storage.put_bytes(key, with_sets(init, added) if added else init)
        keeper, listed_at, done_s = LeaseKeeper(self.job), 0.0, 0.0
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="trim") as pool:
            copies = {
                number: [
                    pool.submit(self._copy, output, number, piece) for output in range(len(self.renditions))
                ]
                for number, piece in enumerate(pieces)
                if piece.is_whole
            }
            try:
                for number, piece in enumerate(pieces):
                    of_piece = sizes.get(number) or [copy.result() for copy in copies.pop(number)]
                    for output, size_bytes in enumerate(of_piece):
                        self.publisher.hold(number, size_bytes, self._length_s(piece), output=output)
                    done_s += piece.length_s
                    if monotonic() - listed_at > LIST_EVERY_S or number == len(pieces) - 1:
                        self.publisher.list_complete()
                        listed_at = monotonic()
                    keeper(done_s)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    @property
    def _at_once(self) -> int:
        """Return the number of segments that may be in memory together, each with its copy."""
        # The longest ones last eight seconds.
        largest_bytes = max(one.bitrate_bps for one in self.renditions)
        return max(1, min(SEGMENTS_AT_ONCE, MAX_COPIED_BYTES // max(1, 2 * largest_bytes)))

    def _length_s(self, piece: Piece) -> float:
        return round(piece.end_s - piece.start_s, 6)

    def _shift(self, output: int, piece: Piece) -> int:
        """Return the ticks by which the times of a piece move."""
        by_s = self.kept.starts_s[piece.part] - self.kept.parts[piece.part][0]
        return round(by_s * self.timescales[output])

    def _copy(self, output: int, number: int, piece: Piece) -> int:
        data = self.old.segment(self.renditions[output].name, piece.first)
        data = moved(data, self._shift(output, piece), sequence=number + 1)
        return storage.put_bytes(self.publisher.key(output, f"{number}.m4s"), data)

    def _store_edge(self, number: int, piece: Piece) -> list[int]:
        """Encode a piece in every rung and store it; return the sizes."""
        numbers = range(piece.first, piece.after)
        best = self.renditions[0].name
        path = self.folder / "edge.mp4"
        with path.open("wb") as file:
            file.write(self.old.init(best))
            file.writelines(self.old.segment(best, one) for one in numbers)
        times, frames = zip(
            *(self._times(output, piece, numbers) for output in range(len(self.renditions))), strict=True
        )
        if len(set(frames)) != 1 or not frames[0]:
            raise EncodeFailed(f"rungs have other frames: {sorted(map(len, frames))}")
        outputs = [self._output(output) for output in range(len(self.renditions))]
        _run_edge(edge_args(path, frames[0], outputs, preset=settings.ENCODE_PRESET), self.folder)
        sizes = []
        for output, (one, of_rung) in enumerate(zip(outputs, times, strict=True)):
            encoded = one.path.read_bytes()
            self._keep_sets(output, sets_of(init_of(encoded)))
            track = self.old.track(self.renditions[output].name).number
            data = retimed_edge(encoded, track, of_rung, sequence=number + 1)
            sizes.append(storage.put_bytes(self.publisher.key(output, f"{number}.m4s"), data))
            one.path.unlink()
        return sizes

    def _times(self, output: int, piece: Piece, numbers: range) -> tuple[EdgeTimes, range]:
        """Return the times of a piece's frames in one rung, and their numbers in its segments."""
        timescale, shift = self.timescales[output], self._shift(output, piece)
        samples = self.old.samples(self.renditions[output].name, numbers)
        shown = sorted(one.decode_time + one.composition_offset for one in samples)
        frames = frames_between([at / timescale for at in shown], piece.start_s, piece.end_s)
        last = shown[frames.stop] if frames.stop < len(shown) else max(one.end for one in samples)
        ticks = tuple(at + shift for at in shown[frames.start : frames.stop])
        return EdgeTimes(ticks, last + shift), frames

    def _output(self, output: int) -> EdgeOutput:
        rendition, sets = self.renditions[output], self.sets[output]
        number = sets.free_number
        if number is None or sets.nal_length_bytes != 4:
            raise EncodeFailed(f"no edge can be joined to {rendition.name}")
        size_px = rendition.width_px, rendition.height_px
        path = self.folder / f"edge-{output}.mp4"
        return EdgeOutput(size_px, rendition.bitrate_bps, sets, number, self.timescales[output], path)

    def _keep_sets(self, output: int, sets: AvcSets) -> None:
        """Keep the parameter sets of an edge.  Raises EncodeFailed if an edge before has other ones."""
        before = self.added[output] or sets
        if (before.sequence, before.picture) != (sets.sequence, sets.picture):
            raise EncodeFailed(f"edges of {self.renditions[output].name} differ")
        self.added[output] = sets


def _run_edge(argv: list[str], folder: Path) -> None:
    """Encode an edge.  Raises HostTrouble for a full disk, and FFmpegFailed."""
    argv = ["nice", "-n", str(BULK_NICENESS), *argv]
    finished = run_short(argv, timeout_s=EDGE_TIMEOUT_S, writes=[folder], limits=encoding(EDGE_TIMEOUT_S))
    if DISK_TROUBLE.search(finished.stderr):
        raise HostTrouble(finished.stderr)
    if finished.exit_code:
        raise FFmpegFailed(finished.exit_code, finished.stderr)


def _splice_audio(job: Job, run: SegmentRun, old: OldEncode, kept: KeptParts) -> None:
    """Store the segments of an audio track: the blocks of its kept parts."""
    (rendition,) = _renditions(job, run)
    publisher = SegmentPublisher(job, run, [rendition], on_listed=lambda: ends.record_playable(job.video_id))
    storage.put_bytes(publisher.key(0, "init.mp4"), old.init(rendition.name))
    timescale = old.track(rendition.name).timescale
    bounds = [round(start_s * timescale) for start_s in grid_until(kept.duration_s).starts_s[1:]]
    keeper = LeaseKeeper(job)
    for number, blocks in enumerate(
        _grouped(spliced(_blocks(old, rendition.name, kept), kept, timescale), bounds)
    ):
        duration_s = (blocks[-1].end - blocks[0].decode_time) / timescale
        data = write_fragment(number + 1, [blocks])
        publisher.hold(number, storage.put_bytes(publisher.key(0, f"{number}.m4s"), data), duration_s)
        publisher.list_complete()
        keeper(blocks[-1].end / timescale)


def _blocks(old: OldEncode, name: str, kept: KeptParts) -> Iterator[Sample]:
    """Yield the blocks of the segments that hold a kept part, or that lie beside one."""
    begins_s = 0.0
    for number, segment in enumerate(old.placed[name]):
        ends_s = begins_s + segment.duration_s
        # Video and audio are not cut at the same moments.
        if any(start_s - 1 < ends_s and begins_s < end_s + 1 for start_s, end_s in kept.parts):
            yield from old.samples(name, range(number, number + 1))
        begins_s = ends_s


def _grouped(blocks: Iterator[Sample], bounds: Sequence[int]) -> Iterator[list[Sample]]:
    """Yield the blocks of each segment: a block belongs where most of it lies."""
    group: list[Sample] = []
    left = list(bounds)
    for block in blocks:
        if left and group and block.decode_time + block.duration // 2 >= left[0]:
            left.pop(0)
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _store_poster(job: Job, old: OldEncode, kept: KeptParts, folder: Path) -> None:
    """Store a frame of a kept part as the poster, unless the owner has chosen one."""
    video = old.encode.video
    if video.has_own_poster:
        return
    rung = poster_rendition(old.encode)
    at_s = kept.old_s(min(POSTER_SHARE * kept.duration_s, POSTER_LATEST_S))
    number = segment_at(old.bounds_s, at_s)
    source, path = folder / "poster.mp4", folder / "poster.jpg"
    source.write_bytes(old.init(rung.name) + old.segment(rung.name, number))
    size_px = still_size(rung.width_px, rung.height_px)
    argv = still_args(source, at_s - old.bounds_s[number], size_px, path)
    if found := run_poster(["nice", "-n", str(BULK_NICENESS), *argv], path):
        key = f"{job.video.encode_prefix}poster-{job.attempt}.jpg"
        storage.put_file(key, found)
        Video.objects.filter(pk=job.video_id, encode_key=job.encode_key).update(poster_key=key)
