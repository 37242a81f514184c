"""The environment of ``bin/run``, saved for other processes.

``bin/run`` computes addresses and keeps secrets; it writes them to
``DATA_DIR/environment``, so that ``manage.py`` in another terminal reaches the same
database, Redis and S3. Real environment variables take precedence, then ``.env``.
"""

import json
import os
from pathlib import Path
from typing import Any

import environ

FILE_NAME = "environment"
SECRETS_NAME = "secrets.json"
SECRET_KEY = "SECRET_KEY"  # noqa: S105  (its name)


def load(base_dir: Path) -> None:
    """Complete ``os.environ`` from ``.env`` and ``DATA_DIR/environment``.

    An empty variable counts as unset. A relative ``DATA_DIR`` is relative to the project's
    root, not to the working directory.
    """
    complete(read(dotenv_path(base_dir)))
    os.environ["DATA_DIR"] = str(data_dir(base_dir))
    complete(read(data_dir(base_dir) / FILE_NAME))
    # A folder restored from a backup has the secrets but not the environment.
    if not is_set(SECRET_KEY):
        complete({SECRET_KEY: kept_secrets(data_dir(base_dir)).get(SECRET_KEY, "")})


def is_set(name: str) -> bool:
    """Return whether a variable is set, directly or by a file that holds its value."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def is_debug() -> bool:
    """Return whether DEBUG is on, with which the settings need no secrets."""
    return bool(environ.Env().bool("DEBUG", default=False))


def kept_secrets(folder: Path) -> dict[str, str]:
    """Return the secrets that ``bin/run`` made for ``folder``, or an empty dict if it never ran."""
    path = folder / SECRETS_NAME
    return dict(json.loads(path.read_text())) if path.exists() else {}


def load_dotenv(base_dir: Path) -> None:
    """Complete ``os.environ`` from ``.env`` only, without computed values."""
    complete(read(dotenv_path(base_dir)))


def dotenv_path(base_dir: Path) -> Path:
    """Return the path of ``.env`` beside ``manage.py``, or of the file in ``ENV_FILE`` (tests disable it)."""
    return Path(os.environ.get("ENV_FILE") or base_dir / ".env")


def data_dir(base_dir: Path) -> Path:
    """Return the folder of all state."""
    return base_dir / (os.environ.get("DATA_DIR") or "var")


def complete(values: dict[str, str]) -> None:
    """Set the variables that are missing in ``os.environ``, and leave the others."""
    for name, value in values.items():
        if value and not os.environ.get(name):
            os.environ[name] = value


def read(path: Path) -> dict[str, str]:
    """Return the variables of a ``NAME=value`` file, or an empty dict if there is no such file."""
    values: dict[str, str] = {}
    if path.exists():
        # django-environ writes into the ENVIRON of its class. A dictionary instead of
        # os.environ keeps reading a file apart from changing the environment.
        reader: Any = type("EnvFile", (environ.Env,), {"ENVIRON": values})
        reader.read_env(path)
    return values


def write(path: Path, values: dict[str, str]) -> None:
    """Write variables for ``read``, atomically and readable only by the owner."""
    text = "".join(f'{name}="{escape(value)}"\n' for name, value in sorted(values.items()))
    write_private(path, "# Written by bin/run at each start; set your own in .env.\n" + text)


def escape(value: str) -> str:
    """Return a value escaped for django-environ, between double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically. Only its owner can read it, from the first byte."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
