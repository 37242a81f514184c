"""The ingest process: RTMP in, and everything stored before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable

import uvloop
from redis.exceptions import RedisError

from live.ingest.pipeline import Broadcaster
from live.ingest.server import RtmpServer

logger = logging.getLogger(__name__)

HEARTBEAT_EVERY_S = 2.0
# Whoever stops us waits six seconds.
GOODBYE_WITHIN_S = 1.0
DRAIN_WITHIN_S = 3.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class PortTaken(Exception):
    """Somebody else listens where we should."""


def run(host: str, port: int, *, show_life: Callable[[], None]) -> None:
    """Serve until a signal.  Raises PortTaken."""
    uvloop.run(serve(host, port, show_life=show_life))


async def serve(host: str, port: int, *, show_life: Callable[[], None]) -> None:
    """Take publishers until SIGTERM or SIGINT; then tell them, and store what they sent.

    Broadcasts are left waiting for their publishers, who come back to the next ingest.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopped.set)
    broadcaster = Broadcaster()
    server = RtmpServer(host, port, broadcaster)
    try:
        await server.start()
    except OSError as error:
        await broadcaster.close(within_s=0)
        raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
    broadcaster.start()
    heart = asyncio.create_task(beat(show_life))
    logger.info("Ingest listens", extra={"address": f"{host}:{server.port}"})
    await stopped.wait()
    logger.info("Ingest stops")
    heart.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_WITHIN_S):
            await server.close()
    await broadcaster.close(within_s=DRAIN_WITHIN_S)


async def beat(show_life: Callable[[], None]) -> None:
    """Show life from a thread: a Redis that does not answer must not stop the signal."""
    while True:
        try:
            await asyncio.to_thread(show_life)
        except RedisError as error:
            logger.warning("Heartbeat not written: %s", error)
        await asyncio.sleep(HEARTBEAT_EVERY_S)
