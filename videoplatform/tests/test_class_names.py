"""Test that a class name means one thing in the whole project."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
FOLDERS = ["common", "accounts", "comments", "videos", "live", "videoplatform", "benchmarks", "docs"]
# Names that Django asks for.  Classes within a class, such as ``Job.Status``, differ by their owner.
REPEATED = {"Command", "Migration"}


def class_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the classes of a module, also those behind an ``if``."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.If):
            yield from class_names([*statement.body, *statement.orelse])


def test_class_name_is_used_once() -> None:
    places = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((BASE_DIR / folder).rglob("*.py")):
            for name in class_names(ast.parse(path.read_text()).body):
                places[name].append(str(path.relative_to(BASE_DIR)))

    repeated = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in REPEATED}

    assert places["Video"] == ["videos/models/videos.py"]
    assert repeated == {}
