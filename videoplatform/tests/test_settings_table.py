"""Tests that the table of settings lists exactly the variables that the code reads."""

import re
from pathlib import Path

from django.conf import settings

from videoplatform.embedded.configuration import PORTS

READ = re.compile(
    r"""\benv(?:\.[a-z_]+)?\(\s*"([A-Z][A-Z0-9_]+)"|os\.environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]+)"(?!\]\s=[^=])"""
)
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \|", re.MULTILINE)
# Variables of the system, of pytest, and of uv's cache.
FOREIGN = {"HOME", "PATH", "PYTEST_XDIST_WORKER", "UV_CACHE_DIR", "XDG_CACHE_HOME"}
# Variables that only tests read.
OF_TESTS = {"CAPTION_CORPUS", "MEDIA_CORPUS"}


def sources() -> list[Path]:
    apps = [path.parent for path in Path(settings.BASE_DIR).glob("*/__init__.py")]
    found = [path for app in apps for path in app.rglob("*.py")]
    return [path for path in found if "tests" not in path.parts and "benchmarks" not in path.parts]


def variables_read() -> set[str]:
    matches = [match for path in sources() for match in READ.findall(path.read_text())]
    return {name for pair in matches for name in pair if name} | set(PORTS)


def variables_described() -> list[str]:
    return ROW.findall((Path(settings.BASE_DIR) / "docs/settings.md").read_text())


def test_table_lists_each_variable_once() -> None:
    described = variables_described()
    assert sorted(described) == sorted((variables_read() - FOREIGN) | OF_TESTS)


def test_env_example_contains_only_documented_variables() -> None:
    example = (Path(settings.BASE_DIR) / ".env.example").read_text()
    assert set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE)) <= set(variables_described())
