"""Tests of the import map, of its hash in the policy, and of the modules that pages preload."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.templatetags.static import static
from django.test import Client

from common import assets

JS = settings.BASE_DIR / "static" / "js"
MODULE_TAG = re.compile(r"{% module (.*?) %}")
MODULE_SCRIPT = re.compile(r'<script type="module" src="([^"]+)"')
PRELOAD = re.compile(r'<link rel="modulepreload" href="([^"]+)"')
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)([^>]*)>(.*?)</script>", re.DOTALL)


def modules() -> list[Path]:
    return [path for path in sorted(JS.rglob("*.js")) if not path.name.endswith(".test.js")]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(JS)))
def test_every_import_is_in_the_map(path: Path) -> None:
    known = {*assets.PACKAGES, *assets.own_modules()}

    imported = set(assets.STATIC_IMPORT.findall(path.read_text()))

    assert imported - known == set()


def test_every_entry_of_the_map_is_a_file() -> None:
    paths = {**assets.PACKAGES, **assets.own_modules()}

    assert [path for path in paths.values() if not finders.find(path)] == []


def entries() -> list[str]:
    """Return the entry modules that templates name."""
    named = {
        tag.strip('"')
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for tag in MODULE_TAG.findall(template.read_text())
    }
    return sorted(named)


@pytest.mark.parametrize("entry", entries())
def test_entry_module_exists_and_all_its_imports_are_preloaded(entry: str) -> None:
    paths = {**assets.PACKAGES, **assets.own_modules()}

    page = Template(f'{{% load assets %}}{{% module "{entry}" %}}').render(Context())

    preloaded = set(PRELOAD.findall(page))
    assert MODULE_SCRIPT.findall(page) == [static(paths[f"#{entry}"])]
    # The entry and the preloaded modules import nothing else.
    by_url = {static(path): path for path in paths.values()}
    imported = {
        static(paths[name])
        for path in (paths[f"#{entry}"], *(by_url[url] for url in preloaded))
        if path.startswith("js/")
        for name in assets.STATIC_IMPORT.findall((settings.BASE_DIR / "static" / path).read_text())
    }
    assert preloaded == imported


def test_preloads_follow_imports_of_imports() -> None:
    assert {"hls.js", "#player/live-player", "#player/live-timeline", "#lib/backoff"} <= set(
        assets.preloads("live-studio")
    )


def test_module_that_is_imported_on_demand_is_not_preloaded() -> None:
    assert 'import("#player/video-player")' in (JS / "admin" / "desk.js").read_text()

    assert "#player/video-player" not in assets.preloads("admin/desk")


@pytest.mark.parametrize(
    "source",
    [
        'import "#a/b";',
        'import Name from "#a/b";',
        'import { one } from "#a/b";',
        'import {\n  one,\n  two,\n} from "#a/b";',
        'import * as all from "#a/b";',
        'export { one } from "#a/b";',
        "import{one}from'#a/b'",
    ],
)
def test_static_import_is_found_in_each_form(source: str) -> None:
    assert assets.STATIC_IMPORT.findall(source) == ["#a/b"]


@pytest.mark.parametrize(
    "source",
    [
        'const { one } = await import("#a/b");',
        ' * @param {import("#a/b").One} one',
        'export const from = "#a/b";',
    ],
)
def test_text_that_only_resembles_an_import_is_not_found(source: str) -> None:
    assert assets.STATIC_IMPORT.findall(source) == []


def test_every_icon_in_templates_is_in_the_sprite() -> None:
    sprite = (settings.BASE_DIR / "static/img/icons.svg").read_text()
    drawn = set(re.findall(r'<symbol id="([^"]+)"', sprite))

    asked = {
        name
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', template.read_text())
    }

    assert asked - drawn == set()


@pytest.mark.django_db
def test_map_is_the_only_inline_script_and_its_hash_is_in_the_policy(client: Client) -> None:
    response = client.get("/")

    scripts = INLINE_SCRIPT.findall(response.content.decode())
    assert [attributes.strip() for attributes, _body in scripts] == ['type="importmap"']
    digest = base64.b64encode(hashlib.sha256(scripts[0][1].encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in response["Content-Security-Policy"]


def test_map_cannot_close_its_script_element() -> None:
    assert "<" not in assets.import_map()
