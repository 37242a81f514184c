"""The cost of FFmpeg's sandbox: the same FFmpeg behind the guard and its relay, and alone.

Both read the same clip from a server in a process of its own, in turns.  Processor time is that
of FFmpeg and of this process, which relays; the least of the turns counts, because other load
only adds to it.
"""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.harness import clip, report
from videos.tests.object_server import Bucket, QuietServer
from videos.transcoding.inputs import input_args
from videos.transcoding.layers import layer_reasons
from videos.transcoding.processes import start
from videos.transcoding.sandbox import encoding
from videos.transcoding.tools import ffmpeg_path

TURNS = 5
TIMEOUT_S = 600.0
TO_NOTHING = ("-f", "null", "-")
TASKS = {
    "one frame": ("-frames:v", "1", *TO_NOTHING),
    "copy": ("-c", "copy", *TO_NOTHING),
    "encode": ("-an", "-vf", "scale=640:360", "-c:v", "libx264", "-preset", "veryfast", *TO_NOTHING),
}


def serve(path: Path, port: Connection) -> None:
    """Serve the file, and send the port."""
    Bucket.objects["/source.mp4"] = path.read_bytes()
    with QuietServer(("127.0.0.1", 0), Bucket) as server:
        port.send(server.server_port)
        server.serve_forever()


def run_alone(argv: Sequence[str]) -> None:
    """Run FFmpeg without a sandbox."""
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def run_confined(argv: Sequence[str]) -> None:
    """Run FFmpeg as a worker does."""
    with start(argv, encoding(TIMEOUT_S)) as process:
        _, complaints = process.communicate()
    if process.returncode:
        raise RuntimeError(complaints.decode())


def cost_of(run: Callable[[Sequence[str]], None], argv: Sequence[str]) -> tuple[float, float]:
    """Return the processor time and the duration of a run, in seconds."""
    began, used = time.monotonic(), _used_s()
    run(argv)
    return _used_s() - used, time.monotonic() - began


def _used_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Print the cost of each task, confined and alone, and the layers that were active."""
    path = clip(20, size="1280x720")
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=[path, theirs], daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/source.mp4"
    layers = ", ".join(name for name, reason in layer_reasons().items() if not reason)
    for task, output in TASKS.items():
        argv = [ffmpeg_path(), "-v", "error", "-nostdin", *input_args(url, "mov"), *output]
        turns = [(cost_of(run_confined, argv), cost_of(run_alone, argv)) for _ in range(TURNS)]
        (cpu_s, wall_s), (alone_cpu_s, alone_wall_s) = (
            tuple(min(turn[who][what] for turn in turns) for what in (0, 1)) for who in (0, 1)
        )
        report(
            f"sandbox, {task}",
            cpu_s=f"{cpu_s:.3f}",
            alone_cpu_s=f"{alone_cpu_s:.3f}",
            wall_s=f"{wall_s:.3f}",
            alone_wall_s=f"{alone_wall_s:.3f}",
            layers=layers,
        )
    server.terminate()


if __name__ == "__main__":
    main()
