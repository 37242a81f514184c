"""FFmpeg's command lines, each option with its reason; this module runs nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

from . import colour
from .chunks import SEGMENT_S, ChunkPlan, SourceCuts
from .inputs import input_args
from .ladder import Rung, rung_size
from .limits import DEFAULT_LIMITS
from .restarts import setts_args
from .source import AudioStream, SourceInfo, VideoStream
from .tools import ffmpeg_path

AUDIO_RATE_HZ = 48_000
# FFmpeg's AAC encoder begins with one priming block, and no edit list declares it.
_AAC_PRIMING_SAMPLES = 1024
POSTER_LONG_SIDE_PX = 1280

# Decoding starts this much before a chunk, so that frames that refer to earlier ones are
# complete at the chunk's start.
_PREROLL_S = 1
# A measured end may be wrong by this much.
_LATE_S = Fraction(1, 10)
# Keeps a frame exactly on a boundary from falling before it by rounding.
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
    cuts: SourceCuts | None = None,
) -> list[str]:
    """Return the FFmpeg command that decodes ``chunk`` once and encodes it in every rung.

    Rung ``n`` is written below ``output_directories(directory, n + 1)[n]``.  Every
    frame lies on one grid ``k / frame_rate`` from the start of the video, so that
    independently encoded chunks fit together.  Beside a copy, whose ``cuts`` are given,
    frames keep their own times.
    """
    video = _picture(source)
    grid = _OwnTimes(cuts, source.container) if cuts else _Grid(source, chunk)
    threads = threads or min(os.cpu_count() or 1, 8)
    outputs = output_directories(directory, len(rungs))
    return [
        *_start(threads), *grid.input_options, *_steady(video), *_input(source, url),
        "-filter_complex", _video_graph(source, rungs, grid),
        *(option for number, (rung, output) in enumerate(zip(rungs, outputs, strict=True))
          for option in ("-map", f"[v{number}]",
                         *_x264(rung, grid, preset, threads), *_hls(output, chunk, grid))),
    ]  # fmt: skip


def _input(source: SourceInfo, url: str) -> list[str]:
    has_video, has_audio = source.video is not None, bool(source.audio)
    moved = setts_args(source.sessions_s, has_video=has_video, has_audio=has_audio)
    return [*moved, *input_args(url, source.container)]


def audio_args(
    source: SourceInfo, url: str, track: AudioStream, directory: Path, *, end_s: float | None = None
) -> list[str]:
    """Return the FFmpeg command that encodes one whole audio track, from the start of the source to its end.

    ``end_s`` is the end of another source's video that the track is added to.

    Late starts, gaps and an early end become silence, so that every rendition has the
    same timeline: a player waits for ever for audio that its playlist lacks.
    """
    (output,) = output_directories(directory, 1)
    from_source, to_timeline = _audio_graphs(source, track, end_s or _audio_end_s(source))
    return [
        *_start(2), *_input(source, url),
        # FFmpeg rebuilds the graph at the source if the channels change: only the first graph.
        "-filter_complex", from_source, "-filter_complex", to_timeline,
        "-map", "[track]", "-vn", "-sn", "-dn",
        "-map_metadata", "-1", "-map_chapters", "-1",
        # Every browser decodes 48 kHz stereo AAC-LC; mono stays mono.
        "-c:a", "aac", "-profile:a", "aac_low",
        "-ac", "1" if track.channels == 1 else "2", "-ar", str(AUDIO_RATE_HZ),
        "-b:a", str(audio_bitrate_bps(track)),
        # A damaged header cannot make the encode run for ever.
        "-t", f"{DEFAULT_LIMITS.duration_s:.0f}",
        "-hls_time", str(SEGMENT_S), *_fmp4(output, first_segment=0),
    ]  # fmt: skip


def held_until(source: SourceInfo) -> int | None:
    """Return the frame number at which a held last frame ends; None if the video ends last."""
    video = _picture(source)
    is_held = video.duration_s < source.duration_s - 1 / video.frame_rate
    return ceil(source.duration_s * video.frame_rate - _EPSILON_S) if is_held else None


def _audio_end_s(source: SourceInfo) -> float | None:
    """Return the end of the audio in seconds, which is the video's end; None without a video track."""
    if source.video is None:
        return None
    frames = held_until(source)
    return source.duration_s if frames is None else float(frames / source.video.frame_rate)


def _audio_graphs(source: SourceInfo, track: AudioStream, end_s: float | None) -> tuple[str, str]:
    """Return the filters from the decoded track to plain samples, and from these to ``[track]``."""
    # FFmpeg cannot mix ambisonics down; its first channel is the sound from all directions.
    mono = "pan=mono|c0=c0," if track.layout.startswith("ambisonic") else ""
    layout = "mono" if track.channels == 1 else "stereo"
    # Endless silence after the track, cut at the video's end.
    hold, end = ("", "") if end_s is None else (",apad", f":end={end_s:.6f}")
    from_source = f"[0:{track.index}]{mono}aformat=fltp:{AUDIO_RATE_HZ}:{layout}{hold}[sound]"
    filters = [
        f"asetpts=PTS+{source.timeline_shift_s(track.start_s):.6f}/TB",
        # Lost or late samples are replaced by silence instead of pulling the rest forward.
        f"aresample={AUDIO_RATE_HZ}:async=1:first_pts=0",
        # The encoder's priming block replaces as many samples, and all others keep their times.
        f"atrim=start_sample={_AAC_PRIMING_SAMPLES}{end}",
    ]
    return from_source, f"[sound]{','.join(filters)}[track]"


def audio_bitrate_bps(track: AudioStream) -> int:
    """Return the bitrate of a track's encode in bits per second."""
    return 64_000 if track.channels == 1 else 128_000


def poster_args(source: SourceInfo, url: str, path: Path) -> list[str] | None:
    """Return the FFmpeg command that writes a typical frame, or the cover, as JPEG; None without either.

    The long side is at most ``POSTER_LONG_SIDE_PX``.
    """
    if source.video is None and source.cover_index is None:
        return None
    seek = []
    if source.video:
        # Past title cards and black beginnings: a tenth into the video, at most 30 s.
        at_s = min(source.video.duration_s / 10, 30) if source.is_seekable else 0
        seek = ["-ss", f"{at_s:.3f}"]
    return [
        *_start(2), *seek, *_input(source, url),
        "-filter_complex", _poster_graph(source),
        "-map", "[poster]", "-frames:v", "1", "-map_metadata", "-1",
        # A plain JPEG stream: the image muxer would read patterns into the name.
        "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "-y", f"file:{path}",
    ]  # fmt: skip


def remux_args(playlists: Sequence[Path], path: Path) -> list[str]:
    """Return the FFmpeg command that copies the first track of each local playlist into one MP4."""
    inputs = [
        word for playlist in playlists
        # Segments lie beside their playlist, and nothing else may be opened.
        for word in ("-protocol_whitelist", "file", "-allowed_extensions", "m4s,mp4", "-i", str(playlist))
    ]  # fmt: skip
    maps = [word for number in range(len(playlists)) for word in ("-map", f"{number}:0")]
    return [
        *_start(2), *inputs, *maps, "-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1",
        # The index comes first, so that the file plays while it is downloaded.
        "-movflags", "+faststart", "-f", "mp4", "-y", f"file:{path}",
    ]  # fmt: skip


def merge_args(media: Sequence[tuple[Path, str]], path: Path, container: str) -> list[str]:
    """Return the FFmpeg command that copies one file, or the video of one and the audio of another.

    ``media`` holds each file with its demuxer; ``container`` is FFmpeg's name for the new file.
    """
    inputs = [word for file, demuxer in media for word in input_args(str(file), demuxer)]
    maps = ["-map", "0:v:0", "-map", "1:a:0"] if len(media) > 1 else ["-map", "0:v:0?", "-map", "0:a?"]
    return [*_start(2), *inputs, *maps, "-c", "copy", "-f", container, "-y", f"file:{path}"]


def output_directories(directory: Path, count: int) -> tuple[Path, ...]:
    """Return the directories of an encode's outputs: ``0``, ``1``, … below ``directory``, by rung."""
    return tuple(directory / str(number) for number in range(count))


class _Grid:
    """The place of a chunk on the grid of frames ``k / rate``, and the options that bring frames there.

    ``first`` and ``last`` are its first frame and the one after its last (None if the
    decoder decides), ``origin`` the frame at which FFmpeg's own clock starts.
    ``is_held`` says that the video ends before the source and its last frame is held.
    """

    timescale = None  # FFmpeg chooses one that holds the rate

    def __init__(self, source: SourceInfo, chunk: ChunkPlan) -> None:
        video = _picture(source)
        rate, start = video.frame_rate, Fraction(chunk.start_s)
        self.rate = rate
        self.first = ceil(start * rate)
        self.last = None if chunk.segment_count is None else ceil((start + Fraction(chunk.length_s)) * rate)
        held = held_until(source)
        self.is_held = held is not None and (self.last is None or video.duration_s * rate < self.last - 1)
        if self.last is None and held is not None:
            self.last = max(self.first + 1, held)
        elif self.last is None and source.is_measured:
            # The last packet of a transport stream may come late, and FFmpeg takes it for a new session.
            self.last = max(self.first + 1, ceil((Fraction(source.duration_s) + _LATE_S) * rate))
        # After the end of the video, decoding begins at its last frame.
        shown = self.first if held is None else min(self.first, max(0, ceil(video.duration_s * rate) - 1))
        self.origin = max(0, shown - ceil(_PREROLL_S * rate))
        self.origin_s = self.origin / rate
        # FFmpeg counts forced keyframes from the first frame, which may lie after the boundary.
        self.late_s = self.first / rate - start + _EPSILON_S

    @property
    def input_options(self) -> list[str]:
        if not self.origin:
            return []
        # An accurate seek would drop the frame on screen at the start of a still scene, because
        # it began earlier.  The fps filter needs it.
        return ["-noaccurate_seek", "-ss", _seconds(self.origin_s)]

    def filters(self, source: SourceInfo) -> list[str]:
        """Return the filters that bring frames onto the grid and keep the chunk's own."""
        # A single frame that is shorter than a step must pass as well.
        single = ":eof_action=pass" if _picture(source).duration_s * self.rate < 1 else ""
        return [
            f"setpts=PTS+{_seconds(_onto_grid(source, self.rate))}/TB",
            # Gaps and late starts are filled, so every frame has its place on the grid.
            f"fps=fps={self.rate}:start_time=0{single}",
            self._trim,
        ]

    @property
    def _trim(self) -> str:
        longest = ceil(DEFAULT_LIMITS.duration_s * self.rate)
        end = longest if self.last is None else self.last
        hold = "tpad=stop=-1:stop_mode=clone," if self.is_held else ""
        return f"{hold}trim=start_frame={self.first - self.origin}:end_frame={end - self.origin}"

    @property
    def keyframes(self) -> str:
        return f"expr:gte(t,n_forced*{SEGMENT_S}-{_seconds(self.late_s)})"

    @property
    def output_options(self) -> list[str]:
        # Each chunk continues the video's one timeline instead of starting at zero.
        return ["-output_ts_offset", _seconds(self.origin_s)]


class _OwnTimes:
    """The place of a chunk beside a copy: frames keep the times that they have in the file.

    A keyframe of the source begins each chunk, so nothing before it is decoded.
    """

    def __init__(self, cuts: SourceCuts, container: str) -> None:
        self._cuts = cuts
        self._container = container
        self.timescale = cuts.written_timescale

    @property
    def input_options(self) -> list[str]:
        cuts = self._cuts
        # Half a frame of 1000 per second behind the keyframe, so that rounding finds no other.
        at_s = Fraction(cuts.starts[0], cuts.timescale) + Fraction(1, 2000)
        seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", _seconds(at_s)]
        # Times stay those of the sample tables: without edits, and not moved to 0.
        edits = ["-ignore_editlist", "1"] if self._container == "mov" else []
        return ["-copyts", *(seek if cuts.starts[0] > cuts.zero else []), *edits]

    def filters(self, _source: SourceInfo) -> list[str]:
        """Return the filters that keep the chunk's own frames, and move the first of all to 0."""
        cuts = self._cuts
        return [f"trim=start_pts={cuts.starts[0]}:end_pts={cuts.end}", f"setpts=PTS-({cuts.zero})"]

    @property
    def keyframes(self) -> str:
        cuts = self._cuts
        # Half a tick early: FFmpeg compares microseconds.
        return ",".join(
            _seconds(max(Fraction(0), Fraction(2 * (start - cuts.zero) - 1, 2 * cuts.timescale)))
            for start in cuts.starts
        )

    @property
    def output_options(self) -> list[str]:
        return ["-enc_time_base", f"1:{self._cuts.timescale}"]


def _start(threads: int) -> list[str]:
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error",
        "-nostats", "-progress", "pipe:1", "-stats_period", "0.5",
        # Each frame thread holds whole frames; many of them are gigabytes at 8K.
        "-threads", str(threads), "-filter_complex_threads", str(threads),
    ]  # fmt: skip


def _steady(video: VideoStream) -> list[str]:
    """Return the input options that keep one graph from beginning to end.

    FFmpeg would rebuild the graph at a change of frame size, and the new one would
    fill its time from 0 again.
    """
    # Turned videos come from phones, which keep their size.  FFmpeg's own rotation would come
    # before our filters, and only ours can take another size.
    return [] if video.is_turned else ["-reinit_filter", "0", "-noautorotate"]


def _video_graph(source: SourceInfo, rungs: Sequence[Rung], grid: _Grid | _OwnTimes) -> str:
    """Return the filters from the decoded frames to ``[v0]``, ``[v1]``, … ."""
    video = _picture(source)
    sizes = [rung_size(source, rung) for rung in rungs]
    common = [
        *_one_size(video),
        # Two fields become one frame before any filter may repeat or drop them.
        *(["bwdif=mode=send_frame"] if video.is_interlaced else []),
        *grid.filters(source),
        *colour.to_bt709(video, max(sizes)),
    ]
    options = colour.scale_options(video, is_converted=colour.needs_conversion(video))
    names = [f"[s{number}]" for number in range(len(rungs))]
    split = f"[0:{video.index}]{','.join(common)},split={len(rungs)}{''.join(names)}"
    scaled = [
        f"{name}scale={width}:{height}{options},setsar=1,format=yuv420p,{colour.TAGS}[v{number}]"
        for number, (name, (width, height)) in enumerate(zip(names, sizes, strict=True))
    ]
    return ";".join([split, *scaled])


def _one_size(video: VideoStream) -> list[str]:
    """Return filters that fit frames of another size into that of the first, with bars.

    A phone in a call may turn, or a recorded window change its size, in the middle of a file.
    """
    width, height = video.stored_size_px
    if video.is_turned:
        return []
    # Bars are drawn in whole blocks of chroma, so other sizes are scaled without bars.
    step = 4 if video.pix_fmt.startswith(("yuv41", "yuvj41")) else 2
    if not width or width % step or height % step:
        return ["scale=iw:ih:flags=bicubic"]
    return [
        f"scale={width}:{height}:flags=bicubic:force_original_aspect_ratio=decrease:eval=frame",
        f"pad={width}:{height}:-1:-1:eval=frame",
    ]


def _onto_grid(source: SourceInfo, rate: Fraction) -> Fraction:
    """Return the seconds to add to the frames' timestamps so that they lie on the grid.

    Beyond the timeline's shift, it is at most half a step.  A frame halfway between two
    places would be rounded now to one, now to the other.
    """
    video = _picture(source)
    start = Fraction(video.start_s).limit_denominator(1_000_000)
    shift = Fraction(source.timeline_shift_s(video.start_s)).limit_denominator(1_000_000)
    return shift + round(start * rate) / rate - start


def _x264(rung: Rung, grid: _Grid | _OwnTimes, preset: str, threads: int) -> list[str]:
    return [
        "-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-threads", str(threads),
        # Constant quality, capped at the bitrate that the playlist promises.
        "-crf", "23", "-maxrate", str(rung.bitrate_bps), "-bufsize", str(rung.bitrate_bps),
        # Captions inside the source's frames are dropped, and the playlist declares none.
        "-a53cc", "0",
        # A fixed depth of reordering keeps the init segments of all chunks alike.
        "-bf", "2",
        # x264 would add keyframes at scene cuts and make segments uneven.
        "-sc_threshold", "0", "-g", "100000",
        # The same keyframes in every rendition and on every segment boundary (RFC 8216, 6.2.4).
        "-force_key_frames", grid.keyframes,
        # The filters made the rate constant; FFmpeg's own sync would refill the frames that trim removed.
        "-fps_mode", "passthrough",
        "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
    ]  # fmt: skip


def _hls(output: Path, chunk: ChunkPlan, grid: _Grid | _OwnTimes) -> list[str]:
    return [
        *grid.output_options,
        # The muxer would shift a chunk whose first timestamps are negative.
        "-avoid_negative_ts", "disabled",
        # Cut at every keyframe: the only ones are those we forced.
        "-hls_time", "0.1",
        *_fmp4(output, first_segment=chunk.first_segment, timescale=grid.timescale),
    ]  # fmt: skip


def _fmp4(output: Path, *, first_segment: int, timescale: int | None = None) -> list[str]:
    scale = f":video_track_timescale={timescale}" if timescale else ""
    return [
        # Fragments carry their own absolute time and reordering, and there is no edit list:
        # so the init segments of independent chunks are the same bytes.
        "-movflags", "+frag_discont+negative_cts_offsets",
        "-f", "hls", "-hls_segment_type", "fmp4",
        "-hls_segment_options", f"movflags=+frag_discont+negative_cts_offsets:use_editlist=0{scale}",
        # A segment has its name only once it is complete.
        "-hls_flags", "temp_file+independent_segments",
        "-hls_list_size", "0", "-start_number", str(first_segment),
        "-hls_fmp4_init_filename", "init.mp4",
        "-hls_segment_filename", str(output / "%d.m4s"), str(output / "index.m3u8"),
    ]  # fmt: skip


def _poster_graph(source: SourceInfo) -> str:
    video, long_side = source.video, POSTER_LONG_SIDE_PX
    if video is None:
        box = f"'min(iw,{long_side})':'min(ih,{long_side})'"
        fit = "force_original_aspect_ratio=decrease:force_divisible_by=2"
        return f"[0:{source.cover_index}]scale={box}:{fit},format=yuvj420p[poster]"
    # JPEG means BT.601 in full range.
    options = colour.scale_options(video, is_converted=colour.needs_conversion(video)).replace(
        "out_color_matrix=bt709:out_range=tv", "out_color_matrix=bt601:out_range=pc"
    )
    scale = min(Fraction(1), Fraction(long_side, max(video.width_px, video.height_px)))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (video.width_px, video.height_px))
    filters = [
        # The most typical of two frames per second: neither black nor a flash.
        "fps=2:start_time=0:round=up",
        *(colour.to_bt709(video, (width, height)) or [f"scale={width}:{height}"]), "thumbnail=n=20",
        f"scale={width}:{height}{options}", "setsar=1", "format=yuvj420p",
    ]  # fmt: skip
    return f"[0:{video.index}]{','.join(filters)}[poster]"


def _picture(source: SourceInfo) -> VideoStream:
    if source.video is None:
        raise ValueError("this source has no picture")
    return source.video


def _seconds(value: Fraction) -> str:
    """Return seconds as FFmpeg reads them: microseconds, rounded once."""
    return f"{round(value * 1_000_000) / 1_000_000:.6f}"
