"""Every sentence of ours has its Chinese, and the catalogue holds no other."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

CATALOGUE = settings.BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
APPS = ("accounts", "comments", "videos", "live", "videoplatform")
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")

# A message: its context, its singular, and its plural where there is one.
Message = tuple[str | None, str, str | None]
Forms = str | tuple[str, ...] | list[str] | None


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from (path for path in (settings.BASE_DIR / app).rglob("*.py") if "tests" not in path.parts)
    yield from (settings.BASE_DIR / "templates").rglob("*.html")
    yield from (settings.BASE_DIR / "templates").rglob("*.txt")


def messages_of(path: Path) -> Iterator[Message]:
    """What ``path`` asks to have translated, read as ``makemessages`` reads it."""
    text = path.read_text()
    if path.suffix != ".py":
        # The tags of a template as calls of gettext; the rest becomes noise that is Python, too.
        text = templatize(text, origin=str(path))
    found = extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS, options={"encoding": "utf-8"})
    for _line, words, _comments, context in found:
        singular, plural = words if isinstance(words, tuple) else (words, None)
        if singular:
            yield context, singular, plural


def used() -> dict[Message, str]:
    """Every message, and a file that has it."""
    return {
        message: str(path.relative_to(settings.BASE_DIR))
        for path in sources()
        for message in messages_of(path)
    }


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def key(context: str | None, identity: Forms) -> Message:
    singular, *plurals = forms(identity)
    return context, singular, plurals[0] if plurals else None


def forms(value: Forms) -> tuple[str, ...]:
    """A message or its translation, whether it has one form or several."""
    return (value or "",) if isinstance(value, str | None) else tuple(value)


def test_every_sentence_has_its_chinese(catalogue: Catalog) -> None:
    known = {key(message.context, message.id): message for message in catalogue if message.id}

    missing = [
        f"{path}: {message}"
        for message, path in used().items()
        if message not in known or known[message].fuzzy or not all(forms(known[message].string))
    ]

    assert missing == []


def test_the_catalogue_holds_no_sentence_that_nobody_says(catalogue: Catalog) -> None:
    said = used()

    left_over = [
        message.id for message in catalogue if message.id and key(message.context, message.id) not in said
    ]

    assert left_over == []
    assert not catalogue.obsolete


def test_translations_keep_the_places_of_values(catalogue: Catalog) -> None:
    for message in catalogue:
        if not message.id:
            continue
        wanted = set().union(*(PLACEHOLDER.findall(text) for text in forms(message.id)))
        for text in forms(message.string):
            assert set(PLACEHOLDER.findall(text)) == wanted, message.id


def test_chinese_is_compiled_for_this_run() -> None:
    compiled = CATALOGUE.with_suffix(".mo")

    assert compiled.stat().st_mtime >= CATALOGUE.stat().st_mtime
