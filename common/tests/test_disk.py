"""Tests of work folders: removed after the work, and swept after their process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common import disk


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def make_old(folder: Path) -> None:
    os.utime(folder, (1, 1))


def test_folder_is_gone_after_its_work() -> None:
    with disk.workspace() as folder:
        (folder / "segment").write_bytes(b"x")

    assert not folder.exists()


def test_old_folder_of_running_work_is_kept() -> None:
    with disk.workspace() as folder:
        make_old(folder)

        assert disk.sweep_work_folder() == 0
        assert folder.exists()


def test_folder_of_a_killed_process_is_swept(data_dir: Path) -> None:
    code = (
        "import fcntl, os, sys; os.makedirs(sys.argv[1]);"
        " fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(flush=True); input()"
    )
    folder = data_dir / "work" / "killed"
    argv = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        make_old(folder)
        assert disk.sweep_work_folder() == 0
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert disk.sweep_work_folder() == 1
    assert not folder.exists()


def test_new_folder_is_not_swept(data_dir: Path) -> None:
    folder = data_dir / "work" / "fresh"
    folder.mkdir(parents=True)

    assert disk.sweep_work_folder() == 0
