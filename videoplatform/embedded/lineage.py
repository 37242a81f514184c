"""Children that cannot outlive us: parent-death signals, and a last look for orphans."""

import ctypes
import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def dying_with_parent(command: tuple[str, ...], *, by: str = "TERM") -> tuple[str, ...]:
    """The command, sent a signal by the kernel when its parent ends, however that happens."""
    return ("setpriv", "--pdeathsig", by, "--", *command)


def dying_with_us(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command for a child of this very process, ended with TERM when we end.

    The kernel sends nothing when the parent was dead before the child asked for the
    signal (prctl(2)), so the child then looks whose it is, and does not begin.
    """
    still_ours = '[ "$PPID" = "$0" ] && exec "$@"'
    return dying_with_parent(("sh", "-c", still_ours, str(os.getpid()), *command))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none escapes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> list[int]:
    """Our children, adopted ones included."""
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        pids += map(int, (task / "children").read_text().split())
    return pids


def bury_orphans(*, except_for: Collection[int] = ()) -> None:
    """Let adopted children that have ended go; those of ``except_for`` are waited for elsewhere."""
    for pid in children():
        if pid not in except_for:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_orphans(within_s: float = 2.0) -> None:
    """Kill whatever is left of the family; killing a parent hands us its children, so look again."""
    deadline = time.monotonic() + within_s
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        bury_orphans()
        time.sleep(0.02)
