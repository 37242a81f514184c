"""The loudness of a ready video's audio tracks, measured after everything else.

The stored renditions are measured, not the source: players play those, and copied tracks
and recordings are never decoded otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from django.db.models import Exists, Max, OuterRef

from accounts import sweeps
from videos import storyboards
from videos.models import Job, Rendition, Video
from videos.publishing import MAX_INIT_BYTES, MAX_SEGMENT_BYTES, Encode, Placed, read_object
from videos.transcoding.errors import EncodeFailed
from videos.transcoding.loudness import Loudness, joined, measure_args, read_reports
from videos.transcoding.processes import run_short

# The segments of a recording hold video as well: of a long one, only so many are read.
MAX_RECORDED_SEGMENTS = 900
# A measurement takes about a hundredth of the track's duration.
LEAST_TIMEOUT_S = 120
TIMEOUT_SHARE = 0.1
MAX_TRACKS_MEASURED = 32
MAX_REPORT_BYTES = 64 * 1024
QUEUED_AT_ONCE = 50


def queue_for(encode: Encode) -> None:
    """Queue the measurement of an encode that is complete, in the caller's transaction."""
    if not _tracks(encode):
        return
    # One for each change: the tracks of an encode may become more and fewer.
    video = encode.video
    before = Job.objects.filter(video=video, encode_key=video.encode_key, kind=Job.Kind.LOUDNESS)
    latest = before.aggregate(latest=Max("position"))["latest"] or 0
    storyboards.queue_after(video, Job.Kind.LOUDNESS, position=max(latest + 1, len(encode.runs)))


def queue_missing() -> None:
    """Queue the measurement of ready videos from before loudness was measured."""
    jobs = Job.objects.filter(video=OuterRef("pk"), encode_key=OuterRef("encode_key"), kind=Job.Kind.LOUDNESS)
    missing = Video.objects.filter(status=Video.Status.READY, loudness__isnull=True).exclude(Exists(jobs))

    def queue_one(video: Video) -> None:
        storyboards.queue_after(video, Job.Kind.LOUDNESS)

    sweeps.each("queue loudness", missing.order_by("-pk"), queue_one, at_most=QUEUED_AT_ONCE)


def measure(video: Video, nicely: Callable[[list[str]], list[str]]) -> list[list[float] | None] | None:
    """Return integrated loudness (LUFS) and true peak (dBTP) of each audio track, None for a silent one.

    The order is that of the playlist.  Return None for a recording that goes on: its end
    queues another job.  Raises TranscodeError or an error of storage.
    """
    if video.status != Video.Status.READY:
        return None
    encode = Encode.of(video)
    found = [_measured(video, encode.segments(track), nicely) for track in _tracks(encode)]
    return [[track.integrated_lufs, track.true_peak_dbtp] if track else None for track in found]


def publish(video: Video, loudness: list[list[float] | None]) -> None:
    """Store the loudness, unless the video has changed since it was read."""
    same = Video.objects.filter(pk=video.pk, encode_key=video.encode_key, status=video.status)
    # A track that was added or removed meanwhile has moved the others.
    same.filter(duration_s=video.duration_s, audio_version=video.audio_version).update(loudness=loudness)


def _tracks(encode: Encode) -> list[Rendition]:
    """Return the audio renditions, or of a recording the smallest rendition, which holds the audio."""
    if encode.tracks:
        return encode.tracks[:MAX_TRACKS_MEASURED]
    return [rung for rung in encode.offered[-1:] if "mp4a" in rung.codecs]


def _measured(
    video: Video, placed: Sequence[Placed], nicely: Callable[[list[str]], list[str]]
) -> Loudness | None:
    step = max(1, -(-len(placed) // MAX_RECORDED_SEGMENTS)) if video.is_recording else 1
    parts = []
    for _, group in groupby(placed[::step], key=lambda segment: segment.init_name):
        segments = list(group)
        duration_s = sum(segment.duration_s for segment in segments)
        part = _run(nicely(measure_args(duration_s)), duration_s, _pieces(video, segments))
        parts += [(duration_s, part)] if part else []
    whole = joined(parts)
    if whole and step > 1:
        # A louder peak may lie in a segment that was not read.
        whole = Loudness(whole.integrated_lufs, max(0.0, whole.true_peak_dbtp))
    return whole


def _pieces(video: Video, placed: Sequence[Placed]) -> Iterator[bytes]:
    yield read_object(video, placed[0].init_name, MAX_INIT_BYTES)
    for segment in placed:
        yield read_object(video, segment.name, MAX_SEGMENT_BYTES)


def _run(argv: list[str], duration_s: float, pieces: Iterator[bytes]) -> Loudness | None:
    timeout_s = LEAST_TIMEOUT_S + TIMEOUT_SHARE * duration_s
    finished = run_short(argv, timeout_s=timeout_s, max_stdout_bytes=MAX_REPORT_BYTES, pieces=pieces)
    if finished.exit_code:
        raise EncodeFailed(
            f"loudness not measured, FFmpeg ended with {finished.exit_code}: {finished.stderr}"
        )
    return read_reports(finished.stdout)
