"""JavaScript modules of the pages: short names, fingerprinted URLs, one import map.

``import { backoff } from "#lib/backoff"`` is ``static/js/lib/backoff.js``; the
``imports`` of ``package.json`` give Node the same names, so ``node --test`` runs
our modules unchanged.  The map is the only inline script of a page, and the
Content-Security-Policy names it by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import deque
from functools import cache, lru_cache

from django.conf import settings
from django.templatetags.static import static

# Packages by the name they are imported under.  hls.js comes minified (182 KB
# against 348 KB gzip); its light build lacks alternate audio.  htmx is loaded as a
# plain script, because its ES module is not minified.
PACKAGES = {"hls.js": "vendor/hls.js/hls.min.mjs"}

# A static import or re-export at the start of a line, over one or several lines. A dynamic
# ``import()`` is not one: its module is loaded only when it is needed.
STATIC_IMPORT = re.compile(
    r"""^(?:import\s*|(?:import|export)\b[^"';]*?\bfrom\s*)["']([^"']+)["']""", re.MULTILINE
)


def own_modules() -> dict[str, str]:
    """Return the static path of each module under ``static/js`` by its short name, ``#player/timeline``."""
    return _fresh_own_modules() if settings.DEBUG else _cached_own_modules()


def _fresh_own_modules() -> dict[str, str]:
    root = settings.BASE_DIR / "static" / "js"
    found = sorted(path.relative_to(root) for path in root.rglob("*.js"))
    return {
        f"#{path.with_suffix('').as_posix()}": f"js/{path.as_posix()}"
        for path in found
        if not path.name.endswith(".test.js")
    }


_cached_own_modules = cache(_fresh_own_modules)


def preloads(entry: str) -> tuple[str, ...]:
    """Return the modules and packages that ``#{entry}`` imports, directly or through others.

    The nearest come first. A browser learns of an import only after it has read the
    importing module, so pages name all of them (``modulepreload``) and spare these rounds.
    """
    return _fresh_preloads(entry) if settings.DEBUG else _cached_preloads(entry)


def _fresh_preloads(entry: str) -> tuple[str, ...]:
    modules = own_modules()
    root = settings.BASE_DIR / "static"
    waiting = deque([f"#{entry}"])
    found: dict[str, None] = {}
    while waiting:
        name = waiting.popleft()
        if name in PACKAGES:
            continue
        for imported in STATIC_IMPORT.findall((root / modules[name]).read_text()):
            if imported not in found and imported != f"#{entry}":
                found[imported] = None
                waiting.append(imported)
    return tuple(found)


_cached_preloads = cache(_fresh_preloads)


def import_map() -> str:
    """Return the import map as JSON, without white space: its hash must be the browser's."""
    return _fresh_import_map() if settings.DEBUG else _cached_import_map()


def import_map_hash() -> str:
    """Return the map's source for ``script-src``: ``'sha256-…'``."""
    digest = hashlib.sha256(import_map().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _fresh_import_map() -> str:
    urls = {name: static(path) for name, path in {**PACKAGES, **own_modules()}.items()}
    return json.dumps({"imports": urls}, separators=(",", ":")).replace("<", "\\u003c")


_cached_import_map = cache(_fresh_import_map)


@lru_cache(maxsize=1)
def icon_shapes() -> dict[str, tuple[str, str]]:
    """Return the viewBox and the content of each symbol of the sprite, by its name."""
    sprite = (settings.BASE_DIR / "static" / "img" / "icons.svg").read_text()
    found = re.findall(r'<symbol id="([^"]+)" viewBox="([^"]+)">(.*?)</symbol>', sprite, re.DOTALL)
    return {name: (view_box, shapes) for name, view_box, shapes in found}
