"""Tests that ``docs/limits.md`` lists every limit with its value in the code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCUMENT = ROOT / "docs" / "limits.md"
APPS = ("common", "accounts", "comments", "videos", "live", "videoplatform")
ROW = re.compile(r"^\| (?P<limit>.+) \| (?P<value>.+) \| `(?P<name>\w+)` \| (?P<where>.+) \|$", re.MULTILINE)
UNITS = {
    "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4,
    "ms": 0.001, "min": 60, "h": 3600, "day": 86_400, "days": 86_400,
}  # fmt: skip
# Sizes of reads and writes, or prescribed by a format: they limit nothing.
NO_BOUNDS = {
    "ACKNOWLEDGE_EVERY_BYTES", "CHUNK_BYTES", "HEAD_BYTES", "INITIAL_CHUNK_BYTES", "LEAST_FREE_BYTES",
    "MIN_PART_BYTES", "OUR_CHUNK_BYTES", "PACKET_BYTES", "READ_BYTES", "_HEADER_BYTES", "_HEADER_SIZE_BYTES",
    "_READ_BUFFER_BYTES",
}  # fmt: skip


def rows() -> list[tuple[str, str, str]]:
    """Return value, constant and module of each row."""
    text = DOCUMENT.read_text()
    return [(row["value"], row["name"], row["where"].strip("`")) for row in ROW.finditer(text)]


def number(value: str) -> float:
    """Return ``256 KiB``, ``10 s`` or ``1,000`` as a number; an unknown unit counts as one."""
    amount, _, unit = value.partition(" ")
    return float(amount.replace(",", "")) * UNITS.get(unit, 1)


def constants() -> Iterator[tuple[str, str]]:
    """Yield path and name of every constant that is a limit by its name."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            relative = path.relative_to(ROOT)
            if {"tests", "migrations"} & set(relative.parts):
                continue
            for statement in ast.parse(path.read_text()).body:
                for name in assigned(statement):
                    if re.match(r"_?MAX_|.*_BYTES$", name):
                        yield str(relative), name


def assigned(statement: ast.stmt) -> list[str]:
    """Return the names that a statement assigns."""
    if isinstance(statement, ast.AnnAssign):
        targets: list[ast.expr] = [statement.target]
    else:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


@pytest.mark.parametrize(("value", "name", "where"), rows())
def test_documented_limit_has_the_value_of_its_constant(value: str, name: str, where: str) -> None:
    source = (
        settings
        if where.removesuffix(".md").endswith("settings")
        else import_module(where.removesuffix(".py").replace("/", "."))
    )
    owner, _, attribute = name.rpartition(".")
    # A dataclass of limits is documented with its defaults.
    held = getattr(getattr(source, owner)() if owner else source, attribute)
    held = held.total_seconds() if isinstance(held, timedelta) else held

    assert float(held) == pytest.approx(number(value))


def test_every_limit_has_a_row() -> None:
    documented = {(where, name) for _value, name, where in rows()}
    missing = {
        (where, name)
        for where, name in constants()
        if name not in NO_BOUNDS
        and (where, name) not in documented
        and not (where == "videoplatform/settings.py" and hasattr(settings, name))
    }

    assert missing == set()


def test_no_row_stands_twice() -> None:
    lines = [match[0] for match in ROW.finditer(DOCUMENT.read_text())]

    assert [line for line, count in Counter(lines).items() if count > 1] == []
