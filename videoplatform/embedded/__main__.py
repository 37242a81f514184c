"""The entry point of ``bin/run``, ``bin/test`` and ``bin/check``: ``python -m videoplatform.embedded``."""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> int:
    """Run one command. Only its own modules are imported, for a quick start."""
    match arguments:
        case ["run"]:
            from videoplatform.embedded import run

            return run.main(BASE_DIR)
        case ["test", *pytest_arguments]:
            from videoplatform.embedded import testing

            return testing.main(BASE_DIR, pytest_arguments)
        case ["check"]:
            from videoplatform.embedded import checks

            return checks.main(BASE_DIR)
    print("usage: python -m videoplatform.embedded run | check | test [pytest arguments]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
