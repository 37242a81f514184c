"""The assets as they are collected: what pages ask for, under fingerprinted names, compressed.

Packages bring far more than pages load: source maps, other builds, demos.
Compressing all of it took a minute and a half; this takes a few seconds.
"""

from functools import lru_cache
from typing import Any

from django.contrib.staticfiles.apps import StaticFilesConfig
from servestatic.compress import Compressor
from servestatic.storage import CompressedManifestStaticFilesStorage


class AssetsConfig(StaticFilesConfig):
    """Django's own app, with more that ``collectstatic`` leaves where it is."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "*.map",
        "*.d.ts",
        "*.d.mts",
        "*.test.js",
        # Builds for AMD and CommonJS.
        "*.amd.js",
        "*.cjs.js",
        # Of hls.js we serve hls.min.mjs.
        "hls.js",
        "hls.mjs",
        "hls.min.js",
        "hls.light.*",
        "hls-demo*",
        # Of ECharts we serve echarts.common.min.js.
        "echarts.js",
        "echarts.min.js",
        "echarts.common.js",
        "echarts.esm.*",
        "echarts.simple.*",
        "extension",
        # Of the API's documentation pages we serve Swagger.
        "redoc",
        "swagger-ui-es-*",
        # The API answers JSON alone.
        "rest_framework",
    ]


class AssetStorage(CompressedManifestStaticFilesStorage):
    """Fingerprints what CSS points at; scripts find each other through the import map.

    Django would also follow the ``sourceMappingURL`` at a script's end, and fail:
    the maps are not collected.
    """

    patterns = tuple(
        (extension, tuple(rule for rule in rules if "sourceMappingURL" not in str(rule)))
        for extension, rules in CompressedManifestStaticFilesStorage.patterns
        if extension == "*.css"
    )

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return OnceCompressor(**kwargs)


class OnceCompressor(Compressor):
    """Compresses equal bytes once: every file lies there under its own name and its fingerprint."""

    compress_brotli = staticmethod(lru_cache(maxsize=None)(Compressor.compress_brotli))
    compress_gzip = staticmethod(lru_cache(maxsize=None)(Compressor.compress_gzip))
