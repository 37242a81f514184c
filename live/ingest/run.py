"""Ingest process: it serves RTMP, and stores everything before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable

import uvloop
from django.conf import settings
from redis.exceptions import RedisError

from live.ingest.registry import SessionRegistry
from live.ingest.server import RtmpServer

logger = logging.getLogger(__name__)

HEARTBEAT_EVERY_S = 2.0
# The process is killed six seconds after the signal.
GOODBYE_WITHIN_S = 1.0
DRAIN_WITHIN_S = 3.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class PortTaken(Exception):
    """Error: another process listens on the port."""


def run(host: str, port: int, *, show_life: Callable[[], None]) -> None:
    """Serve until a signal arrives.  Raises PortTaken."""
    uvloop.run(serve(host, port, show_life=show_life))


async def serve(host: str, port: int, *, show_life: Callable[[], None]) -> None:
    """Serve publishers until SIGTERM or SIGINT; then disconnect them and store their segments.

    Broadcasts wait for their publishers, which reconnect to the next ingest.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopped.set)
    registry = SessionRegistry()
    server = RtmpServer(host, port, registry, balancers=settings.RTMP_PROXY_TRUSTED)
    try:
        await server.start()
    except OSError as error:
        await registry.close(within_s=0)
        raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
    registry.start()
    heart = asyncio.create_task(beat(show_life))
    logger.info("Ingest listening", extra={"address": f"{host}:{server.port}"})
    await stopped.wait()
    logger.info("Ingest stopping")
    heart.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_WITHIN_S):
            await server.close()
    await registry.close(within_s=DRAIN_WITHIN_S)


async def beat(show_life: Callable[[], None]) -> None:
    """Write heartbeats in a thread: a Redis that does not answer must not block the event loop."""
    while True:
        try:
            await asyncio.to_thread(show_life)
        except (RedisError, OSError) as error:
            logger.warning("Heartbeat not written: %s", error)
        await asyncio.sleep(HEARTBEAT_EVERY_S)
