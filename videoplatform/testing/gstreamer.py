"""GStreamer, which tests use to publish like hardware encoders and to play like set-top boxes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from videoplatform.testing.packages import ensure

# GStreamer elements, each with its Debian package.
ELEMENTS = {
    "flvmux": "gstreamer1.0-plugins-good",
    "hlsdemux2": "gstreamer1.0-plugins-good",
    "souphttpsrc": "gstreamer1.0-plugins-good",
    "rtmpsink": "gstreamer1.0-plugins-bad",
    "rtmp2sink": "gstreamer1.0-plugins-bad",
    "x264enc": "gstreamer1.0-plugins-ugly",
    "avdec_h264": "gstreamer1.0-libav",
    "avenc_aac": "gstreamer1.0-libav",
}
NEED = "The tests that use GStreamer need {names}: install them as root (apt-get install {packages})."


def ensure_gstreamer(log: Path, report: Callable[[str], None]) -> None:
    """Install the missing GStreamer packages. Raises CannotStart with the packages to install by hand."""
    ensure(missing_packages, log, report, NEED)


def missing_packages() -> list[str]:
    inspect = shutil.which("gst-inspect-1.0")
    if inspect is None or shutil.which("gst-launch-1.0") is None:
        return ["gstreamer1.0-tools", "gstreamer1.0-plugins-base", *dict.fromkeys(ELEMENTS.values())]
    return list(dict.fromkeys(package for name, package in ELEMENTS.items() if not has(inspect, name)))


def has(inspect: str, element: str) -> bool:
    asked = subprocess.run([inspect, "--exists", element], check=False)
    return asked.returncode == 0
