"""FFmpeg's confinement where a container hides or forbids parts of the kernel: it degrades, and encodes run.

Each container is a process with a seccomp filter of its own around us, as Docker, Podman and LXD
make them.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from videos.tests.clips import make_clip
from videos.tests.object_server import Bucket, bucket_url
from videos.transcoding import layers
from videos.transcoding.layers import Layer, missing_layers
from videos.transcoding.syscalls import numbers
from videos.transcoding.tools import ffmpeg_path

__all__ = ["bucket_url"]  # a fixture
pytestmark = pytest.mark.skipif(bool(missing_layers()), reason=f"this machine lacks {list(missing_layers())}")

LANDLOCK = (444, 445, 446)
CONTAINER = """
import ctypes, json, sys
from videos.transcoding import guard
from videos.transcoding.inputs import input_args
from videos.transcoding.layers import missing_layers
from videos.transcoding.processes import run_short
from videos.transcoding.syscalls import numbers

refused, error, flags, ffmpeg, source = json.loads(sys.argv[1])
program = [(0x20, 0, 0, 0)]
for number in refused:
    program += [(0x15, 0, 1, number), (6, 0, 0, 0x50000 | error)]
program.append((6, 0, 0, 0x7fff0000))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
instructions = (guard._Instruction * len(program))(*(guard._Instruction(*each) for each in program))
applied = guard._FilterProgram(len(program), instructions)
assert libc.syscall(numbers()["seccomp"], 1, ctypes.c_uint(flags), ctypes.byref(applied)) >= 0
argv = [ffmpeg, "-v", "error", *input_args(source, "mov"), "-frames:v", "2", "-an", "-f", "framecrc", "-"]
done = run_short(argv, timeout_s=60)
print(json.dumps([missing_layers(), done.exit_code, done.stdout.decode().count("230400"), done.stderr]))
"""


def run_inside(source: str, *, refused: list[int], error: int = errno.EPERM, flags: int = 0) -> Any:
    """Return the missing layers in a container, and the result of an encode there."""
    request = json.dumps([refused, error, flags, ffmpeg_path(), source])
    done = subprocess.run(
        [sys.executable, "-c", CONTAINER, request],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def source(clips: Path) -> Path:
    return make_clip("landscape", clips, seconds=3, size="640x240")


@pytest.mark.ffmpeg
def test_container_without_namespaces_lacks_nothing(source: Path) -> None:
    """Docker's default profile refuses them, and so do hardened hosts."""
    refused = [numbers()[name] for name in ("unshare", "setns", "mount", "chroot", "pivot_root")]

    assert run_inside(str(source), refused=refused) == [{}, 0, 2, ""]


@pytest.mark.ffmpeg
def test_container_without_landlock_uses_mounts(source: Path) -> None:
    if not layers.can_mount():
        pytest.skip("this machine permits no mounts")
    assert run_inside(str(source), refused=list(LANDLOCK)) == [{}, 0, 2, ""]


@pytest.mark.ffmpeg
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_container_without_landlock_and_mounts_encodes_without_them(error: int, source: Path) -> None:
    reason = {errno.ENOSYS: "Function not implemented", errno.EPERM: "Operation not permitted"}[error]

    answer = run_inside(str(source), refused=[*LANDLOCK, numbers()["unshare"]], error=error)

    assert answer == [{Layer.FILES: reason}, 0, 2, ""]


@pytest.mark.ffmpeg
def test_container_that_forbids_filters_encodes_without_them(source: Path) -> None:
    reason = "Operation not permitted"

    answer = run_inside(str(source), refused=[numbers()["seccomp"]])

    assert answer == [{Layer.CALLS: reason, Layer.NETWORK: reason}, 0, 2, ""]


@pytest.mark.ffmpeg
def test_container_with_a_listener_of_its_own_connects_directly(source: Path, bucket_url: str) -> None:
    """LXD answers some system calls itself, and a process can have one listener only."""
    Bucket.objects["/source.mp4"] = source.read_bytes()

    answer = run_inside(f"{bucket_url}/source.mp4", refused=[], flags=1 << 3)

    assert answer == [{Layer.NETWORK: "Device or resource busy"}, 0, 2, ""]
