"""A balancer for tests: passes connections to whichever web process answers, in turn."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import suppress

from videoplatform.embedded.relay import CHUNK_BYTES, pour


class Balancer:
    """Listens on a free port of the loopback, in a thread of its own, until it is closed."""

    def __init__(self, backends: list[int]) -> None:
        self.port = 0
        self._backends = backends
        self._turns = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._is_listening.wait()

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
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turns)
        for number in range(len(self._backends)):
            port = self._backends[(first + number) % len(self._backends)]
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer))
                return
        writer.close()
