"""The browser's modules: short names, fingerprinted URLs, one import map.

``import { backoff } from "#lib/backoff"`` is ``static/js/lib/backoff.js``; the
``imports`` of ``package.json`` give Node the same names, so ``node --test`` runs
our modules unchanged.  The map is the only inline script of a page, and the
Content-Security-Policy names it by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache

from django.conf import settings
from django.templatetags.static import static

# Packages by the name they are imported under.  hls.js comes minified (182 KB
# against 348 KB gzip); its light build lacks alternate audio.  htmx is a plain
# script of its own: its ES module is not minified.
PACKAGES = {"hls.js": "vendor/hls.js/hls.min.mjs"}


def own_modules() -> dict[str, str]:
    """Every module under ``static/js`` by its short name: ``#player/timeline`` → its static path."""
    return _fresh_own_modules() if settings.DEBUG else _cached_own_modules()


def _fresh_own_modules() -> dict[str, str]:
    root = settings.BASE_DIR / "static" / "js"
    found = sorted(path.relative_to(root) for path in root.rglob("*.js"))
    return {
        f"#{path.with_suffix('').as_posix()}": f"js/{path.as_posix()}"
        for path in found
        if not path.name.endswith(".test.js")
    }


@lru_cache(maxsize=1)
def _cached_own_modules() -> dict[str, str]:
    return _fresh_own_modules()


def import_map() -> str:
    """The import map as JSON, without white space: its hash must be the browser's."""
    return _fresh_import_map() if settings.DEBUG else _cached_import_map()


def import_map_hash() -> str:
    """What ``script-src`` names: ``'sha256-…'`` of the map."""
    digest = hashlib.sha256(import_map().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _fresh_import_map() -> str:
    urls = {name: static(path) for name, path in {**PACKAGES, **own_modules()}.items()}
    return json.dumps({"imports": urls}, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache(maxsize=1)
def _cached_import_map() -> str:
    return _fresh_import_map()
