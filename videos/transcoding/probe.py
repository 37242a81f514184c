"""Looking at an uploaded source: a ``SourceInfo`` we can encode, or an error its owner can read.

Four looks, each cheaper to survive than the next: the first bytes, the MP4
header by our own reader, ffprobe on what the header declares, and at last one
decoded picture and a little sound.  Between them, packets tell what is true.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from . import mp4
from .byteranges import RangeReader, range_reader
from .errors import DecodeFailed, Encrypted, LimitsExceeded, NotMedia, StorageFailed
from .inputs import input_args, probe_input_args
from .limits import DEFAULT_LIMITS, Limits
from .packets import StreamPackets, measure
from .sandbox import STORAGE_TROUBLE, Finished, open_process, run_short
from .sniff import check_filename, sniff
from .source import DISCONTINUOUS, SourceInfo
from .streams import Timing, choose_streams, describe, number, rows
from .tools import ffmpeg_path, ffprobe_path

# The first seconds are searched for a decodable picture and sound.
_DECODED_S = 60
_LARGEST_TRACK_ID = 2**31 - 1


def probe(
    url: str,
    *,
    head: bytes,
    size_bytes: int,
    filename: str = "",
    limits: Limits = DEFAULT_LIMITS,
    read_range: RangeReader | None = None,
) -> SourceInfo:
    """Return what there is to encode in the source at ``url``.

    ``url`` is http(s) or a local path, ``head`` its first ``sniff.HEAD_BYTES``,
    ``filename`` what its owner called it.  ``read_range`` fetches bytes beyond the
    head; by default it asks for HTTP Ranges.  Raises a TranscodeError with one of
    the contract's failure codes.
    """
    container = sniff(head)
    check_filename(filename)
    if size_bytes > limits.size_bytes:
        raise LimitsExceeded("size", detail=_too("large", f"{limits.size_bytes // 1024**3} GB"))
    is_fragmented = False
    if container == "mov":
        declared = mp4.read_header(read_range or range_reader(url), head=head, size_bytes=size_bytes)
        is_fragmented = _check_declared(declared, limits)
    file = _open(url, container, limits)
    chosen = choose_streams(file.streams, limits)
    must_scan = is_fragmented or size_bytes <= limits.scan_bytes
    timing = _time(url, container, file, limits, must_scan=must_scan)
    source = describe(chosen, timing, container=container, size_bytes=size_bytes, limits=limits)
    if is_fragmented:
        # Without one index of the whole file, FFmpeg finds a moment by reading up to it.
        source = replace(source, is_seekable=False)
    _check_length(source, timing, limits)
    return _decodable(url, source, timing, limits)


@dataclass(frozen=True, slots=True)
class _File:
    """What ffprobe says of the whole: first timestamp and length if it knows them, and the streams."""

    start_s: float | None
    duration_s: float | None
    streams: list[dict[str, object]]


def _check_declared(header: mp4.Header | None, limits: Limits) -> bool:
    """Refuse an MP4 header that declares what we would not encode; say whether it is fragmented."""
    if header is None:
        return False
    if header.is_protected:
        raise Encrypted("protected sample entry")
    # FFmpeg counts up to a number that it takes for negative: seconds of work each time it opens the file.
    if any(track_id > _LARGEST_TRACK_ID for track_id in header.track_ids):
        raise NotMedia(f"declares tracks {header.track_ids[:10]}")
    for width_px, height_px in header.sizes_px:
        if width_px * height_px > limits.pixels or max(width_px, height_px) > limits.side_px:
            raise LimitsExceeded(f"declares {width_px}x{height_px}", detail=_TOO_BIG)
    # A recorder that writes fragments cannot know the end, and some write nonsense.
    if not header.is_fragmented and (header.duration_s or 0) > limits.duration_s:
        raise LimitsExceeded(f"declares {header.duration_s:.0f} s", detail=_too_long(limits))
    return header.is_fragmented


def _open(url: str, container: str, limits: Limits) -> _File:
    """Let ffprobe read the header and the first packets."""
    argv = [ffprobe_path(), "-v", "error", "-of", "json", "-show_format", "-show_streams"]
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
    )


def _time(url: str, container: str, file: _File, limits: Limits, *, must_scan: bool) -> Timing:
    """List the source's packets: all of them where its header may be wrong, else the first minute's."""
    is_trusted = file.duration_s is not None and 0 < file.duration_s <= limits.duration_s
    is_whole = must_scan or not is_trusted
    # Reading stops after this much of the file's own time.
    interval = [] if is_whole else ["-read_intervals", f"%+{limits.sample_s}"]
    entries = "packet=stream_index,pts_time,dts_time,duration_time,flags"
    argv = [ffprobe_path(), "-v", "error", "-of", "csv=p=0", "-show_entries", entries, *interval]
    with open_process([*argv, *probe_input_args(url, container)], timeout_s=limits.scan_timeout_s) as process:
        # Their timestamps may start anew in the middle, which FFmpeg smooths.
        streams = measure(process.lines(), smooth_jumps=container in DISCONTINUOUS)
        _check_storage(process.finish())
    return Timing(file.start_s or 0.0, file.duration_s or 0.0, is_whole, streams)


def _check_length(source: SourceInfo, timing: Timing, limits: Limits) -> None:
    if source.duration_s > limits.duration_s:
        raise LimitsExceeded(f"{source.duration_s:.0f} s", detail=_too_long(limits))
    packets = timing.streams.get(source.video.index) if source.video else None
    if packets and packets.count > 10 and packets.mean_rate > limits.frame_rate:
        raise LimitsExceeded(
            f"{packets.mean_rate:.0f} fps",
            detail=f"This video has over {limits.frame_rate} pictures a second. Export it with at most 60.",
        )


def _decodable(url: str, source: SourceInfo, timing: Timing, limits: Limits) -> SourceInfo:
    """Return ``source`` without the sound tracks that do not decode.

    Raises DecodeFailed when its picture does not, or nothing is left.
    """
    wanted = [source.video.index] if source.video else []
    wanted += [track.index for track in source.audio]
    with tempfile.TemporaryDirectory() as directory:
        argv = _decode_args(url, source, wanted, Path(directory))
        finished = run_short(argv, timeout_s=limits.decode_timeout_s)
        decoded = {index for index in wanted if _has_frames(Path(directory, str(index)))}
    if source.video and source.video.index not in decoded:
        _check_storage(finished)
        raise DecodeFailed(finished.stderr)
    tracks = tuple(
        t for t in source.audio if t.index in decoded or _starts_late(timing.streams.get(t.index), timing)
    )
    if not source.video and not tracks:
        _check_storage(finished)
        raise DecodeFailed(finished.stderr)
    return replace(source, audio=tracks)


def _decode_args(url: str, source: SourceInfo, indexes: list[int], directory: Path) -> list[str]:
    """Decode the beginning of each stream into a file of its own: in one, the first to end would end all."""
    outputs = [
        option
        for index in indexes
        # Ten blocks of sound, because the first ones of a codec with preroll may be thrown away.
        for option in (
            "-map", f"0:{index}", "-frames:v", "1", "-frames:a", "10",
            "-f", "framecrc", f"file:{directory / str(index)}",
        )
    ]  # fmt: skip
    return [
        ffmpeg_path(), "-v", "error", "-nostdin", "-y",
        # Enough threads for an 8K picture, and not a gigabyte of buffers for each of many cores.
        "-threads", "2",
        # A stream that never decodes must not make us read a film to its end.
        "-t", str(_DECODED_S),
        *input_args(url, source.container), *outputs,
    ]  # fmt: skip


def _has_frames(checksums: Path) -> bool:
    """Say whether a framecrc file has a line that is not a comment."""
    return checksums.exists() and any(not line.startswith("#") for line in checksums.read_text().splitlines())


def _starts_late(packets: StreamPackets | None, timing: Timing) -> bool:
    """Say whether a track has its first packet beyond what we tried to decode."""
    return packets is not None and packets.first_s - timing.start_s > _DECODED_S - 1


def _check_storage(finished: Finished) -> None:
    if STORAGE_TROUBLE.search(finished.stderr):
        raise StorageFailed(finished.stderr)


_TOO_BIG = "The picture of this video is larger than 8K. Export it in a smaller size and try again."


def _too(what: str, most: str) -> str:
    return f"This video is too {what}: at most {most} are possible. Make it smaller and try again."


def _too_long(limits: Limits) -> str:
    return (
        f"This video is longer than {limits.duration_s / 3600:g} hours. Cut it into parts and upload those."
    )
