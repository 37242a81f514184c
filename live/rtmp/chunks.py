"""Messages in chunks (RTMP 1.0, 5.3 and 5.4).

A message is cut into chunks so that a long one does not hold up another; chunks of
several *chunk streams* may alternate.  Each chunk's header says only what changed
since the one before it on its chunk stream, in four forms.
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

CONTROL_STREAM = 2  # the chunk stream of the messages that manage the connection
# Every peer begins with this size; nobody announces less, and smaller chunks only cost time.
INITIAL_CHUNK_BYTES = 128

_WHOLE, _SAME_STREAM, _SAME_LENGTH, _NOTHING = range(4)
_HEADER_BYTES = (11, 7, 3, 0)
_EXTENDED = 0xFFFFFF  # says that the time follows the header in 32 bits
_TIME_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Message:
    type_id: int
    stream_id: int
    timestamp_ms: int
    payload: bytes


class _ChunkStream:
    """What the next header on a chunk stream leaves out, and the message that is arriving on it."""

    __slots__ = ("delta", "is_arriving", "length", "payload", "stream_id", "timestamp_ms", "type_id")

    def __init__(self) -> None:
        self.timestamp_ms = self.delta = self.length = self.type_id = self.stream_id = 0
        self.is_arriving = False
        self.payload = bytearray()


class ChunkReader:
    """Bytes to messages; set chunk size and abort are obeyed here and not passed on.

    Memory follows what has arrived, never what is declared: unfinished messages
    together stay below ``max_message_bytes``, which the session raises once it
    knows whom it reads from.
    """

    def __init__(self, *, max_message_bytes: int, max_chunk_bytes: int, max_chunk_streams: int) -> None:
        self.max_message_bytes = max_message_bytes
        self._max_chunk_bytes = max_chunk_bytes
        self._max_chunk_streams = max_chunk_streams
        self._chunk_bytes = INITIAL_CHUNK_BYTES
        self._streams: dict[int, _ChunkStream] = {}
        self._buffer = bytearray()
        self._at = 0
        self._current: _ChunkStream | None = None  # whose chunk is arriving
        self._chunk_left = 0
        self._unfinished_bytes = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next complete message; None until more bytes are fed."""
        while (stream := self._current or self._begin_chunk()) is not None:
            if not self._take_payload(stream):
                break
            if len(stream.payload) == stream.length:
                message = self._complete(stream)
                if not self._obey(message):
                    return message
        del self._buffer[: self._at]
        self._at = 0
        return None

    def _begin_chunk(self) -> _ChunkStream | None:
        """Read a whole chunk header; None, with nothing read, if some of it has yet to arrive."""
        buffer, at = self._buffer, self._at
        if at >= len(buffer):
            return None
        form, chunk_stream_id = buffer[at] >> 6, buffer[at] & 0x3F
        at += 1
        if chunk_stream_id < 2:  # the id follows, in one byte or in two
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
            else:  # some encoders do not repeat it in chunks without a header
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
            # A chunk without a header that opens a message repeats the last step, which
            # after a whole header is the time itself (5.3.1.2.4).
            stream.delta = time
            stream.timestamp_ms = (stream.timestamp_ms + time) & _TIME_MASK
            stream.is_arriving = True
        elif form != _NOTHING:
            raise ProtocolError("message_interrupted")
        self._current = stream
        self._chunk_left = min(self._chunk_bytes, stream.length - len(stream.payload))

    def _take_payload(self, stream: _ChunkStream) -> bool:
        """Move what has arrived of the current chunk; whether that was all of the chunk."""
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

    def _complete(self, stream: _ChunkStream) -> Message:
        message = Message(stream.type_id, stream.stream_id, stream.timestamp_ms, bytes(stream.payload))
        self._forget_payload(stream)
        return message

    def _forget_payload(self, stream: _ChunkStream) -> None:
        self._unfinished_bytes -= len(stream.payload)
        stream.payload = bytearray()
        stream.is_arriving = False

    def _obey(self, message: Message) -> bool:
        """Whether ``message`` was for the reader itself."""
        if message.type_id == SET_CHUNK_SIZE:
            size = int.from_bytes(message.payload[:4])
            if not INITIAL_CHUNK_BYTES <= size <= self._max_chunk_bytes:
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
    """Messages to bytes, each header as short as the one before it on its chunk stream allows."""

    def __init__(self) -> None:
        self.chunk_bytes = INITIAL_CHUNK_BYTES
        self._last: dict[int, Message] = {}
        self._last_time: dict[int, int] = {}  # as the last header had it: a time or a step

    def message(self, chunk_stream_id: int, message: Message) -> bytes:
        return b"".join(self.chunks(chunk_stream_id, message))

    def control(self, type_id: int, payload: bytes) -> bytes:
        """One of the messages that manage the connection."""
        return self.message(CONTROL_STREAM, Message(type_id, 0, 0, payload))

    def set_chunk_bytes(self, size: int) -> bytes:
        """Announce the size that chunks have from now on."""
        announced = self.control(SET_CHUNK_SIZE, size.to_bytes(4))
        self.chunk_bytes = size
        return announced

    def chunks(self, chunk_stream_id: int, message: Message) -> Iterator[bytes]:
        """The chunks of ``message``, between which those of other chunk streams may go."""
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
