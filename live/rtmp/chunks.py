"""Chunks, the transport of RTMP messages (RTMP 1.0, 5.3 and 5.4).

A message is split into chunks so that a long one does not delay another; chunks of
several *chunk streams* may alternate.  A chunk header holds only the changes since
the previous one on its chunk stream, in four forms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from live.rtmp.errors import ProtocolError

SET_CHUNK_SIZE = 1
ABORT = 2
ACKNOWLEDGEMENT = 3
USER_CONTROL = 4
WINDOW_SIZE = 5
PEER_BANDWIDTH = 6
AUDIO = 8
VIDEO = 9
DATA_AMF3 = 15
COMMAND_AMF3 = 17
DATA = 18
COMMAND = 20
AGGREGATE = 22

CONTROL_STREAM = 2  # the chunk stream for messages that manage the connection
INITIAL_CHUNK_BYTES = 128
# The first bit must be zero (5.4.1).  A large size costs nothing: no chunk is longer than its message.
MAX_CHUNK_BYTES = 0x7FFFFFFF

_WHOLE, _SAME_STREAM, _SAME_LENGTH, _NOTHING = range(4)
_HEADER_BYTES = (11, 7, 3, 0)
_EXTENDED = 0xFFFFFF  # the time follows the header in 32 bits
TIME_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Message:
    type_id: int
    stream_id: int
    timestamp_ms: int
    payload: bytes


class _ChunkStream:
    """State of a chunk stream: the values that the next header may omit, and the incomplete message."""

    __slots__ = ("delta", "is_arriving", "length", "payload", "stream_id", "timestamp_ms", "type_id")

    def __init__(self) -> None:
        self.timestamp_ms = self.delta = self.length = self.type_id = self.stream_id = 0
        self.is_arriving = False
        self.payload = bytearray()


class ChunkReader:
    """Reader that turns bytes into messages; it applies set chunk size and abort itself.

    Memory depends on received bytes, never on declared sizes: incomplete messages
    together stay below ``max_message_bytes``, which the session raises once it
    has admitted the publisher.
    """

    def __init__(self, *, max_message_bytes: int, max_chunk_streams: int) -> None:
        self.max_message_bytes = max_message_bytes
        self._max_chunk_streams = max_chunk_streams
        self._chunk_bytes = INITIAL_CHUNK_BYTES
        self._streams: dict[int, _ChunkStream] = {}
        self._buffer = bytearray()
        self._at = 0
        self._current: _ChunkStream | None = None  # of the incomplete chunk
        self._chunk_left = 0
        self._unfinished_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Return the bytes kept for incomplete messages."""
        return len(self._buffer) + self._unfinished_bytes

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_message(self) -> Message | None:
        """Return the next complete message, None until more bytes are fed."""
        while (stream := self._current or self._begin_chunk()) is not None:
            if not self._take_payload(stream):
                break
            if len(stream.payload) == stream.length:
                payload = bytes(stream.payload)
                self._forget_payload(stream)
                message = Message(stream.type_id, stream.stream_id, stream.timestamp_ms, payload)
                if not self._apply_control(message):
                    return message
        del self._buffer[: self._at]
        self._at = 0
        return None

    def _begin_chunk(self) -> _ChunkStream | None:
        """Read a whole chunk header; return None, and read nothing, if it is incomplete."""
        buffer, at = self._buffer, self._at
        if at >= len(buffer):
            return None
        form, chunk_stream_id = buffer[at] >> 6, buffer[at] & 0x3F
        at += 1
        if chunk_stream_id < 2:  # the id follows in one or two bytes
            end = at + 1 + chunk_stream_id
            if end > len(buffer):
                return None
            chunk_stream_id = 64 + int.from_bytes(buffer[at:end], "little")
            at = end
        end = at + _HEADER_BYTES[form]
        if end > len(buffer):
            return None
        stream = self._chunk_stream(chunk_stream_id, form)
        time = int.from_bytes(buffer[at : at + 3]) if form != _NOTHING else min(stream.delta, _EXTENDED)
        if time == _EXTENDED:
            if end + 4 > len(buffer):
                return None
            time = int.from_bytes(buffer[end : end + 4])
            if form != _NOTHING or time == stream.delta:
                end += 4
            else:  # some encoders omit it in chunks without a header
                time = stream.delta
        self._read_header(stream, form, buffer[at : at + _HEADER_BYTES[form]], time)
        self._at = end
        return stream

    def _chunk_stream(self, chunk_stream_id: int, form: int) -> _ChunkStream:
        stream = self._streams.get(chunk_stream_id)
        if stream is not None:
            return stream
        # librtmp opens a chunk stream with _SAME_STREAM, meaning message stream 0.
        if form in (_SAME_LENGTH, _NOTHING):
            raise ProtocolError("header_refers_to_nothing")
        if len(self._streams) >= self._max_chunk_streams:
            raise ProtocolError("too_many_chunk_streams")
        return self._streams.setdefault(chunk_stream_id, _ChunkStream())

    def _read_header(self, stream: _ChunkStream, form: int, header: bytearray, time: int) -> None:
        if not stream.is_arriving:
            if form <= _SAME_STREAM:
                stream.length, stream.type_id = int.from_bytes(header[3:6]), header[6]
            if form == _WHOLE:
                stream.stream_id = int.from_bytes(header[7:11], "little")
                stream.timestamp_ms = 0
            if stream.length > self.max_message_bytes:
                raise ProtocolError("message_too_large")
            # A message that begins with a header-less chunk repeats the last time step, which
            # after a full header is the time itself (5.3.1.2.4).
            stream.delta = time
            stream.timestamp_ms = (stream.timestamp_ms + time) & TIME_MASK
            stream.is_arriving = True
        elif form != _NOTHING:
            raise ProtocolError("message_interrupted")
        self._current = stream
        self._chunk_left = min(self._chunk_bytes, stream.length - len(stream.payload))

    def _take_payload(self, stream: _ChunkStream) -> bool:
        """Move received bytes of the current chunk; return whether the chunk is complete."""
        taken = self._buffer[self._at : self._at + self._chunk_left]
        stream.payload += taken
        self._at += len(taken)
        self._chunk_left -= len(taken)
        self._unfinished_bytes += len(taken)
        if self._unfinished_bytes > self.max_message_bytes:
            raise ProtocolError("too_much_unfinished")
        if self._chunk_left:
            return False
        self._current = None
        return True

    def _forget_payload(self, stream: _ChunkStream) -> None:
        self._unfinished_bytes -= len(stream.payload)
        stream.payload = bytearray()
        stream.is_arriving = False

    def _apply_control(self, message: Message) -> bool:
        """Apply ``message`` if it is for the reader itself; return whether it was."""
        if message.type_id == SET_CHUNK_SIZE:
            size = int.from_bytes(message.payload[:4])
            if not 1 <= size <= MAX_CHUNK_BYTES:
                raise ProtocolError("bad_chunk_size")
            self._chunk_bytes = size
            return True
        if message.type_id == ABORT:
            stream = self._streams.get(int.from_bytes(message.payload[:4]))
            if stream is not None:
                self._forget_payload(stream)
            return True
        return False


class ChunkWriter:
    """Writer that turns messages into bytes, with the shortest header that its chunk stream allows."""

    def __init__(self) -> None:
        self.chunk_bytes = INITIAL_CHUNK_BYTES
        self._last: dict[int, Message] = {}
        self._last_time: dict[int, int] = {}  # of the last header: a time or a step

    def message(self, chunk_stream_id: int, message: Message) -> bytes:
        return b"".join(self.chunks(chunk_stream_id, message))

    def control(self, type_id: int, payload: bytes) -> bytes:
        """Return a message that manages the connection."""
        return self.message(CONTROL_STREAM, Message(type_id, 0, 0, payload))

    def set_chunk_bytes(self, size: int) -> bytes:
        """Set the chunk size from now on; return the message that declares it."""
        message = self.control(SET_CHUNK_SIZE, size.to_bytes(4))
        self.chunk_bytes = size
        return message

    def chunks(self, chunk_stream_id: int, message: Message) -> Iterator[bytes]:
        """Yield the chunks of ``message``; chunks of other chunk streams may go between them."""
        form, time = self._form(chunk_stream_id, message)
        self._last[chunk_stream_id], self._last_time[chunk_stream_id] = message, time
        extension = time.to_bytes(4) if time >= _EXTENDED else b""
        size, payload = self.chunk_bytes, message.payload
        yield b"".join(
            (_basic_header(form, chunk_stream_id), _header(form, time, message), extension, payload[:size])
        )
        # FFmpeg and librtmp repeat the extension in every chunk, and so do we.
        further = _basic_header(_NOTHING, chunk_stream_id) + extension
        for start in range(size, len(payload), size):
            yield further + payload[start : start + size]

    def _form(self, chunk_stream_id: int, message: Message) -> tuple[int, int]:
        last = self._last.get(chunk_stream_id)
        if last is None or last.stream_id != message.stream_id or last.timestamp_ms > message.timestamp_ms:
            return _WHOLE, message.timestamp_ms
        step = message.timestamp_ms - last.timestamp_ms
        if last.type_id != message.type_id or len(last.payload) != len(message.payload):
            return _SAME_STREAM, step
        return (_NOTHING if step == self._last_time[chunk_stream_id] else _SAME_LENGTH), step


def _basic_header(form: int, chunk_stream_id: int) -> bytes:
    if chunk_stream_id < 64:
        return bytes([form << 6 | chunk_stream_id])
    if chunk_stream_id < 64 + 256:
        return bytes([form << 6, chunk_stream_id - 64])
    return bytes([form << 6 | 1]) + (chunk_stream_id - 64).to_bytes(2, "little")


def _header(form: int, time: int, message: Message) -> bytes:
    whole = (
        min(time, _EXTENDED).to_bytes(3)
        + len(message.payload).to_bytes(3)
        + bytes([message.type_id])
        + message.stream_id.to_bytes(4, "little")
    )
    return whole[: _HEADER_BYTES[form]]
