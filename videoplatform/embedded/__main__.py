"""``python -m videoplatform.embedded run`` (or ``test``): what ``bin/run`` and ``bin/test`` end in."""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> int:
    """Only what the command needs is imported, for a quick start."""
    match arguments:
        case ["run"]:
            from videoplatform.embedded import run

            return run.main(BASE_DIR)
        case ["test", *pytest_arguments]:
            from videoplatform.embedded import testing

            return testing.main(BASE_DIR, pytest_arguments)
    print("usage: python -m videoplatform.embedded run | test [pytest arguments]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
