"""RTMP connections under asyncio: who may publish, what they send, and how they leave.

A connection is a ``Publisher`` from its first byte to its last.  Once the
``Admission`` has looked at its stream key, everything it sends goes, in order, to
the ``Sink`` that admission returned; while the sink is busy, nothing is read.
Every wait and every buffer has a bound in ``ServerLimits``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol

from live.rtmp.errors import ProtocolError
from live.rtmp.session import (
    REJECTED,
    Event,
    Limits,
    MediaTag,
    Metadata,
    PublishRequested,
    ServerSession,
    State,
    Unpublished,
)

logger = logging.getLogger(__name__)

APP = "live"
READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How long and how much; a peer that goes further is dropped."""

    handshake_s: float = 5
    until_publish_s: float = 10  # both from the connection's first moment
    idle_s: float = 15  # without a byte from a publisher
    linger_s: float = 2  # for the peer's end of file, after the last word
    connections: int = 500
    waiting_per_address: int = 20  # connections that have not been allowed to publish
    unsent_bytes: int = 64 * 1024
    unread_bytes: int = 128 * 1024  # received while the sink is busy
    protocol: Limits = field(default_factory=Limits)


class Refused(Exception):
    """May not publish; the encoder shows ``description``."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class Sink(Protocol):
    """Where a publisher's media goes.  Each call is awaited before the next."""

    async def tag(self, tag: MediaTag) -> None: ...

    async def metadata(self, values: dict[str, Any]) -> None: ...

    async def closed(self, *, said_goodbye: bool) -> None:
        """Nothing more will come; called once for every sink."""


class Admission(Protocol):
    async def admit(self, stream_key: str, publisher: Publisher) -> Sink:
        """Return where to send what ``publisher`` sends.  Raises Refused."""


class RtmpServer:
    """Listens, and knows every connection, so that all of them can be closed."""

    def __init__(
        self, host: str, port: int, admission: Admission, limits: ServerLimits | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._admission = admission
        self._limits = limits or ServerLimits()
        self._listener: asyncio.Server | None = None
        self._publishers: dict[asyncio.Task[None], Publisher] = {}

    async def start(self) -> None:
        """Listen.  Raises OSError where the port is taken."""
        self._listener = await asyncio.start_server(
            # A stream holds twice its limit before the peer has to wait.
            self._accept, self._host, self._port, limit=self._limits.unread_bytes // 2, backlog=1024
        )  # fmt: skip
        self._port = self._listener.sockets[0].getsockname()[1]

    @property
    def port(self) -> int:
        """The port in use, also where 0 was asked for."""
        return self._port

    @property
    def connection_count(self) -> int:
        return len(self._publishers)

    async def close(self, description: str = "The server is restarting.") -> None:
        """Stop listening, tell every encoder, and return when every sink has been closed."""
        if self._listener is not None:
            self._listener.close()
        for publisher in self._publishers.values():
            publisher.close("", description)
        if self._publishers:
            await asyncio.wait(self._publishers)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # gone before we looked
            writer.transport.abort()
            return
        # We say little: what a peer that does not read may leave in the kernel.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.unsent_bytes
        )
        publisher = Publisher(peer[0], peer[1], reader, writer, self._limits)
        if not self._has_room_for(publisher):
            logger.warning("Connection refused: too many", extra={"address": publisher.address})
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(publisher.run(self._admission))
        self._publishers[task] = publisher
        task.add_done_callback(self._forget)

    def _has_room_for(self, newcomer: Publisher) -> bool:
        waiting = sum(
            publisher.host == newcomer.host and not publisher.is_admitted
            for publisher in self._publishers.values()
        )
        return len(self._publishers) < self._limits.connections and waiting < self._limits.waiting_per_address

    def _forget(self, task: asyncio.Task[None]) -> None:
        publisher = self._publishers.pop(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("Connection failed", extra={"connection": publisher.connection_id}, exc_info=error)


class Publisher:
    """One connection: what a sink may know of it, and how to be rid of it."""

    def __init__(
        self,
        host: str,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: ServerLimits,
    ) -> None:
        self.connection_id = secrets.token_hex(8)
        self.host = host
        self.address = f"{host}:{port}"
        self.is_admitted = False
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._session = ServerSession(limits.protocol)
        self._sink: Sink | None = None
        self._is_closing = self._said_goodbye = False
        self._opened_at = asyncio.get_running_loop().time()
        self._wait: asyncio.Timeout | None = None  # of the read that is under way

    def close(self, code: str = "", description: str = "") -> None:
        """Tell the encoder why (it shows ``description``) and drop it; returns at once.

        The sink hears of it by ``closed``, as of any other end.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._session.refuse_publish(code, description)
        self._flush()
        if self._wait is not None and not self._wait.expired():
            self._wait.reschedule(0)  # wake the reader

    async def run(self, admission: Admission) -> None:
        """Serve the connection to its end."""
        try:
            await self._serve(admission)
        except Refused as refusal:
            self._session.refuse_publish(refusal.code, refusal.description)
            self._log("Publisher refused", reason=refusal.code)
        except ProtocolError as error:
            self._log("Publisher refused", reason=error.code)
        finally:
            try:
                await self._leave()
            finally:
                self._writer.transport.abort()

    async def _serve(self, admission: Admission) -> None:
        """Read until the peer has gone, said goodbye, or is to be dropped."""
        while not self._is_closing and (data := await self._read()):
            for event in self._session.receive(data):
                await self._handle(event, admission)
                if self._is_closing:
                    return
            self._flush()

    async def _read(self) -> bytes:
        """What has arrived; nothing where the peer has gone or was silent for too long."""
        try:
            async with asyncio.timeout_at(self._deadline()) as self._wait:
                return await self._reader.read(READ_BYTES)
        except OSError as error:  # reset, or our time-out
            if not self._is_closing:
                self._log("Connection lost", reason=type(error).__name__)
            return b""
        finally:
            self._wait = None

    def _deadline(self) -> float:
        if self.is_admitted:
            return asyncio.get_running_loop().time() + self._limits.idle_s
        if self._session.state is State.HANDSHAKE:
            return self._opened_at + self._limits.handshake_s
        return self._opened_at + self._limits.until_publish_s

    async def _handle(self, event: Event, admission: Admission) -> None:
        match event:
            case MediaTag() if self._sink:
                await self._sink.tag(event)
            case Metadata() if self._sink:
                await self._sink.metadata(event.values)
            case PublishRequested():
                await self._admit(event, admission)
            case Unpublished():
                self._said_goodbye = self._is_closing = True

    async def _admit(self, request: PublishRequested, admission: Admission) -> None:
        if request.app != APP:
            raise Refused(REJECTED, f"Nothing is published here. The address of this server ends in /{APP}.")
        self._sink = await admission.admit(request.stream_key, self)
        if self._is_closing:
            return
        self.is_admitted = True
        self._session.accept_publish()
        self._flush()
        self._log("Publishing")

    async def _leave(self) -> None:
        self._is_closing = True
        self._flush()
        if self._sink is not None:
            self._log("Publisher gone", said_goodbye=self._said_goodbye)
            await self._sink.closed(said_goodbye=self._said_goodbye)
        await self._linger()

    async def _linger(self) -> None:
        """Leave the peer a moment to hear our last word.

        A socket closed with bytes unread resets the connection, and the encoder
        would show that instead of the reason.
        """
        if self._session.state is not State.ENDED or self._writer.is_closing():
            return
        with contextlib.suppress(OSError):
            if not self._said_goodbye:  # after a goodbye, GStreamer takes our end for an error
                self._writer.write_eof()
            async with asyncio.timeout(self._limits.linger_s):
                while await self._reader.read(READ_BYTES):
                    pass

    def _flush(self) -> None:
        """Write what the session has to say; a peer that does not read it is dropped."""
        transport = self._writer.transport
        if data := self._session.data_to_send():
            transport.write(data)
            if transport.get_write_buffer_size() > self._limits.unsent_bytes:
                self._log("Connection dropped: it does not read")
                transport.abort()

    def _log(self, message: str, **extra: object) -> None:
        logger.info(message, extra={"connection": self.connection_id, "address": self.address} | extra)
