"""The probe of an uploaded source: its result is a ``SourceInfo``, or an error for its owner.

It reads the first bytes, then the MP4 header by our own reader, then lets ffprobe read
the header.  Each step is safer than the next one.  The packets then give the true
times, and at last a frame and a little audio are decoded.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import mp4
from . import restarts as restarting
from .byteranges import RangeReader, range_reader
from .chapters import declared as chapters_of
from .chunks import plan_chunks
from .copying.eligibility import NotCopied
from .copying.plan import check_keyframes, facts, plan_copy, plan_tables
from .copying.scans import SCANNED_CONTAINERS, chosen_of, scan_source
from .copying.segments import CopiedTracks
from .copying.stored_tables import dump
from .copying.tables import TrackTables
from .errors import DecodeFailed, Encrypted, LimitsExceeded, NotMedia, StorageFailed
from .frames import FrameLook, decodes_from, look_at_frames
from .inputs import input_args, probe_input_args
from .leftovers import LeftOut, left_out_of, missing_end
from .limits import DEFAULT_LIMITS, SourceLimits
from .packets import KEPT_TIMES, StreamPackets, measure
from .processes import STORAGE_TROUBLE, Finished, open_process, run_short
from .restarts import Restarts
from .sniff import sniff
from .source import DISCONTINUOUS, CopiedSource, SourceInfo
from .streams import Chosen, Timing, choose_streams, describe, is_attached, number, rows
from .subtitles import subtitles_of
from .tools import ffmpeg_path, ffprobe_path

# The length of the beginning that is searched for decodable frames and audio.
_DECODED_S = 60
_LARGEST_TRACK_ID = 2**31 - 1


def probe(
    url: str,
    *,
    head: bytes,
    size_bytes: int,
    limits: SourceLimits = DEFAULT_LIMITS,
    read_range: RangeReader | None = None,
    copy_refusal: str = "",
) -> SourceInfo:
    """Return the facts needed to encode the source at ``url``.

    ``url`` is http(s) or a local path, ``head`` its first ``sniff.HEAD_BYTES``.
    ``read_range`` fetches bytes beyond the head; by default it reads ``url``.
    ``copy_refusal`` is the reason not to copy a source that was tried before.  The owner's
    file name does not matter: FFmpeg never sees it.  Raises a TranscodeError with one of
    the contract's failure codes.
    """
    container = sniff(head)
    if size_bytes > limits.size_bytes:
        raise LimitsExceeded("size", limit="size_bytes", most=limits.size_bytes)
    read = read_range or range_reader(url)
    moov = mp4.find_moov(read, head=head, size_bytes=size_bytes) if container == "mov" else None
    is_fragmented = moov is not None and _check_declared(mp4.declared(moov), limits)
    file = _open(url, container, limits)
    chosen = choose_streams(file.streams, limits, file.programs)
    try:
        if copy_refusal:
            raise NotCopied(copy_refusal, "found before")
        tracks, copied, has_index = (
            _copied(moov, file, chosen, read, size_bytes)
            if moov is not None and not is_fragmented
            else _scanned(container, moov, file, chosen, read, size_bytes)
        )
    except NotCopied as refusal:
        source, timing = _described(
            url, container, file, chosen, size_bytes, limits, is_fragmented=is_fragmented
        )
        source = replace(source, copy_refusal=refusal.code)
    else:
        source, timing = _described_copy(tracks, chosen, container, size_bytes, limits)
        source = replace(source, copied=copied, is_seekable=has_index)
    _check_length(source, timing, limits)
    source = _decodable(url, source, timing, limits)
    chapters = chapters_of(file.chapters, start_s=timing.start_s, duration_s=source.duration_s)
    source = replace(source, subtitles=subtitles_of(file.streams))
    source = replace(source, left_out=_left_out(source, chosen, file, timing), chapters=chapters)
    # Each keyframe of a copied source is a whole picture.
    if source.copied or _has_clean_seams(url, source, timing):
        return source
    return replace(source, is_seekable=False)


def _described(
    url: str,
    container: str,
    file: _File,
    chosen: Chosen,
    size_bytes: int,
    limits: SourceLimits,
    *,
    is_fragmented: bool,
) -> tuple[SourceInfo, Timing]:
    """Return a source that is encoded, measured by its packets and first frames."""
    # Only the packets show that the clock of an FLV restarts.
    restarts = Restarts() if container in restarting.CONTAINERS else None
    must_scan = is_fragmented or restarts is not None or size_bytes <= limits.scan_bytes
    timing = _time(url, container, file, limits, must_scan=must_scan, restarts=restarts)
    look = look_at_frames(url, container, chosen.video["index"]) if chosen.video else FrameLook()
    source = describe(chosen, timing, look, container=container, size_bytes=size_bytes, limits=limits)
    if is_fragmented:
        # Without one index of the whole file, FFmpeg seeks by reading up to the target.
        source = replace(source, is_seekable=False)
    if restarts:
        source = replace(source, sessions_s=tuple(restarts.begins_s))
    return source, timing


def _copied(
    moov: memoryview, file: _File, chosen: Chosen, read: RangeReader, size_bytes: int
) -> tuple[CopiedTracks, CopiedSource, bool]:
    """Return the tracks that can be copied, the facts about them, and that they have an index.

    Raises NotCopied.
    """
    if chosen.video is None:
        raise NotCopied("container")
    video, *audio = (_track_number(stream) for stream in (chosen.video, *chosen.audio))
    tracks = plan_copy(moov, video, audio, size_bytes=size_bytes)
    check_keyframes(tracks, read)
    return tracks, replace(facts(tracks, audio), starts_s=_begins_s(tracks, file)), True


def _scanned(
    container: str,
    moov: memoryview | None,
    file: _File,
    chosen: Chosen,
    read: RangeReader,
    size_bytes: int,
) -> tuple[CopiedTracks, CopiedSource, bool]:
    """Return the same of a file without a table of its frames, and whether it has an index.

    Raises NotCopied.
    """
    if container not in SCANNED_CONTAINERS or chosen.video is None:
        raise NotCopied("container")
    # A scan takes time, which a source that is encoded anyway does not need.
    if chosen.video.get("codec_name") != "h264" or chosen.video.get("pix_fmt") != "yuv420p":
        raise NotCopied("codec", f"{chosen.video.get('codec_name')} {chosen.video.get('pix_fmt')}")
    numbers = [_track_number(one) for one in (chosen.video, *chosen.audio)] if container == "mov" else []
    found = scan_source(container, read, size_bytes=size_bytes, moov=moov, numbers=numbers)
    if numbers:
        video, audio = chosen_of([*found.video, *found.audio], numbers[0], numbers[1:])
    else:
        video = _track_at(found.video, file, chosen.video)
        audio = [_track_at(found.audio, file, stream) for stream in chosen.audio]
    tracks = plan_tables(video, audio)
    check_keyframes(tracks, read)
    copied = replace(
        facts(tracks, [tables.number for tables in audio]),
        # Times of a scan without a movie header count from FFmpeg's own zero.
        starts_s=_begins_s(tracks, file) if container == "mov" else tracks.video.starts_s,
        is_scanned=True,
        tables=dump([video, *audio]),
    )
    return tracks, copied, found.has_index


def _begins_s(tracks: CopiedTracks, file: _File) -> float:
    """Return the first frame of an MP4 on FFmpeg's timeline, which begins with the first packet of all."""
    return round(tracks.video.starts_s - (file.start_s or 0.0), 6)


def _track_at(tables: Sequence[TrackTables], file: _File, stream: dict[str, Any]) -> TrackTables:
    """Return the tables of the track that ffprobe shows as ``stream``.  Raises NotCopied."""
    alike = [
        one["index"]
        for one in file.streams
        if one.get("codec_type") == stream["codec_type"] and not is_attached(one)
    ]
    if len(alike) != len(tables):
        raise NotCopied("tables", f"{len(tables)} of {len(alike)} tracks of {stream['codec_type']}")
    return tables[alike.index(stream["index"])]


def _described_copy(
    tracks: CopiedTracks, chosen: Chosen, container: str, size_bytes: int, limits: SourceLimits
) -> tuple[SourceInfo, Timing]:
    """Return a source that is copied, measured by its tables; nothing is decoded for it."""
    assert chosen.video is not None  # noqa: S101 (a copy has a video track)
    picture = tracks.video.picture
    look = FrameLook(
        width_px=picture.width_px,
        height_px=picture.height_px,
        pix_fmt="yuv420p",
        color_range="tv",
        matrix="bt709",
        primaries="bt709",
        transfer="bt709",
    )
    times_s = sorted(tracks.video.tables.presented)[:KEPT_TIMES]
    first, timescale = times_s[0], tracks.video.tables.timescale
    ends_s = tracks.bounds_s[-1]
    packets = StreamPackets(
        count=len(tracks.video.tables.sizes),
        first_s=0.0,
        last_s=ends_s,
        end_s=ends_s,
        last_key_s=ends_s,
        times_s=[(time - first) / timescale for time in times_s],
    )
    timing = Timing(0.0, ends_s, is_whole=True, streams={chosen.video["index"]: packets})
    source = describe(chosen, timing, look, container=container, size_bytes=size_bytes, limits=limits)
    return replace(source, duration_s=ends_s), timing


def _track_number(stream: dict[str, Any]) -> int:
    """Return the number of a stream's track, which ffprobe writes as hexadecimal.  Raises NotCopied."""
    try:
        return int(str(stream.get("id")), 16)
    except ValueError as error:
        raise NotCopied("tables", "a track without a number") from error


def _left_out(source: SourceInfo, chosen: Chosen, file: _File, timing: Timing) -> tuple[LeftOut, ...]:
    """Return the content that the file holds, or declares, and the video will lack."""
    used = [track.index for track in (source.video, *source.audio, *source.subtitles) if track]
    left_out = left_out_of(file.streams, used, chosen.own)
    if not source.is_measured:
        return left_out
    declared_s = timing.declared_duration_s
    return (*left_out, *missing_end(source.container, declared_s=declared_s, found_s=source.duration_s))


def _has_clean_seams(url: str, source: SourceInfo, timing: Timing) -> bool:
    """Return whether decoding can begin at each chunk; a source in one chunk has no seams."""
    if source.video is None:
        return True
    starts_s = [timing.start_s + chunk.start_s for chunk in plan_chunks(source) if chunk.position]
    return decodes_from(url, source.container, source.video.index, starts_s)


@dataclass(frozen=True, slots=True)
class _File:
    """ffprobe's answer about a file: start and length if known, streams, programmes, chapters."""

    start_s: float | None
    duration_s: float | None
    streams: list[dict[str, object]]
    programs: list[dict[str, object]]
    chapters: list[dict[str, object]]


def _check_declared(header: mp4.Header, limits: SourceLimits) -> bool:
    """Refuse an MP4 header that declares a source we would refuse; return whether it is fragmented."""
    if header.is_protected:
        raise Encrypted("protected sample entry")
    # FFmpeg takes such a number for negative and counts up to it: seconds of work at each open.
    if any(track_id > _LARGEST_TRACK_ID for track_id in header.track_ids):
        raise NotMedia(f"declares tracks {header.track_ids[:10]}")
    for width_px, height_px in header.sizes_px:
        if width_px * height_px > limits.pixels or max(width_px, height_px) > limits.side_px:
            raise LimitsExceeded(f"declares {width_px}x{height_px}", limit="picture")
    # A recorder that writes fragments cannot know the end, and some write nonsense.
    if not header.is_fragmented and (header.duration_s or 0) > limits.duration_s:
        raise LimitsExceeded(
            f"declares {header.duration_s:.0f} s", limit="duration_s", most=limits.duration_s
        )
    return header.is_fragmented


def _open(url: str, container: str, limits: SourceLimits) -> _File:
    """Return ffprobe's answer from the header and the first packets."""
    shown = ["-show_format", "-show_streams", "-show_programs", "-show_chapters"]
    argv = [ffprobe_path(), "-v", "error", "-of", "json", *shown]
    finished = run_short([*argv, *probe_input_args(url, container)], timeout_s=limits.header_timeout_s)
    _check_storage(finished)
    try:
        found = json.loads(finished.stdout.decode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise NotMedia("ffprobe gave no JSON") from error
    if finished.exit_code != 0 or "format" not in found:
        raise NotMedia(finished.stderr)
    return _File(
        number(found["format"].get("start_time")),
        number(found["format"].get("duration")),
        rows(found, "streams"),
        rows(found, "programs"),
        rows(found, "chapters"),
    )


def _time(
    url: str, container: str, file: _File, limits: SourceLimits, *, must_scan: bool, restarts: Restarts | None
) -> Timing:
    """List the source's packets: all of them if its header may be wrong, else the first minute's."""
    is_trusted = file.duration_s is not None and 0 < file.duration_s <= limits.duration_s
    is_whole = must_scan or not is_trusted
    # Reading stops after this much of the file's own time.
    interval = [] if is_whole else ["-read_intervals", f"%+{limits.sample_s}"]
    entries = "packet=stream_index,pts_time,dts_time,duration_time,flags"
    argv = [ffprobe_path(), "-v", "error", "-of", "csv=p=0", "-show_entries", entries, *interval]
    with open_process([*argv, *probe_input_args(url, container)], timeout_s=limits.scan_timeout_s) as process:
        # In these containers timestamps may restart in the middle, which FFmpeg smooths.
        streams = measure(process.lines(), smooth_jumps=container in DISCONTINUOUS, restarts=restarts)
        _check_storage(process.finish())
    return Timing(file.start_s or 0.0, file.duration_s or 0.0, is_whole, streams)


def _check_length(source: SourceInfo, timing: Timing, limits: SourceLimits) -> None:
    if source.duration_s > limits.duration_s:
        raise LimitsExceeded(f"{source.duration_s:.0f} s", limit="duration_s", most=limits.duration_s)
    packets = timing.streams.get(source.video.index) if source.video else None
    if packets and packets.count > 10 and packets.mean_rate > limits.frame_rate:
        raise LimitsExceeded(
            f"{packets.mean_rate:.0f} fps",
            limit="frame_rate",
            most=limits.frame_rate,
        )


def _decodable(url: str, source: SourceInfo, timing: Timing, limits: SourceLimits) -> SourceInfo:
    """Return ``source`` without the audio tracks that do not decode.

    Raises DecodeFailed if its video does not decode or nothing is left.
    """
    wanted = [source.video.index] if source.video else []
    wanted += [track.index for track in source.audio]
    with tempfile.TemporaryDirectory() as directory:
        argv = _decode_args(url, source, wanted, Path(directory))
        finished = run_short(argv, timeout_s=limits.decode_timeout_s, writes=[Path(directory)])
        decoded = {index for index in wanted if _has_frames(Path(directory, str(index)))}
    if source.video and source.video.index not in decoded:
        _check_storage(finished)
        raise DecodeFailed(finished.stderr)
    kept = [
        position
        for position, track in enumerate(source.audio)
        if track.index in decoded or _starts_late(timing.streams.get(track.index), timing)
    ]
    if not source.video and not kept:
        _check_storage(finished)
        raise DecodeFailed(finished.stderr)
    copied = source.copied
    if copied:
        # Both lists have a track's facts at its position among the source's tracks.
        copied = replace(
            copied,
            audio_tracks=tuple(copied.audio_tracks[position] for position in kept),
            audio=tuple(copied.audio[position] for position in kept),
        )
    return replace(source, audio=tuple(source.audio[position] for position in kept), copied=copied)


def _decode_args(url: str, source: SourceInfo, indexes: list[int], directory: Path) -> list[str]:
    """Return the FFmpeg command that decodes the beginning of each stream into a file of its own.

    In one file, the first stream to end would end all of them.
    """
    outputs = [
        option
        for index in indexes
        # Ten audio blocks, because a codec with preroll may drop the first ones.
        for option in (
            "-map", f"0:{index}", "-frames:v", "1", "-frames:a", "10",
            "-f", "framecrc", f"file:{directory / str(index)}",
        )
    ]  # fmt: skip
    return [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        # Enough threads for an 8K frame, without a gigabyte of buffers for each of many cores.
        "-threads", "2",
        # A stream that never decodes must not make FFmpeg read a film to its end.
        "-t", str(_DECODED_S),
        # Each keyframe of a copied source is a whole picture: the frames between cost half of the time.
        *(("-skip_frame", "nokey") if source.copied else ()),
        *input_args(url, source.container), *outputs,
    ]  # fmt: skip


def _has_frames(checksums: Path) -> bool:
    """Return whether a framecrc file has a line that is not a comment."""
    return checksums.exists() and any(not line.startswith("#") for line in checksums.read_text().splitlines())


def _starts_late(packets: StreamPackets | None, timing: Timing) -> bool:
    """Return whether the first packet of a track lies beyond the part we tried to decode."""
    return packets is not None and packets.first_s - timing.start_s > _DECODED_S - 1


def _check_storage(finished: Finished) -> None:
    if STORAGE_TROUBLE.search(finished.stderr):
        raise StorageFailed(finished.stderr)
