"""A balancer for tests, which passes connections to the running web processes in turn."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import suppress

from videoplatform.embedded.relay import CHUNK_BYTES


class Balancer:
    """A balancer on a free port of the loopback, in its own thread, until it is closed.

    ``swallow`` makes it lose all bytes of the connections that are open, without closing them.
    """

    def __init__(self, backends: list[int]) -> None:
        self.port = 0
        self._backends = backends
        self._turns = itertools.count()
        self._first_alive = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._is_listening.wait()

    def swallow(self) -> None:
        self._first_alive = next(self._turns)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._pass_on, "127.0.0.1", 0, limit=CHUNK_BYTES)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._is_listening.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end_connections())
        self._loop.close()

    async def _end_connections(self) -> None:
        """Abort the open connections: a socket left to the garbage collector causes a warning."""
        passing_on = asyncio.all_tasks() - {asyncio.current_task()}
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*passing_on, return_exceptions=True)
        # An aborted transport closes its socket in the next turn of the loop.
        await asyncio.sleep(0)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        first = next(self._turns)
        for number in range(len(self._backends)):
            port = self._backends[(first + number) % len(self._backends)]
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                self._writers.add(far_writer)
                await asyncio.gather(
                    self._carry(first, reader, far_writer), self._carry(first, far_reader, writer)
                )
                far_writer.close()
                self._writers.discard(far_writer)
                break
        writer.close()
        self._writers.discard(writer)

    async def _carry(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy until one side ends, unless the connection was swallowed."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if number >= self._first_alive:
                    writer.write(data)
                    await writer.drain()
        if number >= self._first_alive:
            writer.close()
