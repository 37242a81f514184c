"""Tests that every message of ours has a Chinese translation, and that the catalogue has no others."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import flatten, flatten_fieldsets, label_for_field
from django.db.models import Model
from django.utils import translation
from django.utils.translation.template import templatize

from common import borrowed_words

CATALOGUE = settings.BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
APPS = ("common", "accounts", "comments", "videos", "live", "videoplatform")
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
CHINESE = re.compile("[\u4e00-\u9fff]")
# Words of other translations: the site addresses readers as 你 and says 邮箱.
FOREIGN = re.compile("您|电子邮[件箱]|邮箱地址|电邮")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")

# Words that docs/glossary.md replaces by another term, and clauses that stand for a noun.
ENGLISH_NOT_OURS = re.compile(
    r"\be-mail|\bmails?\b|\bsomebody\b|\b(?:who|what|which)ever\b|\buser name\b"
    r"|\bcolour|\btak(?:e|en) back\b|\bsound\b|\bfor good\b|\bby itself\b|\bon its way\b",
    re.IGNORECASE,
)
CHINESE_NOT_OURS = re.compile(
    r"您|串流|管理人员|电子邮|邮箱地址|恢复代码|拉黑|作废|注销(?!的账号)|推流端|凭链接|Email"
)

# A message: its context, its singular, and its plural if it has one.
Message = tuple[str | None, str, str | None]
Forms = str | tuple[str, ...] | list[str] | None


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from (path for path in (settings.BASE_DIR / app).rglob("*.py") if "tests" not in path.parts)
    yield from (settings.BASE_DIR / "templates").rglob("*.html")
    yield from (settings.BASE_DIR / "templates").rglob("*.txt")


def messages_of(path: Path) -> Iterator[Message]:
    """Yield the messages of ``path``, extracted as ``makemessages`` does."""
    text = path.read_text()
    if path.suffix != ".py":
        # Template tags become gettext calls; the rest becomes noise that is valid Python,
        # too.
        text = templatize(text, origin=str(path))
    found = extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS, options={"encoding": "utf-8"})
    for _line, words, _comments, context in found:
        singular, plural = words if isinstance(words, tuple) else (words, None)
        if singular:
            yield context, singular, plural


def used() -> dict[Message, str]:
    """Return every message with one file that contains it."""
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
    """Return the forms of a message or translation as a tuple."""
    return (value or "",) if isinstance(value, str | None) else tuple(value)


def test_every_message_is_translated(catalogue: Catalog) -> None:
    known = {key(message.context, message.id): message for message in catalogue if message.id}

    missing = [
        f"{path}: {message}"
        for message, path in used().items()
        if message not in known or known[message].fuzzy or not all(forms(known[message].string))
    ]

    assert missing == []


def test_catalogue_has_no_unused_message(catalogue: Catalog) -> None:
    in_use = used()

    left_over = [
        message.id for message in catalogue if message.id and key(message.context, message.id) not in in_use
    ]

    assert left_over == []
    assert not catalogue.obsolete


def test_translations_keep_placeholders(catalogue: Catalog) -> None:
    for message in catalogue:
        if not message.id:
            continue
        wanted = set().union(*(PLACEHOLDER.findall(text) for text in forms(message.id)))
        for text in forms(message.string):
            assert set(PLACEHOLDER.findall(text)) == wanted, message.id


def test_messages_use_the_terms_of_the_glossary(catalogue: Catalog) -> None:
    borrowed = set(borrowed_words.BORROWED)

    for message in catalogue:
        for text in forms(message.id):
            assert text in borrowed or not ENGLISH_NOT_OURS.search(text), text
        for text in forms(message.string) if message.id else ():
            assert not CHINESE_NOT_OURS.search(text), text


def test_chinese_catalogue_is_compiled() -> None:
    compiled = CATALOGUE.with_suffix(".mo")

    assert compiled.stat().st_mtime >= CATALOGUE.stat().st_mtime


def test_translations_address_readers_alike(catalogue: Catalog) -> None:
    ours = [text for message in catalogue for text in forms(message.string)]
    with translation.override("zh-hans"):
        borrowed = [
            str(text)
            for adapter in (DefaultAccountAdapter, DefaultMFAAdapter)
            for code, text in adapter.error_messages.items()
            if "phone" not in code  # the site asks for no phone number
        ]

    assert [text for text in (*ours, *borrowed) if FOREIGN.search(text)] == []


def labels_of(model: type[Model], rows: Any) -> Iterator[tuple[str, str]]:
    """Yield name and label of each column and field that an admin or inline shows."""
    names = [*getattr(rows, "list_display", ()), *flatten(rows.fields or ()), *rows.readonly_fields]
    names += flatten_fieldsets(rows.fieldsets) if rows.fieldsets else []
    for name in dict.fromkeys(names):
        if name not in {"__str__", "action_checkbox"}:
            yield name, str(label_for_field(name, model, rows))


def test_every_label_of_the_admin_is_chinese() -> None:
    with translation.override("zh-hans"):
        english = [
            f"{shown._meta.label}.{name}: {label}"
            for model, rows in admin.site._registry.items()
            for shown, part in [
                (model, rows),
                *((each.model, each(model, admin.site)) for each in rows.inlines),
            ]
            for name, label in labels_of(shown, part)
            if not CHINESE.search(label)
        ]

    assert english == []
