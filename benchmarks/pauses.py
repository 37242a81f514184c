"""The longest pause of live media's event loop, with default and with settled garbage collection.

400 players of a simulated broadcast request playlists and parts in this process, as fast as
they are published; a timer records how late it wakes. ``REDIS_URL`` names a Redis that may
be written to.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import Any

import django

PLAYERS = 400
FOR_S = 20.0
TICK_S = 0.001
PART_S = 0.2
PARTS = 5


async def longest_pause_ms(name: str) -> tuple[float, float]:
    """Return the maximum and the 99.9th percentile of the timer's delays, in milliseconds."""
    from django.conf import settings

    from live.edge.origin import EdgeOrigin
    from live.tests.edge_tools import written

    origin = EdgeOrigin(settings.REDIS_URL, has_limits=False)
    async with written(name) as broadcast:
        await broadcast.add_segments(0)
        players = [asyncio.create_task(play(origin, broadcast.path)) for _ in range(PLAYERS)]
        clock = asyncio.create_task(late_ms())
        until = time.monotonic() + FOR_S
        msn, number = 1, 0
        while time.monotonic() < until:
            await broadcast.add_part(msn, number)
            number += 1
            if number == PARTS:
                await broadcast.end_segment(msn)
                msn, number = msn + 1, 0
            await asyncio.sleep(PART_S)
        clock.cancel()
        late = sorted(await clock)
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)
    await origin.aclose()
    return late[-1], late[int(len(late) * 0.999)]


async def late_ms() -> list[float]:
    late: list[float] = []
    try:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late.append((time.perf_counter() - began - TICK_S) * 1000)
    except asyncio.CancelledError:
        return late


async def play(origin: Any, path: str) -> None:
    """Request the next part and then the playlist that lists it, repeatedly."""
    msn, number = 1, 0
    while True:
        await ask(origin, f"{path}r0/{msn}.{number}.m4s", b"")
        await ask(origin, f"{path}r0.m3u8", b"_HLS_msn=%d&_HLS_part=%d" % (msn, number))
        msn, number = (msn, number + 1) if number + 1 < PARTS else (msn + 1, 0)


async def ask(origin: Any, path: str, query: bytes) -> None:
    scope = {"method": "GET", "path": path, "query_string": query, "headers": [(b"accept-encoding", b"gzip")]}

    async def send(_message: Any) -> None:
        pass

    await origin(scope, asyncio.Event().wait, send)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
    os.environ["RATE_LIMITS"] = "0"
    django.setup()
    thresholds = gc.get_threshold()

    import videoplatform.asgi  # noqa: F401 -- loads the modules of a web process

    settled = asyncio.run(longest_pause_ms("settled"))
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    as_it_comes = asyncio.run(longest_pause_ms("as-it-comes"))
    print(f"settled:     longest pause {settled[0]:.0f} ms, 99.9 % below {settled[1]:.1f} ms")
    print(f"as it comes: longest pause {as_it_comes[0]:.0f} ms, 99.9 % below {as_it_comes[1]:.1f} ms")


if __name__ == "__main__":
    main()
