"""FFmpeg's command lines, each option with its reason.  Nothing here runs anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

from .chunks import SEGMENT_S, ChunkPlan
from .inputs import input_args
from .ladder import Rung, rung_size
from .limits import DEFAULT_LIMITS
from .source import AudioStream, SourceInfo, VideoStream
from .tools import ffmpeg_path

AUDIO_RATE_HZ = 48_000
POSTER_LONG_SIDE_PX = 1280

# Decoding starts this much before a chunk, so that pictures which lean on a
# neighbour's are whole when the chunk begins.
_PREROLL_S = 1
# Keeps a picture that lies exactly on a boundary from falling before it by rounding.
_EPSILON_S = Fraction(1, 1_000_000)


def encode_args(
    source: SourceInfo,
    url: str,
    rungs: Sequence[Rung],
    chunk: ChunkPlan,
    directory: Path,
    *,
    preset: str = "veryfast",
    threads: int | None = None,
) -> list[str]:
    """Return the FFmpeg that decodes ``chunk`` once and encodes it in every rung.

    Rung ``n`` is written below ``output_directories(directory, n + 1)[n]``.  Every
    picture lies on one grid ``k / frame_rate`` from the start of the video, which
    is what makes independently encoded chunks fit.
    """
    video = _picture(source)
    grid = _Grid(video.frame_rate, chunk)
    threads = threads or min(os.cpu_count() or 1, 8)
    outputs = output_directories(directory, len(rungs))
    return [
        *_start(threads), *_seek(grid), *_steady(video), *input_args(url, source.container),
        "-filter_complex", _video_graph(source, rungs, grid),
        *(option for number, (rung, output) in enumerate(zip(rungs, outputs, strict=True))
          for option in ("-map", f"[v{number}]",
                         *_x264(rung, grid, preset, threads), *_hls(output, chunk, grid))),
    ]  # fmt: skip


def audio_args(source: SourceInfo, url: str, track: AudioStream, directory: Path) -> list[str]:
    """Return the FFmpeg that encodes one sound track whole, from the start of the video to its end.

    Late starts and gaps become silence, so that picture and sound count alike.
    """
    channels, layout = (1, "mono") if track.channels == 1 else (2, "stereo")
    shift_s = source.timeline_shift_s(track.start_s)
    (output,) = output_directories(directory, 1)
    return [
        *_start(2), *input_args(url, source.container),
        # Where a source changes its channels, the graph that reads from it is built anew: only this one.
        "-filter_complex", f"[0:{track.index}]aformat=fltp:{AUDIO_RATE_HZ}:{layout}[sound]",
        # Lost or late samples are replaced by silence instead of pulling the rest forward.
        "-filter_complex",
        f"[sound]asetpts=PTS+{shift_s:.6f}/TB,aresample={AUDIO_RATE_HZ}:async=1:first_pts=0[track]",
        "-map", "[track]", "-vn", "-sn", "-dn",
        "-map_metadata", "-1", "-map_chapters", "-1",
        # 48 kHz stereo AAC-LC is what every browser decodes; mono stays mono.
        "-c:a", "aac", "-profile:a", "aac_low", "-ac", str(channels), "-ar", str(AUDIO_RATE_HZ),
        "-b:a", str(audio_bitrate_bps(track)),
        # A damaged header cannot make it run on for ever.
        "-t", f"{DEFAULT_LIMITS.duration_s:.0f}",
        "-hls_time", str(SEGMENT_S), *_fmp4(output, first_segment=0),
    ]  # fmt: skip


def audio_bitrate_bps(track: AudioStream) -> int:
    """Return the bitrate a track is encoded at."""
    return 64_000 if track.channels == 1 else 128_000


def poster_args(source: SourceInfo, url: str, path: Path) -> list[str] | None:
    """Return the FFmpeg that writes one telling picture as JPEG, or None if there is no picture.

    The long side is at most ``POSTER_LONG_SIDE_PX``.  Sound with an attached cover
    gets that cover.
    """
    if source.video is None and source.cover_index is None:
        return None
    return [
        *_start(2), *(_poster_seek(source) if source.video else []), *input_args(url, source.container),
        "-filter_complex", _poster_graph(source),
        "-map", "[poster]", "-frames:v", "1", "-map_metadata", "-1",
        # A plain JPEG stream: the image muxer would read patterns into the name.
        "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "-y", f"file:{path}",
    ]  # fmt: skip


def output_directories(directory: Path, count: int) -> tuple[Path, ...]:
    """Return where an encode's outputs go: ``0``, ``1``, … below ``directory``, in the rungs' order."""
    return tuple(directory / str(number) for number in range(count))


class _Grid:
    """Where a chunk lies on the grid of pictures ``k / rate``.

    ``first`` and ``last`` are its first picture and the one after its last (None
    for the last chunk), ``origin`` the picture at which FFmpeg's own clock starts.
    """

    def __init__(self, rate: Fraction, chunk: ChunkPlan) -> None:
        start = Fraction(chunk.start_s)
        self.rate = rate
        self.first = ceil(start * rate)
        self.last = None if chunk.segment_count is None else ceil((start + Fraction(chunk.length_s)) * rate)
        self.origin = max(0, self.first - ceil(_PREROLL_S * rate))
        self.origin_s = self.origin / rate
        # FFmpeg counts forced keyframes from the first picture, which may lie after the boundary.
        self.late_s = self.first / rate - start + _EPSILON_S

    @property
    def trim(self) -> str:
        """Return the filter that keeps the chunk's own pictures."""
        longest = ceil(DEFAULT_LIMITS.duration_s * self.rate)
        end = longest if self.last is None else self.last
        return f"trim=start_frame={self.first - self.origin}:end_frame={end - self.origin}"


def _start(threads: int) -> list[str]:
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error",
        "-nostats", "-progress", "pipe:1", "-stats_period", "0.5",
        # Frame threads each hold whole pictures; at 8K many of them are gigabytes.
        "-threads", str(threads), "-filter_complex_threads", str(threads),
    ]  # fmt: skip


def _seek(grid: _Grid) -> list[str]:
    if not grid.origin:
        return []
    # Not "accurate": that drops the picture shown at the start of a still scene,
    # because it began earlier.  The fps filter wants it.
    return ["-noaccurate_seek", "-ss", _seconds(grid.origin_s)]


def _steady(video: VideoStream) -> list[str]:
    """Return the input options that keep one graph from beginning to end.

    Where the picture changes its size, FFmpeg would build the graph anew, and the
    new one would fill its time from 0 again.
    """
    # Turned pictures come from phones, which keep their size; and FFmpeg's own filters would
    # come before ours, which alone can take another size.
    return [] if video.is_turned else ["-reinit_filter", "0", "-noautorotate"]


def _video_graph(source: SourceInfo, rungs: Sequence[Rung], grid: _Grid) -> str:
    """Return the filters from the decoded picture to ``[v0]``, ``[v1]``, … ."""
    video = _picture(source)
    sizes = [rung_size(source, rung) for rung in rungs]
    common = [
        # Whatever size comes later is brought to that of the first picture.
        *([] if video.is_turned else ["scale=iw:ih:flags=bicubic"]),
        # Two fields become one picture before anything may repeat or drop them.
        *(["bwdif=mode=send_frame"] if video.is_interlaced else []),
        f"setpts=PTS+{_seconds(_onto_grid(source, grid.rate))}/TB",
        # Gaps and late starts are filled, so every picture has its place on the grid.
        f"fps=fps={grid.rate}:start_time=0",
        grid.trim,
        *_to_sdr(video, max(sizes)),
    ]
    names = [f"[s{number}]" for number in range(len(rungs))]
    split = f"[0:{video.index}]{','.join(common)},split={len(rungs)}{''.join(names)}"
    scaled = [
        f"{name}scale={width}:{height}:flags=bicubic:out_range=tv,setsar=1,format=yuv420p[v{number}]"
        for number, (name, (width, height)) in enumerate(zip(names, sizes, strict=True))
    ]
    return ";".join([split, *scaled])


def _onto_grid(source: SourceInfo, rate: Fraction) -> Fraction:
    """Return by how much to move the pictures so that they lie on the grid: less than half a step.

    A picture halfway between two places would be rounded now to one, now to the
    other.
    """
    video = _picture(source)
    start = Fraction(video.start_s).limit_denominator(1_000_000)
    shift = Fraction(source.timeline_shift_s(video.start_s)).limit_denominator(1_000_000)
    return shift + round(start * rate) / rate - start


def _to_sdr(video: VideoStream, size: tuple[int, int]) -> list[str]:
    """Return filters that bring PQ and HLG to BT.709, at the size of the largest rung: floats are slow."""
    if not video.is_hdr:
        return []
    width, height = size
    return [
        f"zscale=w={width}:h={height}:tin={video.transfer}:min=2020_ncl:pin=2020:rin=tv:t=linear:npl=100",
        "format=gbrpf32le",
        "zscale=p=709",
        "tonemap=tonemap=hable:desat=0",
        "zscale=t=709:m=709:r=tv",
        "format=yuv420p",
    ]


def _x264(rung: Rung, grid: _Grid, preset: str, threads: int) -> list[str]:
    return [
        "-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-threads", str(threads),
        # Good where that is cheap, and never above what the playlist promises.
        "-crf", "23", "-maxrate", str(rung.bitrate_bps), "-bufsize", str(rung.bitrate_bps),
        # A fixed depth of reordering keeps the init segments of all chunks alike.
        "-bf", "2",
        # x264 would add keyframes at scene cuts and make segments uneven.
        "-sc_threshold", "0", "-g", "100000",
        # The same keyframes in every rendition and on every segment boundary (RFC 8216, 6.2.4).
        "-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT_S}-{_seconds(grid.late_s)})",
        # The filters made the rate constant; FFmpeg's own way would fill what trim took away.
        "-fps_mode", "passthrough",
        "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
    ]  # fmt: skip


def _hls(output: Path, chunk: ChunkPlan, grid: _Grid) -> list[str]:
    return [
        # Each chunk continues the video's one timeline instead of starting at zero.
        "-output_ts_offset", _seconds(grid.origin_s),
        # The muxer would shift a chunk whose first timestamps are negative.
        "-avoid_negative_ts", "disabled",
        # Cut at every keyframe: the only ones are those we forced.
        "-hls_time", "0.1",
        *_fmp4(output, first_segment=chunk.first_segment),
    ]  # fmt: skip


def _fmp4(output: Path, *, first_segment: int) -> list[str]:
    return [
        # Fragments carry their own absolute time and reordering, and no edit list
        # does: so the init segments of independent chunks are the same bytes.
        "-movflags", "+frag_discont+negative_cts_offsets",
        "-f", "hls", "-hls_segment_type", "fmp4",
        "-hls_segment_options", "movflags=+frag_discont+negative_cts_offsets:use_editlist=0",
        # A segment has its name only once it is complete.
        "-hls_flags", "temp_file+independent_segments",
        "-hls_list_size", "0", "-start_number", str(first_segment),
        "-hls_fmp4_init_filename", "init.mp4",
        "-hls_segment_filename", str(output / "%d.m4s"), str(output / "index.m3u8"),
    ]  # fmt: skip


def _poster_seek(source: SourceInfo) -> list[str]:
    """Skip title cards and black beginnings: a tenth into the video, at most 30 s."""
    at_s = min(_picture(source).duration_s / 10, 30) if source.is_seekable else 0
    return ["-ss", f"{at_s:.3f}"]


def _poster_graph(source: SourceInfo) -> str:
    video, long_side = source.video, POSTER_LONG_SIDE_PX
    if video is None:
        box = f"'min(iw,{long_side})':'min(ih,{long_side})'"
        fit = "force_original_aspect_ratio=decrease:force_divisible_by=2"
        return f"[0:{source.cover_index}]scale={box}:{fit},format=yuvj420p[poster]"
    scale = min(Fraction(1), Fraction(long_side, max(video.width_px, video.height_px)))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (video.width_px, video.height_px))
    filters = [
        # Two pictures a second and the one most like all of them: neither black nor a flash.
        "fps=2:start_time=0:round=up", f"scale={width}:{height}",
        *_to_sdr(video, (width, height)), "thumbnail=n=20", "setsar=1", "format=yuvj420p",
    ]  # fmt: skip
    return f"[0:{video.index}]{','.join(filters)}[poster]"


def _picture(source: SourceInfo) -> VideoStream:
    if source.video is None:
        raise ValueError("this source has no picture")
    return source.video


def _seconds(value: Fraction) -> str:
    """Return seconds as FFmpeg reads them: microseconds, rounded once."""
    return f"{round(value * 1_000_000) / 1_000_000:.6f}"
