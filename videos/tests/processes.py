"""Processes of the platform, started for one test on its own database and bucket."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

Process = subprocess.Popen[bytes]
_numbers = itertools.count()


def start(argv: list[str], bucket: str, log_dir: Path, **environment: str) -> Process:
    """Start ``python -m …`` in a process group of its own, with its output in a file in ``log_dir``."""
    shared = {
        "DATABASE_URL": database_url(),
        "S3_BUCKET": bucket,
        "DATA_DIR": str(settings.DATA_DIR),
        "ENCODE_PRESET": "ultrafast",
    }
    with (log_dir / f"{argv[0]}-{next(_numbers)}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *argv],
            env=os.environ | shared | environment,
            cwd=settings.BASE_DIR,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def start_celery(bucket: str, log_dir: Path, *options: str, **environment: str) -> Process:
    """Start a Celery worker of both queues with two slots."""
    name = f"test{next(_numbers)}-{os.getpid()}@%h"
    argv = ["celery", "-A", "videoplatform", "worker", "-n", name, "-Q", "default,encode", "-c", "2"]
    return start([*argv, "--without-gossip", "--without-mingle", *options], bucket, log_dir, **environment)


def database_url() -> str:
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**config)


def kill(process: Process) -> None:
    """Kill the process and its children at once with SIGKILL, as a power cut would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
