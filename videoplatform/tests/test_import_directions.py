"""The arrows of docs/architecture.md, held by reading every import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parents[2]
APPS = ["accounts", "comments", "videos", "live", "videoplatform"]
PURE = ["videos/transcoding", "videos/hls", "live/rtmp", "live/llhls", "live/chat/messages.py"]
LAYERS = ["models", "pipeline", "tasks", "services", "views"]
# What an app may use of the project itself: seams that know no app.
SHARED = {
    "videoplatform.storage",
    "videoplatform.throttling",
    "videoplatform.pagination",
    "videoplatform.openapi",
    "videoplatform.refusals",
    "videoplatform.celery",
    "videoplatform.health",
    "videoplatform.templatetags",
    "videoplatform.embedded",
}


def modules(folder: Path) -> Iterator[Path]:
    found = [folder] if folder.suffix == ".py" else sorted(folder.rglob("*.py"))
    return (path for path in found if "tests" not in path.parts and "migrations" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("app", APPS[:-1])
def test_an_app_imports_only_apps_on_its_left(app: str) -> None:
    forbidden = APPS[APPS.index(app) + 1 :]

    offenders = [
        f"{path.relative_to(BASE_DIR)}: {name}"
        for path in modules(BASE_DIR / app)
        for name in imports(path)
        if name.split(".")[0] in forbidden and ".".join(name.split(".")[:2]) not in SHARED
    ]

    assert offenders == []


@pytest.mark.parametrize("core", [core for core in PURE if (BASE_DIR / core).exists()])
def test_a_pure_core_does_not_know_django(core: str) -> None:
    offenders = [
        f"{path.relative_to(BASE_DIR)}: {name}"
        for path in modules(BASE_DIR / core)
        for name in imports(path)
        if name.split(".")[0] in {"django", "rest_framework", "celery", "channels"}
    ]

    assert offenders == []


@pytest.mark.parametrize("app", APPS[:-1])
def test_within_an_app_a_layer_imports_only_layers_below(app: str) -> None:
    offenders = [
        f"{app}/{layer}.py: {name}"
        for below, layer in enumerate(LAYERS)
        if (BASE_DIR / app / f"{layer}.py").exists()
        for name in imports(BASE_DIR / app / f"{layer}.py")
        if name.startswith(f"{app}.") and name.split(".")[1] in LAYERS[below + 1 :]
    ]

    assert offenders == []
