"""A server's side of one RTMP connection, from the first byte to the goodbye.

::

    session = ServerSession()
    for event in session.receive(data):      # lazily: answer one event before asking for the next
        if isinstance(event, PublishRequested):
            session.accept_publish()         # or refuse_publish(code, description)
    transport.write(session.data_to_send())

A session takes one stream of H.264 and AAC, and gives nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal, TypeAlias

from live.rtmp import amf0, chunks, flv
from live.rtmp.chunks import ChunkReader, ChunkWriter, Message
from live.rtmp.errors import ProtocolError
from live.rtmp.handshake import Handshake

ACKNOWLEDGE_EVERY_BYTES = 2_500_000
OUR_CHUNK_BYTES = 4096

REJECTED = "NetStream.Publish.Rejected"  # OBS shows the description of this code
_PING, _PONG = 6, 7  # user control events
_COMMAND_CHUNKS, _STATUS_CHUNKS = 3, 5  # the chunk streams our answers go by
_DYNAMIC = 2  # the peer may send on without waiting for acknowledgements


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may make us keep and do."""

    max_chunk_bytes: int = 64 * 1024
    max_chunk_streams: int = 16
    max_message_bytes_before: int = 64 * 1024  # until its publishing is accepted
    max_message_bytes: int = 8 * 1024**2
    max_messages_before: int = 64
    max_message_streams: int = 4


@dataclass(frozen=True, slots=True)
class Connected:
    app: str
    tc_url: str = field(repr=False)  # where some people put their stream key


@dataclass(frozen=True, slots=True)
class PublishRequested:
    stream_key: str = field(repr=False)  # without the query that some encoders append
    app: str


@dataclass(frozen=True, slots=True)
class Metadata:
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MediaTag:
    """One FLV tag: ``payload`` begins with the byte that names the codec."""

    kind: Literal["audio", "video"]
    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Unpublished:
    """The encoder said goodbye."""


Event: TypeAlias = Connected | PublishRequested | Metadata | MediaTag | Unpublished


class State(Enum):
    HANDSHAKE = auto()
    OPEN = auto()
    CONNECTED = auto()
    ASKED = auto()
    PUBLISHING = auto()
    ENDED = auto()


class ServerSession:
    def __init__(self, limits: Limits = Limits()) -> None:
        self.state = State.HANDSHAKE
        self._limits = limits
        self._handshake = Handshake()
        self._reader = ChunkReader(
            max_message_bytes=limits.max_message_bytes_before,
            max_chunk_bytes=limits.max_chunk_bytes,
            max_chunk_streams=limits.max_chunk_streams,
        )
        self._writer = ChunkWriter()
        self._out = bytearray()
        self._app = ""
        self._messages_before = 0
        self._message_streams = 0
        self._publish_stream = 0
        self._received_bytes = self._acknowledged_bytes = 0
        self._window_bytes = ACKNOWLEDGE_EVERY_BYTES

    # --- By whoever owns the socket ---------------------------------------------------

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes and return their events, each read when it is asked for.

        Raises ProtocolError where the bytes leave the protocol; the events before are good.
        """
        if self.state is State.ENDED:
            return iter(())
        if self.state is State.HANDSHAKE:
            answer, data = self._handshake.receive(data)
            self._out += answer
            if not self._handshake.is_done:
                return iter(())
            self.state = State.OPEN
        self._reader.feed(data)
        self._acknowledge(len(data))
        return self._events()

    def data_to_send(self) -> bytes:
        """What to write to the peer now; once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def accept_publish(self) -> None:
        """Answer PublishRequested: media may come."""
        self.state = State.PUBLISHING
        self._reader.max_message_bytes = self._limits.max_message_bytes
        self._status("status", "NetStream.Publish.Start", "Go ahead.")

    def refuse_publish(self, code: str, description: str) -> None:
        """Tell the encoder that it may not publish, or no longer; whatever it still sends is ignored."""
        if self.state in (State.CONNECTED, State.ASKED, State.PUBLISHING):
            self._status("error", code or REJECTED, description)
        self.state = State.ENDED

    # --- Messages ---------------------------------------------------------------------

    def _events(self) -> Iterator[Event]:
        while self.state is not State.ENDED:
            message = self._reader.next_message()
            if message is None:
                return
            if message.type_id in (chunks.AUDIO, chunks.VIDEO):
                event = self._media(message)
            else:
                event = self._other(message)
            if event is not None:
                yield event

    def _media(self, message: Message) -> Event | None:
        if self.state is not State.PUBLISHING:
            raise ProtocolError("media_before_publish")
        payload = message.payload
        if not payload:
            return None
        if message.type_id == chunks.AUDIO:
            if payload[0] >> 4 != flv.AAC:
                self._refuse_codec(f"sound in {flv.sound_name(payload)}", "AAC")
            return MediaTag("audio", message.timestamp_ms, payload)
        if payload[0] & 0x8F != flv.AVC:
            if payload[0] >> 4 == flv.COMMAND_FRAME:
                return None
            self._refuse_codec(f"a picture in {flv.picture_name(payload)}", "H.264")
        return MediaTag("video", message.timestamp_ms, payload)

    def _refuse_codec(self, found: str, wanted: str) -> None:
        self.refuse_publish(REJECTED, f"Your encoder sends {found}. Please choose {wanted}.")
        raise ProtocolError("unsupported_codec")

    def _other(self, message: Message) -> Event | None:
        if self.state is not State.PUBLISHING:
            self._messages_before += 1
            if self._messages_before > self._limits.max_messages_before:
                raise ProtocolError("too_many_messages")
        match message.type_id:
            case chunks.COMMAND:
                return self._command(message, message.payload)
            case chunks.COMMAND_AMF3:  # AMF 0 behind a zero byte, from every encoder that uses it
                return self._command(message, message.payload[1:])
            case chunks.DATA:
                return self._data(message.payload)
            case chunks.DATA_AMF3:
                return self._data(message.payload[1:])
            case chunks.WINDOW_SIZE:
                self._window_bytes = min(int.from_bytes(message.payload[:4]), ACKNOWLEDGE_EVERY_BYTES)
            case chunks.USER_CONTROL if message.payload[:2] == _PING.to_bytes(2):
                self._out += self._writer.control(
                    chunks.USER_CONTROL, _PONG.to_bytes(2) + message.payload[2:6]
                )
        return None

    def _data(self, payload: bytes) -> Event | None:
        if self.state is not State.PUBLISHING:
            return None
        values = amf0.decode(payload)
        if values[:1] == ["@setDataFrame"]:
            del values[0]
        if len(values) > 1 and values[0] == "onMetaData" and isinstance(values[1], dict):
            return Metadata(values[1])
        return None

    # --- Commands ---------------------------------------------------------------------

    def _command(self, message: Message, payload: bytes) -> Event | None:
        values = amf0.decode(payload)
        name = values[0] if values else None
        transaction = values[1] if len(values) > 1 else 0
        if not isinstance(name, str) or not isinstance(transaction, float | int):
            raise ProtocolError("bad_command")
        if (self.state is State.OPEN) != (name == "connect"):
            raise ProtocolError("command_out_of_turn")
        commands: dict[str, Callable[[Message, float, list[Any]], Event | None]] = {
            "connect": self._connect,
            "createStream": self._create_stream,
            "publish": self._publish,
            "play": self._play,
            "play2": self._play,
            "FCUnpublish": self._unpublish,
            "deleteStream": self._unpublish,
            "closeStream": self._unpublish,
        }
        return commands.get(name, self._unknown)(message, transaction, values[2:])

    def _connect(self, _message: Message, transaction: float, arguments: list[Any]) -> Event:
        properties = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self._app = str(properties.get("app", "")).partition("?")[0].strip("/")
        window = ACKNOWLEDGE_EVERY_BYTES.to_bytes(4)
        self._out += self._writer.control(chunks.WINDOW_SIZE, window)
        self._out += self._writer.control(chunks.PEER_BANDWIDTH, window + bytes([_DYNAMIC]))
        self._out += self._writer.set_chunk_bytes(OUR_CHUNK_BYTES)
        self._result(
            transaction,
            {"fmsVer": "FMS/3,0,1,123", "capabilities": 31},
            {
                "level": "status",
                "code": "NetConnection.Connect.Success",
                "description": "Connected.",
                "objectEncoding": 0,
            },
        )
        self.state = State.CONNECTED
        return Connected(self._app, str(properties.get("tcUrl", "")))

    def _create_stream(self, _message: Message, transaction: float, _arguments: list[Any]) -> None:
        self._message_streams += 1
        if self._message_streams > self._limits.max_message_streams:
            raise ProtocolError("too_many_streams")
        self._result(transaction, None, self._message_streams)

    def _publish(self, message: Message, _transaction: float, arguments: list[Any]) -> Event:
        name = arguments[1] if len(arguments) > 1 else None
        kind = arguments[2] if len(arguments) > 2 else "live"
        if self.state is not State.CONNECTED:
            raise ProtocolError("publish_out_of_turn")
        self._publish_stream = message.stream_id
        # What "record" and "append" ask for is the streamer's choice in the studio.
        if not isinstance(name, str) or kind not in ("live", "record", "append"):
            self.refuse_publish(REJECTED, "Only live streams can be published here.")
            raise ProtocolError("bad_publish")
        self.state = State.ASKED
        return PublishRequested(name.partition("?")[0], self._app)

    def _play(self, message: Message, _transaction: float, _arguments: list[Any]) -> None:
        self._publish_stream = message.stream_id
        self.refuse_publish("NetStream.Play.Failed", "Nothing is played over RTMP. Watch in a browser.")
        raise ProtocolError("play_refused")

    def _unpublish(self, message: Message, transaction: float, arguments: list[Any]) -> Event | None:
        if self.state is not State.PUBLISHING:
            self._unknown(message, transaction, arguments)
            return None
        self._status("status", "NetStream.Unpublish.Success", "Goodbye.")
        self.state = State.ENDED
        return Unpublished()

    def _unknown(self, _message: Message, transaction: float, _arguments: list[Any]) -> None:
        """FCPublish, releaseStream, _checkbw and whatever else: some encoders wait for an answer."""
        if transaction:
            self._result(transaction, None, None)

    # --- Answers ----------------------------------------------------------------------

    def _acknowledge(self, size: int) -> None:
        self._received_bytes += size
        if (
            self._received_bytes - self._acknowledged_bytes >= self._window_bytes
            and self.state is not State.OPEN
        ):
            self._acknowledged_bytes = self._received_bytes
            count = self._received_bytes & 0xFFFFFFFF
            self._out += self._writer.control(chunks.ACKNOWLEDGEMENT, count.to_bytes(4))

    def _result(self, transaction: float, *values: amf0.Value) -> None:
        self._send(_COMMAND_CHUNKS, 0, amf0.encode("_result", transaction, *values))

    def _status(self, level: str, code: str, description: str) -> None:
        status = {"level": level, "code": code, "description": description}
        self._send(_STATUS_CHUNKS, self._publish_stream, amf0.encode("onStatus", 0, None, status))

    def _send(self, chunk_stream_id: int, stream_id: int, payload: bytes) -> None:
        self._out += self._writer.message(chunk_stream_id, Message(chunks.COMMAND, stream_id, 0, payload))
