"""One FFmpeg for one broadcast: FLV in by stdin, one stream of small fragments out for each rendition."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence

from live.ingest.source import Output, Plan
from videos.transcoding.sandbox import ENCODE_ADDRESS_SPACE_BYTES, clean_environment, sandboxed, scrub
from videos.transcoding.tools import ffmpeg_path

# A broadcast lasts for as long as it is sent; the kernel's clock must not end it.
_ENDLESS_CPU_S = 10**9
_KEPT_STDERR_BYTES = 8192
_READ_BUFFER_BYTES = 256 * 1024
_MAX_THREADS = 4
_STUCK_S = 8.0


def encoder_args(plan: Plan, pipes: Sequence[int], *, preset: str) -> list[str]:
    """Return the FFmpeg that makes the outputs of ``plan``, each on the file descriptor of its place."""
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-nostats",
        # Nothing but this stream is opened, whatever it says.
        "-protocol_whitelist", "pipe", "-format_whitelist", "flv", "-codec_whitelist", "h264,aac",
        # The decoder hands out each picture at once.
        "-flags", "low_delay",
        # What it is we know: no time is lost by looking. (Never "nobuffer": it drops what was looked at.)
        "-fpsprobesize", "0", "-analyzeduration", "200000", "-probesize", "100000",
        "-f", "flv", "-i", "pipe:0",
        *(option for output, pipe in zip(plan.outputs, pipes, strict=True)
          for option in _output_args(plan, output, pipe, preset)),
    ]  # fmt: skip


def _output_args(plan: Plan, output: Output, pipe: int, preset: str) -> list[str]:
    return [
        "-map", "0:v:0", *(["-map", "0:a:0", "-c:a", "copy"] if plan.has_audio else []),
        *(["-c:v", "copy"] if output.is_copied else _x264(plan, output, preset)),
        "-map_metadata", "-1",
        # Sound that falls silent must not hold the picture back for the usual ten seconds.
        "-max_interleave_delta", "500000",
        # A fragment for each picture, written at once: how they become parts is the packager's business.
        "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof",
        "-frag_duration", "20000", "-flush_packets", "1", f"pipe:{pipe}",
    ]  # fmt: skip


def _x264(plan: Plan, output: Output, preset: str) -> list[str]:
    every_s = plan.forced_gop_s
    return [
        "-vf", f"scale={output.width_px}:{output.height_px}:flags=bicubic,setsar=1,format=yuv420p",
        "-c:v", "libx264", "-preset", preset, "-threads", str(min(os.cpu_count() or 1, _MAX_THREADS)),
        # No lookahead and no B-frames: a picture comes out as soon as it is in.
        "-tune", "zerolatency", "-bf", "0",
        # Good where that is cheap, and never above what the playlist promises.
        "-crf", "23", "-maxrate", str(output.bitrate_bps), "-bufsize", str(output.bitrate_bps),
        # x264 would add keyframes of its own, where other renditions have none.
        "-sc_threshold", "0", "-g", "100000",
        # The same keyframes in every rendition, so that players change between them anywhere.
        "-force_key_frames", f"expr:gte(t,n_forced*{every_s:g})" if every_s else "source",
        # The source's own times: FFmpeg's would put these renditions 12 ms beside the copied one.
        "-fps_mode", "passthrough", "-enc_time_base", "demux",
    ]  # fmt: skip


class EncoderGone(Exception):
    """FFmpeg has ended or does not read any more; what it complained of is the message."""


class Encoder:
    """A running FFmpeg, which ends with us and whose every pipe is bounded."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complaints = b""
        self._transports: list[asyncio.ReadTransport] = []
        self.outputs: list[asyncio.StreamReader] = []
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, plan: Plan, *, preset: str) -> Encoder:
        pairs = [os.pipe() for _ in plan.outputs]
        writing = [write for _, write in pairs]
        try:
            argv = encoder_args(plan, writing, preset=preset)
            process = await asyncio.create_subprocess_exec(
                *sandboxed(argv, address_space_bytes=ENCODE_ADDRESS_SPACE_BYTES, cpu_s=_ENDLESS_CPU_S),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=writing,
                env=clean_environment(),
            )
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
        """The last of what FFmpeg said, without addresses."""
        return scrub(self._complaints.decode("utf-8", "replace"))[-500:]

    async def write(self, data: bytes) -> None:
        """Hand over more of the source.  Raises EncoderGone if FFmpeg ended, or takes nothing for seconds."""
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
        """Let FFmpeg finish what it has: its outputs end when it is done."""
        self._stdin.close()

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """Leave no process and no pipe."""
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
