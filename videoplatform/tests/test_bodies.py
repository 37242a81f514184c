"""Tests of the limit on request bodies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from videoplatform.asgi import application
from videoplatform.bodies import MAX_BODY_BYTES

CHUNK = b"x" * (1024 * 1024)


async def ask(chunks: int, *, length: int | None = None) -> tuple[int, int]:
    """POST ``chunks`` MiB to a page; return the status and the number of chunks that were read."""
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
            await asyncio.Event().wait()  # the client stays connected and sends no more
        taken += 1
        return {"type": "http.request", "body": CHUNK, "more_body": taken < chunks}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(scope, receive, send)
    (status,) = statuses
    return status, taken


@pytest.mark.django_db(transaction=True)
async def test_endless_body_is_refused_at_the_limit() -> None:
    status, taken = await ask(1000)

    assert (status, taken) == (413, MAX_BODY_BYTES // len(CHUNK) + 1)


@pytest.mark.django_db(transaction=True)
async def test_body_with_too_large_content_length_is_not_read() -> None:
    assert await ask(1000, length=MAX_BODY_BYTES + 1) == (413, 0)
    assert await ask(1000, length=10**30) == (413, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.redis
async def test_body_below_the_limit_reaches_the_view() -> None:
    status, taken = await ask(2)

    # The body is no valid form, but it was read.
    assert (status, taken) == (403, 2)
