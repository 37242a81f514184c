"""Limits on the number and rate of new WebSockets of each client, applied before the handshake."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings

from common.addresses import client_network
from common.buckets import Charge, LocalBuckets, seconds_to_wait
from common.holding import Holding
from common.rates import RATES
from common.sparse_log import SparseLog

_sparse = SparseLog(logging.getLogger(__name__))

# One process writes to all of them; more sockets need more processes.
MAX_SOCKETS = 20_000
RETRY_AFTER_S = 30


class BoundedSockets:
    """ASGI middleware that answers 429 to clients with too many sockets or handshakes.

    The counts are kept in this process only, so a handshake needs no other server.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._holding = Holding(most=MAX_SOCKETS, most_of_one=settings.MAX_SOCKETS_PER_ADDRESS)
        self._buckets = LocalBuckets()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not settings.RATE_LIMITS:
            await self._application(scope, receive, send)
            return
        network = client_network(scope)
        wait_us = self._buckets.take((Charge("sockets", network, RATES["sockets"]),))
        if wait_us:
            await _refuse(scope, receive, send, seconds_to_wait(wait_us / 1_000_000))
        elif not self._holding.enter(network):
            # If all clients share one address, the site is behind a proxy that is not
            # configured.
            _sparse.warning("Socket refused: too many from its address", address=network)
            await _refuse(scope, receive, send, RETRY_AFTER_S)
        else:
            try:
                await self._application(scope, receive, send)
            finally:
                self._holding.leave(network)


async def no_such_socket(scope: Any, receive: Any, send: Any) -> None:
    """Answer 404 to a WebSocket address that does not exist."""
    await _answer(scope, receive, send, 404, [])


async def _refuse(scope: Any, receive: Any, send: Any, retry_after_s: int) -> None:
    await _answer(scope, receive, send, 429, [(b"retry-after", str(retry_after_s).encode())])


async def _answer(
    scope: Any, receive: Any, send: Any, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    """Answer a handshake with a status; servers without that extension answer 403."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})
