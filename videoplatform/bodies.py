"""A limit on the size of request bodies, applied before Django reads them. Large files go to the bucket."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.utils.translation import gettext_lazy as _

from common.api_errors import TooLarge
from common.error_pages import error_answer

# Captions are the largest upload that passes through Django (5 MiB, within a form).
MAX_BODY_BYTES = 8 * 1024 * 1024


class BoundedBodies:
    """ASGI middleware that answers 413 to bodies of more than ``MAX_BODY_BYTES``.

    Django writes the whole body to disk before a view can check permissions. The limit
    applies to the ``Content-Length`` header, and to the bytes received if that header is
    missing or wrong.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length[:18]) > MAX_BODY_BYTES:
            await _refuse(scope, send)
            return
        received = 0

        async def bounded() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # Django treats this as a disconnected client and deletes its temporary file.
            return {"type": "http.disconnect"} if received > MAX_BODY_BYTES else message

        await self.application(scope, bounded, send)
        if received > MAX_BODY_BYTES:
            await _refuse(scope, send)


async def _refuse(scope: Any, send: Any) -> None:
    answer = error_answer(
        ASGIRequest(scope, BytesIO()),
        status=TooLarge.status_code,
        code=TooLarge.default_code,
        heading=_("Too large"),
        sentence=TooLarge.default_detail,
        headers={"Connection": "close"},
    )
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.items()]
    length = (b"content-length", str(len(answer.content)).encode())
    await send({"type": "http.response.start", "status": answer.status_code, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": answer.content})
