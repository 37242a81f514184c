"""A bound on what a request may carry, before anything is read: files that are large go to the bucket."""

from __future__ import annotations

import json
from typing import Any

from videoplatform.errors import TooLarge, client_error

# Captions are the largest thing that comes through us (5 MiB, with a form around it).
MAX_BODY_BYTES = 8 * 1024 * 1024


class BoundedBodies:
    """Answers 413 in place of ``application`` for a body of more than ``MAX_BODY_BYTES``.

    Django writes whatever comes to disk before a view, or anyone's right to send it,
    is asked; a length is claimed or, chunk by chunk, never mentioned.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if _claimed(scope) > MAX_BODY_BYTES:
            await _refuse(send)
            return
        received = 0

        async def bounded() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # As if the client had gone: whatever was kept of it is given back.
            return {"type": "http.disconnect"} if received > MAX_BODY_BYTES else message

        await self.application(scope, bounded, send)
        if received > MAX_BODY_BYTES:
            await _refuse(send)


def _claimed(scope: Any) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length[:18]) if length.isdigit() else 0


async def _refuse(send: Any) -> None:
    body = json.dumps(client_error(TooLarge.default_code, TooLarge.default_detail)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
