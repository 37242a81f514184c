"""The collected assets: only files that pages load, under fingerprinted names, compressed.

Packages contain far more than pages load: source maps, other builds, demos. Compressing all
of it took a minute and a half; this takes a few seconds.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.core.files import File
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from servestatic.compress import Compressor
from servestatic.middleware import ServeStaticMiddleware
from servestatic.storage import CompressedManifestStaticFilesStorage, get_compressor_kwargs

# Longer than a page stays open or a deploy takes.
KEPT_FOR = timedelta(days=7)
# Django's twelve hexadecimal digits before the extension.
FINGERPRINTED = re.compile(r"\.[0-9a-f]{12}\.[^/]+$")


class AssetsConfig(StaticFilesConfig):
    """Django's own app, with more patterns that ``collectstatic`` ignores."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "*.map",
        "*.d.ts",
        "*.d.mts",
        "*.test.js",
        # Builds for AMD and CommonJS.
        "*.amd.js",
        "*.cjs.js",
        # Only hls.min.mjs of hls.js is served.
        "hls.js",
        "hls.mjs",
        "hls.min.js",
        "hls.light.*",
        "hls-demo*",
        # Only echarts.common.min.js of ECharts is served.
        "echarts.js",
        "echarts.min.js",
        "echarts.common.js",
        "echarts.esm.*",
        "echarts.simple.*",
        "extension",
        # Only Swagger of the API's documentation pages is served.
        "redoc",
        "swagger-ui-es-*",
        # The API answers only JSON.
        "rest_framework",
    ]


class AssetStorage(CompressedManifestStaticFilesStorage):
    """A storage that fingerprints the files in CSS; scripts import each other through the import map.

    Files of earlier builds stay for ``KEPT_FOR`` after the last build that names them: open
    pages, and pages rendered by another process of a rolling deploy, still request them. So
    no file is deleted before it is rewritten, and every file is replaced atomically.

    Django would also follow the ``sourceMappingURL`` at a script's end, and fail: the maps
    are not collected.
    """

    patterns = tuple(
        (extension, tuple(rule for rule in rules if "sourceMappingURL" not in str(rule)))
        for extension, rules in CompressedManifestStaticFilesStorage.patterns
        if extension == "*.css"
    )
    uses_brotli = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_overwrite": True} | kwargs)

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return AssetCompressor(**kwargs | {"use_brotli": kwargs["use_brotli"] and self.uses_brotli})

    def get_modified_time(self, name: str) -> datetime:
        """Raise NotImplementedError, so that ``collectstatic`` copies: npm dates all files in 1985."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Keep the file: the next one replaces it, or ``sweep`` removes it after ``KEPT_FOR``."""

    def _save(self, name: str, content: File[bytes]) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content.chunks())
        return name

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, str | None, bool | Exception]]:
        """Fingerprint and compress, then remove files that no recent build names."""
        if kwargs.get("dry_run"):
            return
        for path in self.named_files():
            os.utime(path)  # in use until now
        yield from super().post_process(*args, **kwargs)
        self.sweep()

    def named_files(self) -> set[Path]:
        """Return the files of the manifest that exist on disk, with their compressed forms."""
        names = {name for pair in self.load_manifest()[0].items() for name in pair}
        paths = (Path(self.path(name)) for name in names)
        forms = (path.with_name(path.name + suffix) for path in paths for suffix in ("", ".gz", ".br"))
        return {path for path in forms if path.exists()}

    def sweep(self) -> None:
        """Remove files that are not in the manifest and that no build has named for ``KEPT_FOR``."""
        root = Path(self.location)
        kept = self.named_files() | {root / self.manifest_name}
        oldest = time.time() - KEPT_FOR.total_seconds()
        for path in root.rglob("[!.]*"):
            if path not in kept and path.is_file() and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def add_brotli(self) -> None:
        """Compress every file of the manifest with Brotli. Processes that start later serve it."""
        kwargs = get_compressor_kwargs(quiet=True) | {"use_gzip": False, "use_zstd": False}
        compressor = AssetCompressor(**kwargs)
        for path in sorted(self.named_files()):
            compressed = path.with_name(path.name + ".br")
            if path.suffix != ".gz" and compressor.should_compress(path.name) and not compressed.exists():
                compressor.compress(path)
        self.add_stats_to_manifest()


class AssetCompressor(Compressor):
    """A compressor that compresses equal bytes once: each file exists with and without a fingerprint."""

    compress_brotli = staticmethod(lru_cache(maxsize=None)(Compressor.compress_brotli))
    compress_gzip = staticmethod(lru_cache(maxsize=None)(Compressor.compress_gzip))

    @staticmethod
    def write_data(path: str, data: bytes, suffix: str, stat_result: os.stat_result) -> str:
        """Replace the compressed form atomically; it gets the date of its source."""
        compressed = Path(path + suffix)
        replace_file(compressed, [data])
        os.utime(compressed, (stat_result.st_atime, stat_result.st_mtime))
        return str(compressed)


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file beside its place and rename it, so that readers get the old or the new file, complete."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with beside.open("wb") as file:
        file.writelines(chunks)
    beside.replace(path)


class AssetsMiddleware(ServeStaticMiddleware):
    """Middleware that serves the manifest's files from memory, and files of other builds from disk.

    ServeStatic only knows the files that existed at the start of the process. In a rolling
    deploy an old process gets requests for new files, and a new one for old files.
    """

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path not in self.files and path.startswith(self.static_prefix) and FINGERPRINTED.search(path):
            found = await sync_to_async(self.find_file, thread_sensitive=False)(path)
            if found is not None:
                return cast("HttpResponseBase", await self.aserve(found, request))
        return cast("HttpResponseBase", await super().__call__(request))
