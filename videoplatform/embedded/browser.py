"""A Chromium that plays H.264, and fonts for Chinese pages: found, or installed where we may."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from videoplatform.embedded.failure import CannotStart

# Debian's Chromium decodes H.264 and AAC; the one Playwright downloads does not.
NAMES = ("chromium", "google-chrome", "google-chrome-stable")
CJK_FONTS = Path("/usr/share/fonts")


def ensure_browser(log: Path, say: Callable[[str], None]) -> str:
    """The path of a browser for the tests; raise the sentence that names what a person must install."""
    missing = missing_packages()
    if missing and may_install():
        say(f"Installing {' '.join(missing)}")
        apt_install(missing, log)
        missing = missing_packages()
    if missing:
        raise CannotStart(
            f"The browser tests need {' and '.join(missing)}: install them as root "
            f"(apt-get install {' '.join(missing)}), or name a Chromium that plays H.264 in CHROMIUM."
        )
    browser = find_browser()
    if browser is None:
        raise CannotStart("CHROMIUM names no program that can be run.")
    return browser


def missing_packages() -> list[str]:
    return [
        *([] if find_browser() else ["chromium"]),
        *([] if any(CJK_FONTS.rglob("NotoSansCJK*")) else ["fonts-noto-cjk"]),
    ]


def find_browser() -> str | None:
    """``CHROMIUM``, or one on the PATH; Ubuntu's ``chromium`` package is only a pointer to a snap."""
    names = (os.environ["CHROMIUM"],) if os.environ.get("CHROMIUM") else NAMES
    found = (shutil.which(name) for name in names)
    return next((path for path in found if path and not points_to_snap(Path(path))), None)


def points_to_snap(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return head.startswith(b"#!") and b"snap" in head


def may_install() -> bool:
    """Root on Debian: elsewhere ``chromium`` is not a package with a browser in it."""
    release = Path("/etc/os-release")
    is_debian = release.exists() and "\nID=debian\n" in f"\n{release.read_text()}"
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
