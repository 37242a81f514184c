"""Progress of a start: a line that is rewritten on a terminal, or a new line every few seconds in a log.

Standard library only: ``install`` uses it before any package is installed.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# Returns the progress of a step: "31/88", or an empty string while it is unknown.
Share = Callable[[], str]

TERMINAL_PERIOD_S = 0.2
LOG_PERIOD_S = 5.0
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """The steps of a start; several may run in parallel.

    Elapsed seconds count from ``began``, on the clock of ``time.monotonic``.
    """

    def __init__(self, *, began: float | None = None, stream: TextIO | None = None) -> None:
        self.began = process_start() if began is None else began
        self.stream = stream or sys.stdout
        self.on_terminal = self.stream.isatty()
        self.lock = threading.RLock()
        self.running: dict[str, Share] = {}
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None

    @contextmanager
    def step(self, name: str, share: Share = str) -> Iterator[None]:
        """Show ``name`` and its progress while the block runs. A failed step is not reported as done."""
        with self.lock:
            self.running[name] = share
            self.show()
            self.start_clock()
        try:
            yield
        except BaseException:
            with self.lock:
                self.running.pop(name)
            raise
        with self.lock:
            self.running.pop(name)
            self.report(f"{self.elapsed()}  {name}: done")

    def report(self, sentence: str) -> None:
        """Print a sentence on its own line, above the progress line."""
        with self.lock:
            clear = CLEAR_LINE if self.on_terminal else ""
            print(f"{clear}{sentence}", file=self.stream, flush=True)
            if self.on_terminal and self.running:
                self.show()

    def close(self) -> None:
        """Stop the clock and clear the progress line of the terminal."""
        self.stopped.set()
        if self.thread is not None:
            self.thread.join()
            if self.on_terminal:
                print(CLEAR_LINE, end="", file=self.stream, flush=True)

    def show(self) -> None:
        """Write the progress line: the running steps with their shares."""
        running = ", ".join(f"{name} {share()}".rstrip() for name, share in self.running.items())
        line = f"{self.elapsed()}  {running}"
        if self.on_terminal:
            print(f"{CLEAR_LINE}{line[: terminal_width()]}", end="", file=self.stream, flush=True)
        else:
            print(line, file=self.stream, flush=True)

    def elapsed(self) -> str:
        return f"{time.monotonic() - self.began:4.0f} s"

    def start_clock(self) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self.tick, daemon=True)
            self.thread.start()

    def tick(self) -> None:
        """Repeat the line, so that elapsed time and shares advance. Runs in its own thread."""
        period_s = TERMINAL_PERIOD_S if self.on_terminal else LOG_PERIOD_S
        while not self.stopped.wait(period_s):
            with self.lock:
                if self.running:
                    self.show()


def process_start() -> float:
    """Return the start time of this process, on the clock of ``time.monotonic``.

    ``bin/run`` becomes Python by ``exec``, which keeps the start time, so this includes the
    installation before it.
    """
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    # Field 22 of proc_pid_stat(5), in clock ticks since boot; field 2 is the name.
    since_boot_s = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s)


def terminal_width() -> int:
    try:
        return os.get_terminal_size().columns - 1
    except OSError:
        return 79
