"""Relays: the only network that a confined program has.

A seccomp filter turns the program's ``socket`` into a question to us, and we answer with one
end of a pair whose other end the relay reads.  ``connect`` then succeeds and does nothing.
So the program speaks HTTP to an address that does not matter, and gets the inputs it was
started for, by their number, and nothing else: no other key, host, name or port.  Signed
URLs and TLS stay in our process.  A :class:`Relay` serves other programs in another way.

A thread serves each connection, at most ``MAX_CONNECTIONS`` of a program side by side.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import logging
import os
import re
import select
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing, suppress
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 16 * 1024
STORAGE_TIMEOUT_S = 30
PIECE_BYTES = 256 * 1024

# Ioctls of linux/seccomp.h, with their structures: a question about a call (its number, and the
# second argument of the call), an answer (value and error), a descriptor for the program.
_RECEIVE, _SEND, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
_QUESTION, _ANSWER, _ADDED = struct.Struct("=Q32xQ32x"), struct.Struct("=QqiI"), struct.Struct("=QIIII")
_SOCK_CLOEXEC, _SOCK_NONBLOCK = 0o2000000, 0o4000
_REQUEST = re.compile(rb"GET /(\d{1,3})(?:\.\w*)? HTTP/1\.[01]\r\n")
_RANGE = re.compile(rb"\r\nRange: *(bytes=\d{1,18}-\d{0,18}) *\r\n", re.IGNORECASE)
_SUFFIX = re.compile(r"\.\w{1,5}$")
_PASSED_ON = ("Content-Length", "Content-Range", "Content-Type", "Accept-Ranges")


class Relay(ABC):
    """The network of one program: the other end of every socket that it opens."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._is_served = False
        self._turns = threading.BoundedSemaphore(MAX_CONNECTIONS)

    @property
    def channel(self) -> int:
        """Return the descriptor through which the guard sends us its filter's listener."""
        return self._theirs.fileno()

    @abstractmethod
    def answer(self, connection: socket.socket) -> None:
        """Answer the requests of one connection.  OSError and HTTPException end it."""

    def rewrite(self, argv: Sequence[str]) -> list[str]:
        """Return the command as the program gets it."""
        return list(argv)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the descriptors that the program was started with; it has its own copies, or none."""
        self._theirs.close()
        if not self._is_served:
            self._ours.close()

    def serve(self) -> None:
        """Serve the program, which has been started, until it ends."""
        self._is_served = True
        threading.Thread(target=self._supervise, name="relay", daemon=True).start()

    def _supervise(self) -> None:
        """Answer each call of ``socket`` until the last thread of the program has ended."""
        with self._ours:
            listener = _received(self._ours)
        if listener is None:
            return  # the guard has ended, and said why on its stderr
        try:
            poll = select.poll()
            poll.register(listener, select.POLLIN)
            while (events := poll.poll()) and not events[0][1] & (select.POLLHUP | select.POLLERR):
                # A program that ends, or is paused, takes its question with it.
                with suppress(OSError):
                    self._answer(listener)
        finally:
            os.close(listener)

    def _answer(self, listener: int) -> None:
        """Answer one call of ``socket`` with a new connection, or with an error if there are too many."""
        question = bytearray(_QUESTION.size)
        fcntl.ioctl(listener, _RECEIVE, question)
        number, kind = _QUESTION.unpack(question)
        if not self._turns.acquire(blocking=False):
            fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(number, 0, -errno.EMFILE, 0)))
            return
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=[ours], name="relayed", daemon=True).start()
        with theirs:
            theirs.setblocking(not kind & _SOCK_NONBLOCK)
            closes_on_exec = os.O_CLOEXEC if kind & _SOCK_CLOEXEC else 0
            added = bytearray(_ADDED.pack(number, 0, theirs.fileno(), 0, closes_on_exec))
            descriptor = fcntl.ioctl(listener, _ADD_DESCRIPTOR, added)
            fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(number, descriptor, 0, 0)))

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError, http.client.HTTPException):
                self.answer(connection)
        finally:
            self._turns.release()


class SourceRelay(Relay):
    """The network of FFmpeg, which reads ``urls``."""

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__()
        self._urls = tuple(urls)

    def rewrite(self, argv: Sequence[str]) -> list[str]:
        """Return the command with our names for its URLs; a demuxer may look at the suffix."""
        names = {}
        for number, url in enumerate(self._urls):
            suffix = _SUFFIX.search(urlsplit(url).path)
            names[url] = f"http://127.0.0.1/{number}{suffix[0] if suffix else ''}"
        return [names.get(word, word) for word in argv]

    def answer(self, connection: socket.socket) -> None:
        """Answer the request of one connection.  FFmpeg closes it as soon as it has read enough."""
        head = read_head(connection)
        asked = _REQUEST.match(head)
        if not asked or int(asked[1]) >= len(self._urls):
            connection.sendall(status_line(404))
            return
        span = _RANGE.search(head)
        _pass_on(self._urls[int(asked[1])], span[1].decode() if span else "", connection)


def _received(channel: socket.socket) -> int | None:
    """Return the descriptor that the guard sends, None if it ended without."""
    _data, descriptors, _flags, _address = socket.recv_fds(channel, 1, 1)
    return descriptors[0] if descriptors else None


def read_head(connection: socket.socket) -> bytes:
    """Return the head of a request, empty if it does not end within ``MAX_HEAD_BYTES``."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece or len(head) > MAX_HEAD_BYTES:
            return b""
        head += piece
    return head


def _pass_on(url: str, span: str, connection: socket.socket) -> None:
    """Send the storage's answer to a GET of ``url``, and nothing if there is none: FFmpeg tries again."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    with closing(kind(parts.netloc, timeout=STORAGE_TIMEOUT_S)) as storage:
        try:
            storage.request("GET", target, headers={"Range": span} if span else {})
            response = storage.getresponse()
        except (OSError, http.client.HTTPException) as error:
            logger.warning("Source not reached", extra={"reason": type(error).__name__})
            return
        passed = [f"{name}: {value}" for name in _PASSED_ON if (value := response.headers[name])]
        connection.sendall(status_line(response.status, passed))
        while piece := response.read1(PIECE_BYTES):
            connection.sendall(piece)


def status_line(status: int, headers: Sequence[str] = ("Content-Length: 0",)) -> bytes:
    """Return the head of an answer that ends with its connection."""
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}", *headers, "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
