"""The time from ``bin/run`` to ``ready``: in a fresh clone, and again with everything installed.

.venv/bin/python -m benchmarks.start
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import harness


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(harness.BASE_DIR), str(clone)], check=True)
        data_dir = str(Path(folder) / "data")
        for name in ("cold", "warm"):
            started = time.monotonic()
            with harness.platform(clone, DATA_DIR=data_dir):
                harness.report("start", kind=name, seconds=time.monotonic() - started)


if __name__ == "__main__":
    main()
