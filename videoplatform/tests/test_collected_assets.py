"""Tests of collected assets: old files stay for a while, and every file is replaced atomically."""

import json
import os
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory
from pytest_django import Settings

from videoplatform import staticfiles
from videoplatform.staticfiles import AssetsMiddleware, AssetStorage


@pytest.fixture
def source(tmp_path: Path, settings: Settings) -> Path:
    """Return the only folder that assets are collected from; they go to ``tmp_path / "static"``."""
    folder = tmp_path / "source"
    folder.mkdir()
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "videoplatform.staticfiles.AssetStorage"}
    }
    return folder


def build(source: Path, text: str, *, clear: bool = False) -> Path:
    """Collect one script with this text; return its fingerprinted file."""
    (source / "player.js").write_text(text)
    # npm's packages have dates like this, older than any earlier build.
    os.utime(source / "player.js", (500_000_000, 500_000_000))
    call_command("collectstatic", interactive=False, clear=clear, verbosity=0)
    storage = AssetStorage()
    return Path(storage.path(storage.stored_name("player.js")))


@pytest.mark.parametrize("clear", [False, True])
def test_file_of_the_previous_build_is_kept(source: Path, clear: bool) -> None:
    first = build(source, "1;" * 500)
    second = build(source, "2;" * 500, clear=clear)
    assert first != second
    assert first.read_text() == "1;" * 500
    assert second.read_text() == "2;" * 500
    assert first.with_name(first.name + ".gz").exists()


def test_age_counts_from_the_build_that_no_longer_names_the_file(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(source, "1;" * 500)
    long_ago = time.time() - 2 * staticfiles.KEPT_FOR.total_seconds()
    for path in (first, first.with_name(first.name + ".gz"), first.with_name(first.name + ".br")):
        os.utime(path, (long_ago, long_ago))
    build(source, "2;" * 500)
    assert first.exists()

    os.utime(first, (long_ago, long_ago))
    build(source, "3;" * 500)
    assert not first.exists()


def test_failed_write_leaves_the_old_file(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks(ContentFile[bytes]):
        def chunks(self, chunk_size: int | None = None) -> object:  # type: ignore[override]
            yield b"half of"
            raise OSError("disk full")

    hashed = build(source, "1;" * 500)
    with pytest.raises(OSError, match="disk full"):
        AssetStorage().save("player.js", Breaks(b""))
    assert (hashed.parent / "player.js").read_text() == "1;" * 500


def test_brotli_can_be_added_later(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AssetStorage, "uses_brotli", False)
    hashed = build(source, "1;" * 500)
    compressed = hashed.with_name(hashed.name + ".br")
    assert not compressed.exists()
    storage = AssetStorage()
    storage.add_brotli()
    assert compressed.exists()
    stats = json.loads((hashed.parent / storage.manifest_name).read_text())["stats"]
    assert compressed.name in stats


@pytest.fixture
def middleware(source: Path, settings: Settings) -> AssetsMiddleware:
    """Return the middleware of a process whose manifest does not list the files in STATIC_ROOT."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir()
    for name in ("player.0123456789ab.js", "secret.txt"):
        (root / name).write_text("other build")
    (root.parent / "private.0123456789ab.js").write_text("not an asset")

    async def page(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")

    return AssetsMiddleware(page)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/static/player.0123456789ab.js", b"other build"),
        ("/static/player.ffffffffffff.js", b"page"),
        ("/static/secret.txt", b"page"),
        ("/static/../private.0123456789ab.js", b"page"),
        ("/player.0123456789ab.js", b"page"),
    ],
)
async def test_process_serves_only_fingerprinted_files_of_other_builds(
    middleware: AssetsMiddleware, path: str, expected: bytes
) -> None:
    response = await middleware(AsyncRequestFactory().get(path))
    if isinstance(response, StreamingHttpResponse):
        assert b"".join([part async for part in response]) == expected
    else:
        assert isinstance(response, HttpResponse)
        assert response.content == expected
