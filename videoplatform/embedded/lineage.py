"""Child processes that cannot outlive us: parent-death signals, and a final kill of orphans."""

import ctypes
import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
ORPHANS_WITHIN_S = 1.0


def dying_with_us(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command for a child of this very process, which gets TERM after our end."""
    return _dying_with(str(os.getpid()), command, by="TERM")


def supervisor_dying_with_us(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return :func:`dying_with_us` for a supervisor, whose children are told its process id."""
    return dying_with_us(("sh", "-c", 'export SUPERVISOR_PID=$$ && exec "$@"', "sh", *command))


def dying_with_supervisor(command: tuple[str, ...], *, by: str) -> tuple[str, ...]:
    """Return the command for a child of the supervisor, which gets the signal ``by`` after its end."""
    return _dying_with("$SUPERVISOR_PID", command, by=by)


def _dying_with(parent: str, command: tuple[str, ...], *, by: str) -> tuple[str, ...]:
    """Return the command with a parent-death signal.

    The kernel sends no signal if the parent was dead before the child asked for it
    (prctl(2)). So the child checks its parent's id afterwards, and exits if it differs.
    """
    still_theirs = f'[ "$PPID" = "{parent}" ] && exec "$@"'
    return ("setpriv", "--pdeathsig", by, "--", "sh", "-c", still_theirs, "sh", *command)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> list[int]:
    """Return the process ids of our children, including adopted ones."""
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        # The children of a thread that ends meanwhile move to another of our threads.
        with suppress(FileNotFoundError, ProcessLookupError):
            pids += map(int, (task / "children").read_text().split())
    return pids


def bury_orphans(*, except_for: Collection[int] = ()) -> None:
    """Reap adopted children that have ended, except those of ``except_for``, which others wait for."""
    for pid in children():
        if pid not in except_for:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_orphans(within_s: float = ORPHANS_WITHIN_S) -> None:
    """Kill all remaining descendants, repeatedly: the children of a killed process become ours."""
    deadline = time.monotonic() + within_s
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        bury_orphans()
        time.sleep(0.02)
