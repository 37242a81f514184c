"""Folders of real and hostile files beside some clones, each named by an environment variable."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest


def corpus_folder(variable: str) -> Path | None:
    """Return the folder that ``variable`` names; None if it is unset."""
    named = os.environ.get(variable, "")
    return Path(named) if named else None


def manifest_rows(variable: str) -> list[dict[str, str]]:
    """Return the lines of the corpus' ``MANIFEST.tsv``; none without a corpus."""
    folder = corpus_folder(variable)
    if folder is None:
        return []
    with (folder / "MANIFEST.tsv").open(newline="", errors="replace") as manifest:
        return list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))


def corpus_files(variable: str, *prefixes: str) -> list[object]:
    """Return the corpus files of these kinds as parameters; without a corpus, one skipped parameter."""
    folder = corpus_folder(variable)
    if folder is None:
        skip = pytest.mark.skip(reason=f"left out: {variable} names no folder of test files")
        return [pytest.param(None, marks=skip, id="no corpus")]
    names = [row["file"] for row in manifest_rows(variable)]
    wanted = [name for name in names if not prefixes or name.lstrip("-").startswith(prefixes)]
    return [pytest.param(folder / name, id=name) for name in wanted]
