"""A worker's peak memory and disk by the length of the video: both should be constant.

.venv/bin/python -m benchmarks.footprint [seconds ...]
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from benchmarks import harness

AT_MOST_S = 150


class Peak:
    """A sampler of the memory and disk of the encoding processes, four times a second."""

    def __init__(self, data_dir: Path) -> None:
        self.work = data_dir / "work"
        self.memory_mb = self.disk_mb = 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.stopped.wait(0.25):
            self.memory_mb = max(self.memory_mb, sum(map(_memory_mb, self._processes())))
            self.disk_mb = max(self.disk_mb, _folder_mb(self.work))

    def _processes(self) -> list[Path]:
        """Return the FFmpeg processes that write below the work folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.work) in (process / "cmdline").read_text():
                    found.append(process)
            except OSError:
                continue  # it has ended in the meantime
        return found


def _memory_mb(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _folder_mb(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # it was published and deleted in the meantime
    return total / 1024**2


def watch(on: harness.Platform, token: str, video: str) -> None:
    """Wait until the encode ends, or has run long enough to reach its peak."""
    until = time.monotonic() + AT_MOST_S
    while time.monotonic() < until:
        if on.api(token).get(f"videos/{video}/").json()["status"] != "processing":
            return
        time.sleep(1)


def main(lengths: list[int]) -> None:
    first: Peak | None = None
    with harness.platform() as on:
        token = harness.register(on)
        for seconds in lengths:
            video, parts = harness.send(on, token, harness.clip(seconds))
            with Peak(on.data_dir) as peak:
                harness.complete(on, token, video, parts)
                watch(on, token, video)
            on.api(token).delete(f"videos/{video}/").raise_for_status()
            first = first or peak
            harness.report(
                "footprint",
                length_s=seconds,
                memory_mb=peak.memory_mb,
                disk_mb=peak.disk_mb,
                memory_ratio=peak.memory_mb / first.memory_mb,
                disk_ratio=peak.disk_mb / first.disk_mb,
            )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [60, 900])
