"""A listener at the address in hostile files, to detect that a file made FFmpeg fetch it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRAP_PORT = 18099
"""Where the hostile playlists of the media corpus point, and ours do as well."""


@contextmanager
def listening() -> Iterator[list[object]]:
    """Collect the addresses of all clients that connect."""
    visitors: list[object] = []
    # Several processes test at once; the kernel gives a connection to one of them.
    with socket.create_server(("127.0.0.1", TRAP_PORT), reuse_port=True) as server:
        server.settimeout(0.1)
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                visitors.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield visitors
        finally:
            is_over.set()
            thread.join()
