"""Nobody makes the server keep more than a form."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from videoplatform.asgi import application
from videoplatform.bodies import MAX_BODY_BYTES

CHUNK = b"x" * (1024 * 1024)


async def ask(chunks: int, *, length: int | None = None) -> tuple[int, int]:
    """POST ``chunks`` MiB to a page; return the status, and how many chunks were taken."""
    claimed = [(b"content-length", str(length).encode())] if length is not None else []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/accounts/login/",
        "raw_path": b"/accounts/login/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b"), *claimed],
    }
    taken = 0
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if taken == chunks:
            await asyncio.Event().wait()  # the client stays and says no more
        taken += 1
        return {"type": "http.request", "body": CHUNK, "more_body": taken < chunks}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(scope, receive, send)
    (status,) = statuses
    return status, taken


@pytest.mark.django_db(transaction=True)
async def test_a_body_that_grows_without_end_is_refused_on_its_way() -> None:
    status, taken = await ask(1000)

    assert (status, taken) == (413, MAX_BODY_BYTES // len(CHUNK) + 1)


@pytest.mark.django_db(transaction=True)
async def test_a_body_that_says_how_large_it_is_is_not_read_at_all() -> None:
    assert await ask(1000, length=MAX_BODY_BYTES + 1) == (413, 0)
    assert await ask(1000, length=10**30) == (413, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.redis
async def test_what_a_form_may_be_arrives() -> None:
    status, taken = await ask(2)

    # Not a form of ours; but it was looked at.
    assert (status, taken) == (403, 2)
