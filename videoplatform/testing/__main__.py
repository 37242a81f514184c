"""The entry point of ``bin/test`` and ``bin/check``: ``python -m videoplatform.testing``."""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Run one command. Only its own modules are imported, for a quick start."""
    match arguments:
        case ["test", *pytest_arguments]:
            from videoplatform.testing import suite

            return suite.main(BASE_DIR, pytest_arguments)
        case ["check"]:
            from videoplatform.testing import checks

            return checks.main(BASE_DIR)
    print("usage: python -m videoplatform.testing check | test [pytest arguments]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
