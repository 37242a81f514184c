"""RTMP server on asyncio: admission of publishers, their media, and their disconnection.

Each connection is a ``Publisher`` from its first byte to its last.  After the
``Admission`` has accepted its stream key, its media goes, in order, to the ``MediaSink``
that the admission returned; while the sink is busy, nothing is read.
Every wait and every buffer has a bound in ``ServerLimits``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol, TypeAlias

from common.addresses import network_of
from live.bounds import Budget
from live.rtmp.errors import ProtocolError
from live.rtmp.proxy_protocol import ProxyHeader
from live.rtmp.session import (
    REJECTED,
    Event,
    MediaTag,
    Metadata,
    PublishRequested,
    RtmpLimits,
    ServerSession,
    State,
    Unpublished,
)
from live.task_errors import error_of

logger = logging.getLogger(__name__)

Network: TypeAlias = IPv4Network | IPv6Network

APP = "live"
READ_BYTES = 64 * 1024

NOT_UNDERSTOOD = "Your encoder sent invalid data ({code})."
SILENT = "No data from your encoder for {seconds:g} seconds."
FULL = "This server is busy. Connect again in a moment."
BROKEN = "The server had an error. Connect again in a moment."


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds in time and size; a peer that exceeds one is disconnected."""

    handshake_s: float = 5
    until_publish_s: float = 10  # both count from the start of the connection
    idle_s: float = 6  # without a byte from a publisher
    linger_s: float = 2  # for the peer's end of file, after our last message
    connections: int = 500
    waiting_per_address: int = 20  # connections that are not admitted yet
    unsent_bytes: int = 64 * 1024
    unread_bytes: int = 128 * 1024  # received while the sink is busy
    unfinished_bytes: int = 64 * 1024**2  # of incomplete messages, over all connections
    protocol: RtmpLimits = field(default_factory=RtmpLimits)


class PublisherRefused(Exception):
    """Refusal of a publisher; its encoder shows ``description``."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class MediaSink(Protocol):
    """Receiver of a publisher's media.  Each call is awaited before the next."""

    async def on_tag(self, tag: MediaTag) -> None: ...

    async def on_metadata(self, values: dict[str, Any]) -> None: ...

    async def on_closed(self, *, has_unpublished: bool) -> None:
        """Handle the end of the connection; called once for every sink."""


class Admission(Protocol):
    """Decision on publishers by their stream keys."""

    async def admit(self, stream_key: str, publisher: Publisher) -> MediaSink:
        """Return the sink for the media of ``publisher``.  Raises PublisherRefused."""


class RtmpServer:
    """Listener that knows every connection, so that all of them can be closed."""

    def __init__(
        self,
        host: str,
        port: int,
        admission: Admission,
        limits: ServerLimits | None = None,
        *,
        balancers: Sequence[Network] = (),
    ) -> None:
        """Prepare a server; connections from the networks in ``balancers`` begin with a PROXY header."""
        self._host = host
        self._port = port
        self._admission = admission
        self._limits = limits or ServerLimits()
        self._balancers = balancers
        self._budget = Budget(self._limits.unfinished_bytes)
        self._listener: asyncio.Server | None = None
        self._publishers: dict[asyncio.Task[None], Publisher] = {}

    async def start(self) -> None:
        """Start to listen.  Raises OSError if the port is taken."""
        self._listener = await asyncio.start_server(
            # asyncio buffers twice this limit before the peer has to wait.
            self._accept, self._host, self._port, limit=self._limits.unread_bytes // 2, backlog=1024
        )  # fmt: skip
        self._port = self._listener.sockets[0].getsockname()[1]

    @property
    def port(self) -> int:
        """Return the port in use, also if port 0 was requested."""
        return self._port

    async def close(self, description: str = "The server is restarting.") -> None:
        """Stop listening, inform every encoder, and return after every sink has been closed."""
        if self._listener is not None:
            self._listener.close()
        for publisher in self._publishers.values():
            publisher.close("", description)
        if self._publishers:
            await asyncio.wait(self._publishers)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # already disconnected
            writer.transport.abort()
            return
        # The kernel buffers no more than this for a peer that does not read; our replies are short.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.unsent_bytes
        )
        publisher = Publisher(peer[0], peer[1], reader, writer, self._limits, self._budget)
        if self._is_balancer(peer[0]):
            publisher.await_client(self._has_room_for)
        if not self._has_room_for(publisher):
            logger.warning("Connection refused: too many connections", extra={"address": publisher.address})
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(publisher.run(self._admission))
        self._publishers[task] = publisher
        task.add_done_callback(self._forget)

    def _has_room_for(self, newcomer: Publisher) -> bool:
        others = [publisher for publisher in self._publishers.values() if publisher is not newcomer]
        if len(others) >= self._limits.connections:
            return False
        # A balancer's connections count once their clients are known.
        waiting = sum(
            publisher.network == newcomer.network and not publisher.is_admitted for publisher in others
        )
        return not newcomer.network or waiting < self._limits.waiting_per_address

    def _is_balancer(self, host: str) -> bool:
        if not self._balancers:
            return False
        address = ip_address(host.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self._balancers)

    def _forget(self, task: asyncio.Task[None]) -> None:
        publisher = self._publishers.pop(task)
        if error := error_of(task):
            logger.error("Connection failed", extra={"connection": publisher.connection_id}, exc_info=error)


class Publisher:
    """RTMP connection of an encoder, with its identity for the sink and the means to close it."""

    def __init__(
        self,
        host: str,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: ServerLimits,
        budget: Budget,
    ) -> None:
        self.connection_id = secrets.token_hex(8)
        self.host = host
        self.address = f"{host}:{port}"
        # Limits count by network; empty until a balancer has sent the client's address.
        self.network = network_of(host)
        self.is_admitted = False
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._budget = budget
        self._session = ServerSession(limits.protocol)
        self._sink: MediaSink | None = None
        self._is_closing = self._has_unpublished = False
        self._opened_at = asyncio.get_running_loop().time()
        self._wait: asyncio.Timeout | None = None  # of the current read
        self._has_room: Callable[[Publisher], bool] | None = None

    def await_client(self, has_room: Callable[[Publisher], bool]) -> None:
        """Read the client's address from a PROXY header, then ask ``has_room`` whether it may stay."""
        self.network = ""
        self._has_room = has_room

    def close(self, code: str = "", description: str = "") -> None:
        """Send the encoder the reason (it shows ``description``) and disconnect it; returns at once.

        The sink is informed by ``on_closed``, as at any other end.
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
        except PublisherRefused as refusal:
            self._session.refuse_publish(refusal.code, refusal.description)
            self._log("Publisher refused", reason=refusal.code)
        except ProtocolError as error:
            self._session.refuse_publish(REJECTED, NOT_UNDERSTOOD.format(code=error.code))
            self._log("Publisher refused", reason=error.code)
        finally:
            self._budget.release(self)
            try:
                await self._leave()
            finally:
                self._writer.transport.abort()

    async def _serve(self, admission: Admission) -> None:
        """Read until the peer leaves, unpublishes or has to be disconnected."""
        data = await (self._read_behind_header() if self._has_room else self._read())
        while not self._is_closing and data:
            for event in self._session.receive(data):
                await self._handle(event, admission)
                if self._is_closing:
                    return
            if not self._budget.hold(self, self._session.held_bytes):
                raise PublisherRefused(REJECTED, FULL)
            self._flush()
            data = await self._read()

    async def _read_behind_header(self) -> bytes:
        """Read a balancer's header; return the client's first bytes, or nothing if it must be disconnected.

        Raises ProtocolError if there is no header.
        """
        header, rest = ProxyHeader(), b""
        while not header.is_done:
            data = await self._read()
            if not data:
                return b""
            rest = header.receive(data)
        if header.source is not None:
            self.host, port = header.source
            self.address = f"{self.host}:{port}"
        self.network = network_of(self.host)
        if self._has_room is not None and not self._has_room(self):
            self._log("Connection refused: too many connections")
            return b""
        return rest or await self._read()

    async def _read(self) -> bytes:
        """Return received bytes; none if the peer has disconnected or was silent for too long."""
        try:
            async with asyncio.timeout_at(self._deadline()) as self._wait:
                return await self._reader.read(READ_BYTES)
        except OSError as error:  # reset by the peer, or our timeout
            if not self._is_closing:
                self._session.refuse_publish(REJECTED, SILENT.format(seconds=self._limits.idle_s))
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
                await self._sink.on_tag(event)
            case Metadata() if self._sink:
                await self._sink.on_metadata(event.values)
            case PublishRequested():
                await self._admit(event, admission)
            case Unpublished():
                self._has_unpublished = self._is_closing = True

    async def _admit(self, request: PublishRequested, admission: Admission) -> None:
        # Some people append the key to the address instead of filling in its own field.
        app, _, typed = request.app.partition("/")
        if app != APP:
            raise PublisherRefused(REJECTED, f"Wrong address: the address of this server ends in /{APP}.")
        self._sink = await admission.admit(request.stream_key or typed, self)
        if self._is_closing:
            return
        self.is_admitted = True
        self._session.accept_publish()
        self._flush()
        self._log("Publishing")

    async def _leave(self) -> None:
        """Send a reason if none was sent yet, and close the sink."""
        self._is_closing = True
        self._session.refuse_publish(REJECTED, BROKEN)
        self._flush()
        if self._sink is not None:
            self._log("Publisher disconnected", has_unpublished=self._has_unpublished)
            await self._sink.on_closed(has_unpublished=self._has_unpublished)
        await self._linger()

    async def _linger(self) -> None:
        """Give the peer time to read our last message.

        A socket that is closed with unread bytes resets the connection, and the encoder
        would show the reset instead of the reason.
        """
        if self._session.state is not State.ENDED or self._writer.is_closing():
            return
        with contextlib.suppress(OSError):
            if (
                not self._has_unpublished
            ):  # after it has unpublished, GStreamer takes our end of file for an error
                self._writer.write_eof()
            async with asyncio.timeout(self._limits.linger_s):
                while await self._reader.read(READ_BYTES):
                    pass

    def _flush(self) -> None:
        """Write the session's output; disconnect a peer that does not read it."""
        transport = self._writer.transport
        if (data := self._session.data_to_send()) and not transport.is_closing():
            transport.write(data)
            if transport.get_write_buffer_size() > self._limits.unsent_bytes:
                self._log("Connection dropped: the client does not read")
                transport.abort()

    def _log(self, message: str, **extra: object) -> None:
        logger.info(message, extra={"connection": self.connection_id, "address": self.address} | extra)
