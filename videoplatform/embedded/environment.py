"""The environment, as ``bin/run`` gave it to its processes, for whoever comes after.

``bin/run`` computes addresses and keeps secrets; it writes them to
``DATA_DIR/environment``, so that ``manage.py`` in another terminal reaches the
same database, Redis and S3.  What is really set always wins, then ``.env``.
"""

import os
from pathlib import Path
from typing import Any

import environ

FILE_NAME = "environment"


def load(base_dir: Path) -> None:
    """Complete ``os.environ`` from ``.env`` and ``DATA_DIR/environment``.

    An empty variable counts as not set.  A relative ``DATA_DIR`` is meant from
    the project's root, wherever the command is run.
    """
    complete(read(dotenv_path(base_dir)))
    os.environ["DATA_DIR"] = str(data_dir(base_dir))
    complete(read(data_dir(base_dir) / FILE_NAME))


def load_dotenv(base_dir: Path) -> None:
    """Complete ``os.environ`` from ``.env`` alone: what a person configured, nothing computed."""
    complete(read(dotenv_path(base_dir)))


def dotenv_path(base_dir: Path) -> Path:
    """``.env`` beside ``manage.py``, or the file that ``ENV_FILE`` names (tests name none)."""
    return Path(os.environ.get("ENV_FILE") or base_dir / ".env")


def data_dir(base_dir: Path) -> Path:
    """Where all state lies."""
    return base_dir / (os.environ.get("DATA_DIR") or "var")


def complete(values: dict[str, str]) -> None:
    """Set what is missing in ``os.environ``, never what is there."""
    for name, value in values.items():
        if value and not os.environ.get(name):
            os.environ[name] = value


def read(path: Path) -> dict[str, str]:
    """The variables of a ``NAME=value`` file; none when there is no such file."""
    values: dict[str, str] = {}
    if path.exists():
        # django-environ reads into its class's ENVIRON; ours is a dictionary, so
        # that reading a file and changing the environment stay two things.
        reader: Any = type("EnvFile", (environ.Env,), {"ENVIRON": values})
        reader.read_env(path)
    return values


def write(path: Path, values: dict[str, str]) -> None:
    """Write variables for ``read``, for the owner's eyes only, whole or not at all."""
    text = "".join(f'{name}="{escape(value)}"\n' for name, value in sorted(values.items()))
    write_private(path, "# Written by bin/run at each start; set your own in .env.\n" + text)


def escape(value: str) -> str:
    """A value as django-environ reads it between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone from its first byte."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
