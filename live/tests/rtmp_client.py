"""RTMP client that behaves like OBS: its commands, their order, its chunk size.

``Speech`` builds the bytes without a socket; ``RtmpEncoder`` sends them to a server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Literal, Self

from live.rtmp import amf0, chunks, flv
from live.rtmp.chunks import ChunkReader, ChunkWriter, Message
from live.rtmp.reader import Value
from live.rtmp.session import MediaTag

OBS_CHUNK_BYTES = 4096
CONNECT_CHUNKS, PUBLISH_CHUNKS, MEDIA_CHUNKS = 3, 4, 4
METADATA = {
    "duration": 0.0,
    "fileSize": 0.0,
    "width": 320.0,
    "height": 180.0,
    "videocodecid": "avc1",
    "videodatarate": 2500.0,
    "framerate": 30.0,
    "audiocodecid": "mp4a",
    "audiosamplerate": 48_000.0,
    "audiochannels": 2.0,
    "stereo": True,
    "encoder": "obs-output module (libobs version 30.2.3)",
}
# Sequence headers of x264's 320×180 at 30 fps, baseline, and of AAC-LC at 48 kHz in stereo.
AVC_HEADER = bytes.fromhex(
    "17 00 000000 01 42c00d ffe1 0019 6742c00dd901419f9f0110000003001000000303c0f142a48001 0005 68cb83cb20"
)
AAC_HEADER = bytes.fromhex("af 00 1190")


def picture(size: int = 2000, *, is_keyframe: bool = False) -> bytes:
    """Return a video payload with an H.264 tag header and zeros as data."""
    return bytes([0x17 if is_keyframe else 0x27, 1, 0, 0, 0]) + bytes(size)


def sound(size: int = 300) -> bytes:
    """Return an audio payload with an AAC tag header and zeros as data."""
    return bytes([0xAF, 1]) + bytes(size)


def media_tag(kind: Literal["audio", "video"], timestamp_ms: int, payload: bytes) -> MediaTag:
    """Return the event of a session for this payload of H.264 or AAC."""
    header = flv.media_header(kind, payload)
    assert header is not None
    return MediaTag(kind, timestamp_ms, payload, header)


class Speech:
    """Builder of the bytes that an encoder sends."""

    def __init__(self) -> None:
        self.writer = ChunkWriter()
        self._transaction = 0

    def hello(self) -> bytes:
        """Return C0 and C1 of the simple handshake."""
        return bytes([3]) + bytes(8) + bytes(range(256)) * 5 + bytes(248)

    def hello_answered(self) -> bytes:
        """Return C2, which does not repeat S1, as with many encoders."""
        return bytes(1536)

    def command(self, name: str, *values: Value, stream_id: int = 0) -> bytes:
        self._transaction += 1
        payload = amf0.encode(name, self._transaction, *values)
        chunk_stream = PUBLISH_CHUNKS if stream_id else CONNECT_CHUNKS
        return self.writer.message(chunk_stream, Message(chunks.COMMAND, stream_id, 0, payload))

    def connect(self, app: str = "live", **properties: Value) -> bytes:
        described = {
            "app": app,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; FMSc/1.0)",
            "swfUrl": f"rtmp://127.0.0.1/{app}",
            "tcUrl": f"rtmp://127.0.0.1/{app}",
        }
        return self.writer.set_chunk_bytes(OBS_CHUNK_BYTES) + self.command("connect", described | properties)

    def prepare(self, key: str) -> bytes:
        """Return the commands that OBS sends together after connecting."""
        return (
            self.command("releaseStream", None, key)
            + self.command("FCPublish", None, key)
            + self.command("createStream", None)
        )

    def publish(self, key: str, kind: str = "live") -> bytes:
        return self.command("publish", None, key, kind, stream_id=1)

    def metadata(self, values: Mapping[str, Any] = METADATA) -> bytes:
        payload = amf0.encode("@setDataFrame", "onMetaData", values)
        return self.writer.message(MEDIA_CHUNKS, Message(chunks.DATA, 1, 0, payload))

    def media(self, kind: Literal["audio", "video"], timestamp_ms: int, payload: bytes) -> bytes:
        type_id = chunks.AUDIO if kind == "audio" else chunks.VIDEO
        return self.writer.message(MEDIA_CHUNKS, Message(type_id, 1, timestamp_ms, payload))

    def goodbye(self, key: str) -> bytes:
        return self.command("FCUnpublish", None, key) + self.command("deleteStream", None, 1)

    def whole(self, key: str, *, seconds: int = 1) -> bytes:
        """Return all bytes of a broadcast, for a client that waits for no answers."""
        return b"".join(
            (
                self.hello(), self.hello_answered(), self.connect(), self.prepare(key), self.publish(key),
                self.metadata(), self.some_media(seconds=seconds), self.goodbye(key),
            )
        )  # fmt: skip

    def some_media(self, *, seconds: int, rate: int = 30, picture_bytes: int = 2000) -> bytes:
        sent = [self.media("video", 0, AVC_HEADER), self.media("audio", 0, AAC_HEADER)]
        for number in range(seconds * rate):
            time_ms = number * 1000 // rate
            frame = picture(picture_bytes, is_keyframe=number % rate == 0)
            sent += [self.media("video", time_ms, frame), self.media("audio", time_ms, sound())]
        return b"".join(sent)


class RtmpEncoder:
    """Connection that sends ``Speech`` to a server and waits for answers as OBS does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.speech = Speech()
        self.reader = reader
        self.writer = writer
        self._answers = ChunkReader(max_message_bytes=65_536, max_chunk_streams=8)
        self.window_bytes = 0

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def shake_hands(self) -> None:
        await self.send(self.speech.hello())
        await self.reader.readexactly(1 + 2 * 1536)
        await self.send(self.speech.hello_answered())

    async def connect(self, app: str = "live", **properties: Value) -> list[Any]:
        await self.shake_hands()
        await self.send(self.speech.connect(app, **properties))
        return await self.answer("_result")

    async def publish(self, key: str, *, app: str = "live") -> dict[str, Any]:
        """Connect and ask to publish; return the status that the server answers with."""
        await self.connect(app)
        await self.send(self.speech.prepare(key))
        for _ in range(3):
            await self.answer("_result")
        await self.send(self.speech.publish(key))
        return await self.status()

    async def status(self) -> dict[str, Any]:
        status: dict[str, Any] = (await self.answer("onStatus"))[3]
        return status

    async def answer(self, name: str) -> list[Any]:
        """Return the server's next command, and fail if it is not ``name``."""
        while True:
            message = await self.message()
            if message.type_id == chunks.COMMAND:
                values = amf0.decode(message.payload)
                assert values[0] == name, values
                return values

    async def message(self) -> Message:
        while (message := self._answers.next_message()) is None:
            data = await self.reader.read(65_536)
            if not data:
                raise EOFError("the server closed the connection")
            self._answers.feed(data)
        return message

    async def goodbye(self, key: str) -> None:
        await self.send(self.speech.goodbye(key))

    async def end_of_file(self) -> None:
        """Read and ignore data until the server closes the connection."""
        while await self.reader.read(65_536):
            pass

    async def end_of_file_or_reset(self) -> None:
        """Read and ignore data until the server closes or resets the connection."""
        with contextlib.suppress(ConnectionError):
            await self.end_of_file()
