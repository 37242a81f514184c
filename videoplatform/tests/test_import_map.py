"""Every import of our modules finds its module, and the map is what the policy names."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from videoplatform import assets

JS = settings.BASE_DIR / "static" / "js"
IMPORT = re.compile(r"""^(?:import\s+|(?:import|export)\b[^"';]*?\bfrom\s+)["']([^"']+)["']""", re.MULTILINE)
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)([^>]*)>(.*?)</script>", re.DOTALL)


def modules() -> list[Path]:
    return [path for path in sorted(JS.rglob("*.js")) if not path.name.endswith(".test.js")]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(JS)))
def test_every_import_is_in_the_map(path: Path) -> None:
    known = {*assets.PACKAGES, *assets.own_modules()}

    imported = set(IMPORT.findall(path.read_text()))

    assert imported - known == set()


def test_everything_in_the_map_is_a_file() -> None:
    paths = {**assets.PACKAGES, **assets.own_modules()}

    assert [path for path in paths.values() if not finders.find(path)] == []


def test_templates_run_and_preload_modules_that_exist() -> None:
    known = {*assets.PACKAGES, *assets.own_modules()}
    tags = re.compile(r"{% module (.*?) %}")

    named = {
        name if name.startswith("#") or name in assets.PACKAGES else f"#{name}"
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for tag in tags.findall(template.read_text())
        for name in re.findall(r'"([^"]+)"', tag)
    }

    assert named - known == set()


def test_every_icon_that_is_asked_for_is_in_the_sprite() -> None:
    sprite = (settings.BASE_DIR / "static/img/icons.svg").read_text()
    drawn = set(re.findall(r'<symbol id="([^"]+)"', sprite))

    asked = {
        name
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', template.read_text())
    }

    assert asked - drawn == set()


@pytest.mark.django_db
def test_the_map_is_the_only_inline_script_and_the_policy_names_its_hash(client: Client) -> None:
    response = client.get("/")

    scripts = INLINE_SCRIPT.findall(response.content.decode())
    assert [attributes.strip() for attributes, _body in scripts] == ['type="importmap"']
    digest = base64.b64encode(hashlib.sha256(scripts[0][1].encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in response["Content-Security-Policy"]


def test_the_map_cannot_close_its_script() -> None:
    assert "<" not in assets.import_map()
