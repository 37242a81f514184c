"""Permission tables that people read and tests check: six askers, and the answer to each.

A row is a request and six words::

    POST  /api/v1/live/{owner}/end/    401  403  204  204  204  401

=========  ==================================================================== ``204``
the status; a method that may change something has changed something ``204-``   the same
status, but nothing was written: a refusal in words, or nothing to do ``login``  redirected
to a sign-in page ``403!``   refused, but something was written: a bug, so it is in no table
=========  ====================================================================

Names in braces are those of :mod:`videoplatform.tests.world`; a suffix after ``#``
distinguishes rows with the same address. ``HX-GET`` and ``HX-POST`` are htmx requests for a
fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

SAFE = {"GET", "HEAD"}
SIGN_IN = ("/accounts/login/", "/admin/login/")
# Tables written by any request, independent of permissions.
BOOKKEEPING = {"django_session", "django_admin_log"}
WRITING = re.compile(r"(INSERT|UPDATE|DELETE)(?: OR IGNORE)?(?: INTO| FROM)? \"(\w+)\"")


class Asker(StrEnum):
    ANONYMOUS = auto()
    PERSON = auto()  # unrelated to the requested content
    OWNER = auto()  # of every object in braces whose name says nothing else
    MODERATOR = auto()
    ADMINISTRATOR = auto()
    SUSPENDED = auto()  # the owner, suspended after signing in; the last to ask


@dataclass(frozen=True, slots=True)
class Row:
    method: str
    target: str  # the address, with names in braces
    words: dict[Asker, str]

    @property
    def request(self) -> str:
        return f"{self.method} {self.target}"

    def path(self, names: dict[str, str]) -> str:
        return self.target.partition("#")[0].format(**names)


def table(text: str) -> tuple[Row, ...]:
    """Return the rows below the line of asker names. Lines that begin with ``#`` are headings."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert lines[0] == list(Asker), lines[0]
    rows = []
    for method, target, *words in lines[1:]:
        rows.append(Row(method, target, dict(zip(Asker, words, strict=True))))
    assert len({row.request for row in rows}) == len(rows)
    return tuple(rows)


def expected(rows: tuple[Row, ...], asker: Asker) -> dict[str, str]:
    return {row.request: row.words[asker] for row in rows}


def surprises(answered: dict[str, str], expected: dict[str, str]) -> dict[str, str]:
    """Return the differing rows with both words: exactly the message of a failing test."""
    return {
        request: f"{answered.get(request)}, not {expected.get(request)}"
        for request in answered | expected
        if answered.get(request) != expected.get(request)
    }


def answers(
    client: Client,
    rows: tuple[Row, ...],
    names: dict[str, str],
    bodies: dict[str, dict[str, Any]],
    secrets: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Return the word of every row for the user of ``client``. Fails if an answer contains a secret."""
    return {row.request: answer(client, row, names, bodies.get(row.request, {}), secrets) for row in rows}


def answer(
    client: Client, row: Row, names: dict[str, str], body: dict[str, Any], secrets: frozenset[str]
) -> str:
    """Return the word of one request. Cookies and rows are restored afterwards."""
    cookies = deepcopy(client.cookies)
    with undone(), writes() as written:
        response = send(client, row, names, body)
    client.cookies = cookies
    text = response.content.decode()
    assert not [secret for secret in secrets if secret in text], f"{row.request} shows a secret"
    return _word(row, response, written)


def send(client: Client, row: Row, names: dict[str, str], body: dict[str, Any]) -> Any:
    """Send the request of ``row`` and return the response."""
    path, method = row.path(names), row.method.removeprefix("HX-").lower()
    headers = {"HX-Request": "true"} if row.method.startswith("HX-") else {}
    if method.upper() in SAFE:
        return getattr(client, method)(path, headers=headers)
    data = _filled(body, names)
    if not path.startswith("/api/") or "file" in data:
        return client.post(path, data, headers=headers)
    return getattr(client, method)(path, data, content_type="application/json")


def _filled(value: Any, names: dict[str, str]) -> Any:
    """Return ``value`` with names in place of braces, and uploaded files in place of bytes."""
    match value:
        case str():
            return value.format(**names)
        case bytes():
            return SimpleUploadedFile("a file", value)
        case dict():
            return {key: _filled(one, names) for key, one in value.items()}
        case list():
            return [_filled(one, names) for one in value]
        case _:
            return value


def _word(row: Row, response: Any, written: list[str]) -> str:
    goes_to = response.headers.get("Location", "") or response.headers.get("HX-Redirect", "")
    is_sent_away = goes_to.startswith(SIGN_IN)
    word = "login" if is_sent_away else str(response.status_code)
    if is_sent_away or response.status_code >= 400:
        return f"{word}!" if written else word
    is_safe = row.method.removeprefix("HX-") in SAFE
    return word if is_safe or written else f"{word}-"


@contextmanager
def undone() -> Iterator[None]:
    """Roll back all writes of the block; its on-commit callbacks do not run."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def writes() -> Iterator[list[str]]:
    """Yield a list of the tables in which the block adds, changes or deletes rows."""
    written: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        found = WRITING.match(sql)
        # An INSERT with RETURNING has no row count before its rows are fetched.
        is_change = found and (found[1] == "INSERT" or context["cursor"].rowcount > 0)
        if found and is_change and found[2] not in BOOKKEEPING:
            written.append(found[2])
        return result

    with connection.execute_wrapper(note):
        yield written


def routes() -> set[str]:
    """Return every route of the URL conf, as in ``resolve(path).route``."""
    return set(_below(get_resolver().url_patterns, ""))


def _below(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        own = str(pattern.pattern)
        route = prefix + (own.removeprefix("^") if prefix else own)
        if isinstance(pattern, URLResolver):
            yield from _below(pattern.url_patterns, route)
        else:
            yield route
