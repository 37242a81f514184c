"""Simultaneous requests to one web process on PostgreSQL: answers by status, and requests a second.

Measured once with the pool, once with a connection for each request, on a separate platform
and a PostgreSQL with 100 connections.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.harness import Platform, platform, report
from videoplatform.testing import postgres

AT_ONCE, REQUESTS = 150, 3_000


async def ask(on: Platform) -> Counter[str]:
    """Request the home page ``REQUESTS`` times, ``AT_ONCE`` at a time; return the answers by status."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    answers: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=on.url, limits=limits, timeout=120) as client:
        left = iter(range(REQUESTS))

        async def one_after_the_other() -> None:
            for _ in left:
                try:
                    answers[f"http_{(await client.get('/')).status_code}"] += 1
                except httpx.TransportError as error:
                    answers[type(error).__name__] += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return answers


def measure(pool_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.make_server(Path(folder))
        command = (*server.processes[0].command, "-c", "max_connections=100")
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                postgres.wait_until_it_answers(server.url)
                with platform(DATABASE_URL=server.url, DATABASE_POOL_SIZE=str(pool_size)) as on:
                    began = time.perf_counter()
                    answers = asyncio.run(ask(on))
                    rate = REQUESTS / (time.perf_counter() - began)
                    report(
                        "pool" if pool_size else "no pool",
                        a_second=rate,
                        **answers,
                    )
            finally:
                process.kill()


if __name__ == "__main__":
    for size in (20, 0):
        measure(size)
    sys.exit(0)
