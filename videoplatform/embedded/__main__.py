"""The entry point of ``bin/run``: ``python -m videoplatform.embedded``."""

import sys
from pathlib import Path

from videoplatform.embedded import run

if __name__ == "__main__":
    sys.exit(run.main(Path(__file__).resolve().parents[2]))
