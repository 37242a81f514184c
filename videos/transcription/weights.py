"""The weights of a speech model: a folder, or a name that is downloaded once."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path

WEIGHTS_FILE = "model.bin"
MAX_NAME = 100
# A name of faster-whisper (small, large-v3-turbo) or of a repository (owner/name).
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")


class ModelMissing(Exception):
    """A speech model that cannot be used; the message names the missing part."""


def is_installed() -> bool:
    """Return whether this Python has the packages of requirements-captions.txt."""
    return importlib.util.find_spec("faster_whisper") is not None


def folder_of(model: str, models: Path) -> Path:
    """Return the folder of the weights of ``model``; download them below ``models`` the first time.

    Raises ModelMissing if the packages are not installed, the folder holds no weights, or
    the download fails.
    """
    if not is_installed():
        raise ModelMissing("faster-whisper is not installed: install requirements-captions.txt")
    if os.sep in model and Path(model).is_absolute():
        if not (Path(model) / WEIGHTS_FILE).is_file():
            raise ModelMissing(f"the folder of CAPTIONS_MODEL holds no {WEIGHTS_FILE}")
        return Path(model)
    if len(model) > MAX_NAME or not _NAME.fullmatch(model):
        raise ModelMissing("CAPTIONS_MODEL is neither a name nor the absolute path of a folder")
    folder = models / model.replace("/", "--")
    if not (folder / WEIGHTS_FILE).is_file():
        _download(model, folder)
    return folder


def _download(model: str, folder: Path) -> None:
    """Download ``model`` beside ``folder`` and rename it, so that the folder is always whole."""
    from faster_whisper import download_model

    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / WEIGHTS_FILE).is_file():
            return  # another worker was faster
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            try:
                download_model(model, output_dir=unfinished)
            except (OSError, ValueError) as error:
                raise ModelMissing(f"the model {model} could not be downloaded: {error}") from error
            shutil.copytree(unfinished, folder, ignore=shutil.ignore_patterns(".cache"), dirs_exist_ok=True)
