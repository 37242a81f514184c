"""Tests that Chinese pages for visitors, creators and administrators contain no English sentence."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from videoplatform.tests import test_permission_matrix_admin as admin_table
from videoplatform.tests import test_permission_matrix_api as api_table
from videoplatform.tests import test_permission_matrix_pages as pages_table
from videoplatform.tests.askers import Asker, Row, send, undone
from videoplatform.tests.test_outages import names_of
from videoplatform.tests.world import World, world

__all__ = ["world"]  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.storage, pytest.mark.any_database]

# Two adjacent English words, of which the second is lower case and so no name: "Sign in",
# "the page".
SENTENCE = re.compile(r"\b[A-Za-z]{2,}(?:[ ,]+[a-z]{2,})+\b")
SHOWN = {"title", "alt", "aria-label", "placeholder", "content", "aria-description", "aria-roledescription"}
NOT_READ = {"script", "style", "code", "pre", "textarea"}
# User content, names of formats, and documentation for programs.
NOT_OURS = re.compile(r"On its way|Video \d+|Comment \d+|accounts\.mail\S*")
FOR_PROGRAMS = ("/api/", "/oembed/", "/videos/", "/live-dvr/", "/readyz", "/i18n/")


class TextParser(HTMLParser):
    """A parser that collects the texts of a page that are visible or read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in NOT_READ:
            self._open.append(tag)
        is_meta = tag == "meta" and ("name", "description") not in attrs
        for name, value in attrs:
            # Texts for scripts are in data attributes.
            if value and (name in SHOWN or name.startswith("data-")) and not is_meta:
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.texts.append(data.strip())


def english_of(html: str) -> list[str]:
    reader = TextParser()
    reader.feed(html)
    return [text for text in reader.texts if SENTENCE.search(NOT_OURS.sub("", text))]


def chinese_client(world: World, asker: Asker) -> Client:
    client = world.client(asker)
    client.cookies["django_language"] = "zh-hans"
    return client


def english(world: World, asker: Asker, rows: tuple[Row, ...]) -> dict[str, list[str]]:
    """Return the English texts of each page that ``asker`` may open, by address."""
    client, names = chinese_client(world, asker), names_of(world)
    found: dict[str, list[str]] = {}
    for row in rows:
        if not row.method.endswith("GET") or row.target.startswith(FOR_PROGRAMS):
            continue
        with undone():
            response = send(client, row, names, {})
        if response.get("Content-Type", "").startswith("text/html") and (
            texts := english_of(response.content.decode())
        ):
            found[row.target] = texts
    return found


def english_errors(world: World, asker: Asker) -> dict[str, list[str]]:
    """Return the English error details that the API answers to ``asker``, since pages show them."""
    client, names = chinese_client(world, asker), names_of(world)
    found: dict[str, list[str]] = {}
    for row in api_table.API:
        with undone():
            response = send(client, row, names, api_table.BODIES.get(row.request, {}))
        if response.status_code >= 400:
            details = [str(error["detail"]) for error in response.json()["errors"]]
            if texts := [text for text in details if SENTENCE.search(text)]:
                found[row.request] = texts
    return found


@pytest.mark.slow
def test_chinese_pages_contain_no_english_sentence(world: World) -> None:
    assert english(world, Asker.ANONYMOUS, pages_table.PAGES) == {}
    assert english(world, Asker.OWNER, pages_table.PAGES) == {}
    assert english(world, Asker.ADMINISTRATOR, admin_table.DESK) == {}
    assert english_errors(world, Asker.ANONYMOUS) == {}
    assert english_errors(world, Asker.PERSON) == {}
