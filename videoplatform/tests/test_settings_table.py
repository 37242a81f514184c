"""The table of settings is complete, and names nothing that is not read."""

import re
from pathlib import Path

from django.conf import settings

from videoplatform.embedded.configuration import PORTS

READ = re.compile(
    r"""\benv(?:\.[a-z_]+)?\(\s*"([A-Z][A-Z0-9_]+)"|os\.environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]+)"(?!\]\s=[^=])"""
)
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \|", re.MULTILINE)
# The system's and pytest's own, not ours to describe.
FOREIGN = {"PATH", "PYTEST_XDIST_WORKER"}
# Read by tests alone.
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


def test_every_variable_is_described_once_and_none_is_made_up() -> None:
    described = variables_described()
    assert sorted(described) == sorted((variables_read() - FOREIGN) | OF_TESTS)


def test_the_example_names_only_what_exists() -> None:
    example = (Path(settings.BASE_DIR) / ".env.example").read_text()
    assert set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE)) <= set(variables_described())
