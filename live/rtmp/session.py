"""Server side of one RTMP connection, from the first byte to the last.

::

    session = ServerSession()
    for event in session.receive(data):      # lazily: answer one event before asking for the next
        if isinstance(event, PublishRequested):
            session.accept_publish()         # or refuse_publish(code, description)
    transport.write(session.data_to_send())

A session receives one stream of H.264 and AAC, and plays none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal, TypeAlias

from live.rtmp import amf0, amf3, chunks, enhanced, flv
from live.rtmp.chunks import ChunkReader, ChunkWriter, Message
from live.rtmp.errors import ProtocolError
from live.rtmp.handshake import Handshake
from live.rtmp.reader import Value, ValueReader

ACKNOWLEDGE_EVERY_BYTES = 2_500_000
OUR_CHUNK_BYTES = 4096

REJECTED = "NetStream.Publish.Rejected"  # OBS shows the description of this code
CONNECTION_REJECTED = "NetConnection.Connect.Rejected"
_PING, _PONG = 6, 7  # user control events
_COMMAND_CHUNKS, _STATUS_CHUNKS = 3, 5  # the chunk streams of our answers
_DYNAMIC = 2  # the peer may continue without waiting for acknowledgements


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """Bounds on the memory and work that a peer can cause."""

    max_chunk_streams: int = 256
    max_message_bytes_before: int = 64 * 1024  # until publishing is accepted
    max_message_bytes: int = 8 * 1024**2
    max_messages_before: int = 64
    max_message_streams: int = 4
    max_aggregate_parts: int = 4096
    max_metadata_bytes: int = 64 * 1024  # larger ones are ignored
    max_config_bytes: int = 64 * 1024  # of a sequence header; H.264's is about 50 bytes


@dataclass(frozen=True, slots=True)
class Connected:
    app: str
    tc_url: str = field(repr=False)  # may contain the stream key, if typed into the wrong field


@dataclass(frozen=True, slots=True)
class PublishRequested:
    stream_key: str = field(repr=False)  # without the query string that some encoders append
    app: str


@dataclass(frozen=True, slots=True)
class Metadata:
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MediaTag:
    """FLV tag; ``payload`` begins with the byte that names the codec."""

    kind: Literal["audio", "video"]
    timestamp_ms: int
    payload: bytes
    header: flv.MediaHeader


@dataclass(frozen=True, slots=True)
class Unpublished:
    """End of the stream, declared by the encoder."""


Event: TypeAlias = Connected | PublishRequested | Metadata | MediaTag | Unpublished


class State(Enum):
    HANDSHAKE = auto()
    OPEN = auto()
    CONNECTED = auto()
    ASKED = auto()
    PUBLISHING = auto()
    ENDED = auto()


class ServerSession:
    """State of one connection: it turns received bytes into events and answers, without a socket."""

    def __init__(self, limits: RtmpLimits = RtmpLimits()) -> None:
        self.state = State.HANDSHAKE
        self._limits = limits
        self._handshake = Handshake()
        self._reader = ChunkReader(
            max_message_bytes=limits.max_message_bytes_before,
            max_chunk_streams=limits.max_chunk_streams,
        )
        self._writer = ChunkWriter()
        self._out = bytearray()
        self._app = ""
        self._messages_before = 0
        self._message_streams = 0
        self._publish_stream = 0
        self._name = ""  # the encoder's stream name, which is the key
        self._received_bytes = self._acknowledged_bytes = 0
        self._window_bytes = ACKNOWLEDGE_EVERY_BYTES

    def receive(self, data: bytes) -> Iterator[Event]:
        """Process bytes and return their events lazily.

        Raises ProtocolError if the bytes violate the protocol; earlier events are valid.
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

    @property
    def held_bytes(self) -> int:
        """Return the bytes kept for incomplete messages."""
        return self._reader.held_bytes

    def data_to_send(self) -> bytes:
        """Return the bytes to write to the peer, and forget them."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def accept_publish(self) -> None:
        """Accept PublishRequested: media may arrive from now on."""
        self.state = State.PUBLISHING
        self._reader.max_message_bytes = self._limits.max_message_bytes
        self._status("status", "NetStream.Publish.Start", "Publishing accepted.")

    def refuse_publish(self, code: str, description: str) -> None:
        """Send the encoder the reason for the end, once, and ignore its further input.

        ``code`` is ``REJECTED`` if empty.  An encoder that has not connected receives
        ``NetConnection.Connect.Rejected``; before the handshake nothing can be sent.
        """
        if self.state is State.OPEN:
            self._status("error", CONNECTION_REJECTED, description)
        elif self.state not in (State.HANDSHAKE, State.ENDED):
            self._status("error", code or REJECTED, description)
        self.state = State.ENDED

    def _events(self) -> Iterator[Event]:
        while self.state is not State.ENDED:
            message = self._reader.next_message()
            if message is None:
                return
            for number, part in enumerate(_parts_of(message)):
                if number >= self._limits.max_aggregate_parts:
                    raise ProtocolError("too_many_messages")
                is_media = part.type_id in (chunks.AUDIO, chunks.VIDEO)
                event = self._media(part) if is_media else self._other(part)
                if event is not None:
                    yield event
                if isinstance(event, Unpublished):
                    return

    def _media(self, message: Message) -> Event | None:
        if self.state is not State.PUBLISHING:
            raise ProtocolError("media_before_publish")
        kind: Literal["audio", "video"] = "audio" if message.type_id == chunks.AUDIO else "video"
        payload = self._supported(kind, message.payload)
        header = flv.media_header(kind, payload) if payload else None
        if payload is None or header is None:
            return None
        if header.is_config:
            self._check_config(kind, payload)
        return MediaTag(kind, message.timestamp_ms, payload, header)

    def _check_config(self, kind: Literal["audio", "video"], payload: bytes) -> None:
        """Refuse a configuration that is too large, or AAC that browsers do not play."""
        if len(payload) > self._limits.max_config_bytes:
            self.refuse_publish(REJECTED, "The configuration from your encoder is too large.")
            raise ProtocolError("config_too_large")
        if kind == "audio":
            try:
                found = flv.aac_config(payload).unplayable_as
            except ProtocolError:
                return  # the probe refuses a configuration that cannot be read
            if found:
                self.refuse_publish(REJECTED, f"Your encoder sends {found}. Use AAC-LC in stereo.")
                raise ProtocolError("unsupported_codec")

    def _supported(self, kind: Literal["audio", "video"], payload: bytes) -> bytes | None:
        """Return H.264 or AAC as FLV 10.1; None for a payload that is neither media nor configuration.

        Refuse any other codec, and raise ProtocolError.
        """
        if not payload:
            return None
        if enhanced.is_enhanced(kind, payload):
            packet = enhanced.first_track(kind, payload)
            if packet is None:
                return None
            if packet.codec != (enhanced.AAC if kind == "audio" else enhanced.AVC):
                self._refuse_codec(kind, flv.four_letter_name(packet.codec))
            return packet.as_flv()
        if kind == "video" and payload[0] >> 4 == flv.COMMAND_FRAME:
            return None
        codec, wanted = (payload[0] >> 4, flv.AAC) if kind == "audio" else (payload[0] & 0x0F, flv.AVC)
        if codec != wanted:
            self._refuse_codec(kind, flv.codec_name(kind, payload))
        return payload

    def _refuse_codec(self, kind: Literal["audio", "video"], found: str) -> None:
        sent, wanted = ("audio", "AAC") if kind == "audio" else ("video", "H.264")
        self.refuse_publish(REJECTED, f"Your encoder sends {sent} in {found}. Use {wanted}.")
        raise ProtocolError("unsupported_codec")

    def _other(self, message: Message) -> Event | None:
        if self.state is not State.PUBLISHING:
            self._messages_before += 1
            if self._messages_before > self._limits.max_messages_before:
                raise ProtocolError("too_many_messages")
        match message.type_id:
            case chunks.COMMAND:
                return self._command(message, message.payload)
            case chunks.COMMAND_AMF3:
                return self._command(message, _behind_zero(message.payload))
            case chunks.DATA | chunks.DATA_AMF3:
                return self._data(_behind_zero(message.payload))
            case chunks.WINDOW_SIZE:
                self._window_bytes = min(int.from_bytes(message.payload[:4]), ACKNOWLEDGE_EVERY_BYTES)
            case chunks.USER_CONTROL if message.payload[:2] == _PING.to_bytes(2):
                self._out += self._writer.control(
                    chunks.USER_CONTROL, _PONG.to_bytes(2) + message.payload[2:6]
                )
        return None

    def _data(self, payload: bytes) -> Event | None:
        """Return the readable values of ``onMetaData``; no broadcast depends on them."""
        if self.state is not State.PUBLISHING or len(payload) > self._limits.max_metadata_bytes:
            return None
        values = _metadata_values(payload)
        if values[:1] == ["@setDataFrame"]:
            del values[0]
        metadata = next((value for value in values[1:] if isinstance(value, dict)), None)
        return Metadata(metadata) if values[:1] == ["onMetaData"] and metadata is not None else None

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
            "FCUnpublish": self._fc_unpublish,
            "deleteStream": self._delete_stream,
            "closeStream": self._close_stream,
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
        kind = arguments[2] if len(arguments) > 2 else None
        if self.state is not State.CONNECTED:
            raise ProtocolError("publish_out_of_turn")
        self._publish_stream = message.stream_id
        # The streamer decides about recording in the studio, so "record" and "append" equal "live".
        if isinstance(kind, str) and kind.lower() not in ("", "live", "record", "append"):
            self.refuse_publish(REJECTED, "Only live streams can be published here.")
            raise ProtocolError("bad_publish")
        self.state = State.ASKED
        self._name = name.partition("?")[0] if isinstance(name, str) else ""
        return PublishRequested(self._name, self._app)

    def _play(self, message: Message, _transaction: float, _arguments: list[Any]) -> None:
        self._publish_stream = message.stream_id
        self.refuse_publish(
            "NetStream.Play.Failed", "Playback over RTMP is not supported. Watch in a browser."
        )
        raise ProtocolError("play_refused")

    def _close_stream(self, message: Message, transaction: float, arguments: list[Any]) -> Event | None:
        """Handle ``closeStream``, which ends the message stream on which it arrives."""
        return self._unpublish(transaction, is_ours=message.stream_id in (0, self._publish_stream))

    def _delete_stream(self, _message: Message, transaction: float, arguments: list[Any]) -> Event | None:
        """Handle ``deleteStream``, whose argument is a message stream: some encoders create several."""
        ours = (None, 0, self._publish_stream)
        other = arguments[1] if len(arguments) > 1 else None
        is_ours = self._publish_stream == 0 or not isinstance(other, float) or other in ours
        return self._unpublish(transaction, is_ours=is_ours)

    def _fc_unpublish(self, _message: Message, transaction: float, arguments: list[Any]) -> Event | None:
        """Handle ``FCUnpublish``, whose argument is the stream's name."""
        name = arguments[1] if len(arguments) > 1 else None
        is_ours = not isinstance(name, str) or name.partition("?")[0] in ("", self._name)
        return self._unpublish(transaction, is_ours=is_ours)

    def _unpublish(self, transaction: float, *, is_ours: bool) -> Event | None:
        if self.state is not State.PUBLISHING or not is_ours:
            self._acknowledge_command(transaction)
            return None
        self._status("status", "NetStream.Unpublish.Success", "Goodbye.")
        self.state = State.ENDED
        return Unpublished()

    def _unknown(self, _message: Message, transaction: float, _arguments: list[Any]) -> None:
        """Handle FCPublish, releaseStream, _checkbw and all other commands."""
        self._acknowledge_command(transaction)

    def _acknowledge_command(self, transaction: float) -> None:
        """Send an empty result: some encoders wait for an answer."""
        if transaction:
            self._result(transaction, None, None)

    def _acknowledge(self, size: int) -> None:
        self._received_bytes += size
        if (
            self._received_bytes - self._acknowledged_bytes >= self._window_bytes
            and self.state is not State.OPEN
        ):
            self._acknowledged_bytes = self._received_bytes
            count = self._received_bytes & 0xFFFFFFFF
            self._out += self._writer.control(chunks.ACKNOWLEDGEMENT, count.to_bytes(4))

    def _result(self, transaction: float, *values: Value) -> None:
        self._send(_COMMAND_CHUNKS, 0, amf0.encode("_result", transaction, *values))

    def _status(self, level: str, code: str, description: str) -> None:
        status = {"level": level, "code": code, "description": description}
        self._send(_STATUS_CHUNKS, self._publish_stream, amf0.encode("onStatus", 0, None, status))

    def _send(self, chunk_stream_id: int, stream_id: int, payload: bytes) -> None:
        self._out += self._writer.message(chunk_stream_id, Message(chunks.COMMAND, stream_id, 0, payload))


def _parts_of(message: Message) -> Iterator[Message]:
    """Yield ``message``, or the parts of an aggregate.  Raises ProtocolError if it is truncated.

    The times inside an aggregate have any origin; its own time is that of the first part.
    """
    if message.type_id != chunks.AGGREGATE:
        yield message
        return
    first_ms: int | None = None
    for type_id, time_ms, body in flv.tags_of_aggregate(message.payload):
        first_ms = time_ms if first_ms is None else first_ms
        at_ms = message.timestamp_ms + time_ms - first_ms & chunks.TIME_MASK
        yield Message(type_id, message.stream_id, at_ms, body)


def _behind_zero(payload: bytes) -> bytes:
    """Return AMF 0 without the zero byte that precedes it in messages of AMF 3."""
    return payload[1:] if payload[:1] == b"\0" else payload


def _metadata_values(payload: bytes) -> list[Any]:
    if payload[:1] != bytes([amf3.Amf3Marker.STRING]):  # this marker is no string in AMF 0
        return amf0.decode_what_can_be_read(payload)
    reader = ValueReader(payload, max_values=amf0.MAX_METADATA_VALUES)
    decoder = amf3.Amf3Decoder(reader)
    values = []
    with suppress(ProtocolError):
        while not reader.is_at_end:
            values.append(decoder.value())
    return values
