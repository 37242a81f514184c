#!/usr/bin/env python
"""Django's command line, with the same environment that bin/run gave to its servers."""

import os
import sys
from pathlib import Path

from videoplatform.embedded import environment

BASE_DIR = Path(__file__).resolve().parent
ONLY_HELP = {"help", "--help", "-h", "--version"}


def main(arguments: list[str]) -> None:
    """Run a command; what is missing in the configuration is one sentence and exit code 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
    environment.load(BASE_DIR)
    if len(arguments) == 1 or ONLY_HELP & set(arguments):
        # The list of commands and their options need the settings, but none of the secrets.
        environment.complete({environment.SECRET_KEY: "only for help"})
    elif not environment.is_set(environment.SECRET_KEY) and not environment.is_debug():
        sys.exit(
            f"There is no configuration in DATA_DIR {os.environ['DATA_DIR']}: start bin/run there once, "
            "which leaves it for manage.py, or set SECRET_KEY and where your servers are (docs/settings.md)."
        )
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(arguments)
    except ImproperlyConfigured as error:
        sys.exit(f"The configuration is not complete: {error}")


if __name__ == "__main__":
    main(sys.argv)
