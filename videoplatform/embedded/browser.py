"""A Chromium that plays H.264, and fonts for Chinese pages."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.packages import ensure

# Debian's Chromium decodes H.264 and AAC; the one Playwright downloads does not.
NAMES = ("chromium", "google-chrome", "google-chrome-stable")
CJK_FONTS = Path("/usr/share/fonts")
NEED = (
    "The browser tests need {names}: install them as root (apt-get install {packages}), "
    "or name a Chromium that plays H.264 in CHROMIUM."
)


def ensure_browser(log: Path, say: Callable[[str], None]) -> str:
    """The path of a browser for the tests; raise the sentence that names what a person must install."""
    ensure(missing_packages, log, say, NEED)
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
