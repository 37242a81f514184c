"""Debian packages that tests need and pip does not have, installed if permitted."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from videoplatform.embedded.failure import CannotStart


def ensure(missing: Callable[[], list[str]], log: Path, report: Callable[[str], None], need: str) -> None:
    """Install the packages that ``missing`` returns. Raises CannotStart with ``need`` if that is impossible.

    ``need`` takes the packages twice: as ``{names}`` for the sentence and ``{packages}``
    for the command.
    """
    packages = missing()
    if packages and may_install():
        report(f"Installing {' '.join(packages)}")
        apt_install(packages, log)
        packages = missing()
    if packages:
        raise CannotStart(need.format(names=" and ".join(packages), packages=" ".join(packages)))


def may_install() -> bool:
    """Return whether we are root on Debian. Elsewhere the package ``chromium`` contains no browser."""
    release = Path("/etc/os-release")
    is_debian = release.exists() and "ID=debian" in release.read_text().splitlines()
    return os.geteuid() == 0 and is_debian and shutil.which("apt-get") is not None


def apt_install(packages: list[str], log: Path) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("w") as output:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *command],
                env=environment, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            if done.returncode:
                raise CannotStart(
                    f"apt-get {command[0]} failed while installing {' '.join(packages)}: see {log}."
                )
