"""A Chromium that plays H.264, and fonts for Chinese pages."""

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from videoplatform.embedded.failure import CannotStart
from videoplatform.testing.packages import ensure

# Debian's Chromium decodes H.264 and AAC; Playwright's does not.
NAMES = ("chromium", "google-chrome", "google-chrome-stable")
CJK_FONTS = Path("/usr/share/fonts")
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # prctl(2), capabilities(7)
NEED = (
    "The browser tests need {names}: install them as root (apt-get install {packages}), "
    "or set CHROMIUM to a Chromium that plays H.264."
)


def ensure_browser(log: Path, report: Callable[[str], None]) -> str:
    """Return the path of a browser for the tests. Raises CannotStart with the packages to install."""
    ensure(missing_packages, log, report, NEED)
    browser = find_browser()
    if browser is None:
        raise CannotStart("CHROMIUM is not an executable program.")
    return browser


def keep_usual_priority() -> None:
    """Forbid all later children of this process to raise their priority.

    Chromium gives its compositor and its main threads a nice value of -8 if it may, which
    it may as root; on two cores, nothing else gets its share then, not even the servers
    that it loads pages from. Without the rights of root, it cannot, and nothing is done.
    """
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)


def missing_packages() -> list[str]:
    return [
        *([] if find_browser() else ["chromium"]),
        *([] if any(CJK_FONTS.rglob("NotoSansCJK*")) else ["fonts-noto-cjk"]),
    ]


def find_browser() -> str | None:
    """Return ``CHROMIUM`` or a browser on the PATH, except Ubuntu's ``chromium``, which points to a snap."""
    names = (os.environ["CHROMIUM"],) if os.environ.get("CHROMIUM") else NAMES
    found = (shutil.which(name) for name in names)
    return next((path for path in found if path and not points_to_snap(Path(path))), None)


def points_to_snap(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return head.startswith(b"#!") and b"snap" in head
