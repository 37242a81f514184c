"""FFmpeg process of one broadcast: FLV on stdin, one pipe of small fragments for each rendition."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence

from live.ingest.source import EncodePlan, Output
from videos.transcoding import colour
from videos.transcoding.processes import scrub, start_on_loop
from videos.transcoding.sandbox import ENCODE_ADDRESS_SPACE_BYTES, ENCODE_FILE_BYTES, ProcessLimits
from videos.transcoding.tools import ffmpeg_path

# A broadcast has no maximum duration, so the limit on CPU time must never end it.
_LIMITS = ProcessLimits(ENCODE_ADDRESS_SPACE_BYTES, cpu_s=10**9, file_bytes=ENCODE_FILE_BYTES)
_KEPT_STDERR_BYTES = 8192
_READ_BUFFER_BYTES = 256 * 1024
_MAX_THREADS = 4
_STUCK_S = 8.0
# Seconds of its bitrate by which a rung may exceed it in any stretch of time.
BUFFER_S = 0.5


def encoder_args(plan: EncodePlan, pipes: Sequence[int], *, preset: str) -> list[str]:
    """Return the FFmpeg command for ``plan``; output number n goes to file descriptor ``pipes[n]``."""
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-nostats",
        # The stream must not make FFmpeg open anything else.
        "-protocol_whitelist", "pipe", "-format_whitelist", "flv", "-codec_whitelist", "h264,aac",
        # The decoder outputs each frame at once.
        "-flags", "low_delay",
        # The format is known, so probing only adds delay.  (Never "nobuffer": it drops the probed packets.)
        "-fpsprobesize", "0", "-analyzeduration", "200000", "-probesize", "100000",
        # Keep the source's times in every output: FFmpeg would shift each by its own start.
        "-copyts", "-f", "flv", "-i", "pipe:0",
        *(option for output, pipe in zip(plan.outputs, pipes, strict=True)
          for option in _output_args(plan, output, pipe, preset)),
    ]  # fmt: skip


def _output_args(plan: EncodePlan, output: Output, pipe: int, preset: str) -> list[str]:
    return [
        "-map", "0:v:0", "-map", "0:a:0", "-c:a", "copy",
        *(["-c:v", "copy"] if output.is_copied else _x264(plan, output, preset)),
        "-map_metadata", "-1",
        # The muxer places a fragment behind the declared durations of earlier frames, which are wrong in
        # a pause or with a wrong rate in the header.  So each fragment states its own time, and no frame
        # declares a duration: one that reaches beyond the next frame fails an assertion of the muxer.
        "-write_prft", "pts", "-bsf:v", "setts=pts=PTS:dts=DTS:duration=1",
        # A pause in the audio track must not delay video by the default ten seconds.
        "-max_interleave_delta", "500000",
        # A track begins at its first frame.  The muxer would extend it back to 0 by the
        # reordering delay, which differs between outputs.
        "-avoid_negative_ts", "disabled", "-use_editlist", "0",
        # One fragment for each frame, written at once: the packager groups them into parts.
        "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof+frag_discont",
        "-frag_duration", "20000", "-flush_packets", "1", f"pipe:{pipe}",
    ]  # fmt: skip


def _x264(plan: EncodePlan, output: Output, preset: str) -> list[str]:
    every_s = plan.forced_gop_s
    # One frame for each pair of fields: the frame rate stays that of the playlist.
    joined = "bwdif=mode=send_frame:deint=interlaced," if plan.deinterlaces else ""
    given = f":in_color_matrix={plan.matrix}" if plan.matrix else ""
    # Browsers guess the matrix of untagged video by its height: a rung would change its colours.
    to_bt709 = f"{given}:out_color_matrix=bt709:out_range=tv"
    scaled = f"scale={output.width_px}:{output.height_px}:flags=bicubic{to_bt709}"
    return [
        "-vf", f"{joined}{scaled},setsar=1,format=yuv420p,{colour.TAGS}",
        "-c:v", "libx264", "-preset", preset, "-threads", str(min(os.cpu_count() or 1, _MAX_THREADS)),
        # No lookahead and no B-frames: each frame is output as soon as it is encoded.
        "-tune", "zerolatency", "-bf", "0",
        # Constant quality, with the bitrate of the playlist as its upper bound.
        "-crf", "23", "-maxrate", str(output.bitrate_bps),
        "-bufsize", str(round(output.bitrate_bps * BUFFER_S)),
        # x264 would add keyframes that other renditions do not have.
        "-sc_threshold", "0", "-g", "100000",
        # The same keyframes in every rendition, so that players can switch at any of them.
        "-force_key_frames", f"expr:gte(t,n_forced*{every_s:g})" if every_s else "source",
        # Keep the source's times: FFmpeg's would shift these renditions by 12 ms against the copied one.
        "-fps_mode", "passthrough", "-enc_time_base", "demux",
    ]  # fmt: skip


class EncoderGone(Exception):
    """Error: FFmpeg has ended or no longer reads; the message is the end of its stderr."""


class Encoder:
    """Running FFmpeg process; it ends with ours, and every pipe is bounded."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complaints = b""
        self._transports: list[asyncio.ReadTransport] = []
        self.outputs: list[asyncio.StreamReader] = []
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, plan: EncodePlan, *, preset: str) -> Encoder:
        pairs = [os.pipe() for _ in plan.outputs]
        writing = [write for _, write in pairs]
        try:
            argv = encoder_args(plan, writing, preset=preset)
            process = await start_on_loop(argv, _LIMITS, stdout=asyncio.subprocess.DEVNULL, pass_fds=writing)
        except BaseException:
            for read, _ in pairs:
                os.close(read)
            raise
        finally:
            for write in writing:
                os.close(write)
        encoder = cls(process)
        for read, _ in pairs:
            await encoder._open_output(read)
        return encoder

    async def _open_output(self, descriptor: int) -> None:
        reader = asyncio.StreamReader(limit=_READ_BUFFER_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        self._transports.append(transport)
        self.outputs.append(reader)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def complaints(self) -> str:
        """Return the end of FFmpeg's stderr, without addresses."""
        return scrub(self._complaints.decode("utf-8", "replace"))[-500:]

    async def write(self, data: bytes) -> None:
        """Write more of the source.  Raises EncoderGone if FFmpeg has ended, or reads nothing for seconds."""
        stdin = self._stdin
        if self._process.returncode is not None or stdin.is_closing():
            raise EncoderGone(self.complaints)
        stdin.write(data)
        try:
            async with asyncio.timeout(_STUCK_S):
                await stdin.drain()
        except TimeoutError:
            raise EncoderGone("FFmpeg does not take what it is sent") from None
        except OSError as error:
            raise EncoderGone(self.complaints) from error

    def end_input(self) -> None:
        """Close stdin: FFmpeg finishes its input, then its outputs end."""
        self._stdin.close()

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """Kill the process and close its pipes."""
        self.kill()
        self._stdin.close()
        await self._process.wait()
        for transport in self._transports:
            transport.close()
        await self._listening

    @property
    def _stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None  # noqa: S101 (we asked for a pipe)
        return self._process.stdin

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 (we asked for a pipe)
        while data := await self._process.stderr.read(4096):
            self._complaints = (self._complaints + data)[-_KEPT_STDERR_BYTES:]
