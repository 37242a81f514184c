"""GStreamer, which publishes to the ingest in the tests as hardware encoders do."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from videoplatform.embedded.packages import ensure

# Each with the package that brings it.
ELEMENTS = {
    "flvmux": "gstreamer1.0-plugins-good",
    "rtmpsink": "gstreamer1.0-plugins-bad",
    "rtmp2sink": "gstreamer1.0-plugins-bad",
    "x264enc": "gstreamer1.0-plugins-ugly",
    "avenc_aac": "gstreamer1.0-libav",
}
NEED = (
    "The tests that publish with GStreamer need {names}: install them as root (apt-get install {packages})."
)
INSPECT_TIMEOUT_S = 30


def ensure_gstreamer(log: Path, say: Callable[[str], None]) -> None:
    """Raise the sentence that names what a person must install."""
    ensure(missing_packages, log, say, NEED)


def missing_packages() -> list[str]:
    inspect = shutil.which("gst-inspect-1.0")
    if inspect is None or shutil.which("gst-launch-1.0") is None:
        return ["gstreamer1.0-tools", "gstreamer1.0-plugins-base", *dict.fromkeys(ELEMENTS.values())]
    return list(dict.fromkeys(package for name, package in ELEMENTS.items() if not has(inspect, name)))


def has(inspect: str, element: str) -> bool:
    asked = subprocess.run([inspect, "--exists", element], check=False, timeout=INSPECT_TIMEOUT_S)
    return asked.returncode == 0
