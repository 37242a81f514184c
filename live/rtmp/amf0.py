"""Action Message Format 0, the encoding of commands and metadata (Adobe's AMF 0 specification)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from enum import IntEnum

from live.rtmp import amf3
from live.rtmp.errors import ProtocolError
from live.rtmp.reader import Value, ValueReader

MAX_VALUES = 1000  # in one message; OBS sends twenty
MAX_METADATA_VALUES = 10_000

_double = struct.Struct(">d")


class Amf0Marker(IntEnum):
    """Type marker, the byte before a value."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2
    OBJECT = 3
    NULL = 5
    UNDEFINED = 6
    REFERENCE = 7
    ECMA_ARRAY = 8
    OBJECT_END = 9
    STRICT_ARRAY = 10
    DATE = 11
    LONG_STRING = 12
    UNSUPPORTED = 13
    XML = 15
    TYPED_OBJECT = 16
    AMF3 = 17  # one value in AMF 3 follows


_END = bytes([0, 0, Amf0Marker.OBJECT_END])


def decode(data: bytes) -> list[Value]:
    """Return every value in ``data``.  Raises ProtocolError for incomplete, unknown or excessive data."""
    decoder = _Decoder(data, MAX_VALUES)
    values = []
    while not decoder.is_at_end:
        values.append(decoder.value(depth=0))
    return values


def decode_what_can_be_read(data: bytes) -> list[Value]:
    """Return the values in ``data`` up to the first broken one, and the readable part of that.

    Metadata may lack an end marker or have bytes after it, and no broadcast depends on it.
    """
    decoder = _Decoder(data, MAX_METADATA_VALUES, is_lenient=True)
    values: list[Value] = []
    with suppress(ProtocolError):
        while not (decoder.is_at_end or decoder.is_broken):
            values.append(decoder.value(depth=0))
    return values


def encode(*values: Value) -> bytes:
    return b"".join(map(_encoded, values))


class _Decoder:
    def __init__(self, data: bytes, max_values: int, *, is_lenient: bool = False) -> None:
        self.is_broken = False  # the last value is incomplete
        self._reader = ValueReader(data, max_values=max_values)
        self._is_lenient = is_lenient

    @property
    def is_at_end(self) -> bool:
        return self._reader.is_at_end

    def value(self, *, depth: int) -> Value:
        self._reader.begin_value(depth=depth)
        marker = self._reader.integer(1)
        match marker:
            case Amf0Marker.NUMBER:
                return self._reader.double()
            case Amf0Marker.BOOLEAN:
                return self._reader.integer(1) != 0
            case Amf0Marker.STRING:
                return self._text(2)
            case Amf0Marker.LONG_STRING | Amf0Marker.XML:
                return self._text(4)
            case Amf0Marker.NULL | Amf0Marker.UNDEFINED | Amf0Marker.UNSUPPORTED:
                return None
        return self._composed(marker, depth + 1)

    def _composed(self, marker: int, depth: int) -> Value:
        match marker:
            case Amf0Marker.OBJECT:
                return self._properties(depth)
            case Amf0Marker.ECMA_ARRAY:
                self._reader.take(4)  # the count, which encoders get wrong; an end marker follows
                return self._properties(depth)
            case Amf0Marker.TYPED_OBJECT:
                self._text(2)  # its class name
                return self._properties(depth)
            case Amf0Marker.STRICT_ARRAY:
                return [self.value(depth=depth) for _ in range(self._reader.integer(4))]
            case Amf0Marker.DATE:
                number = self._reader.double()
                self._reader.take(2)  # a time zone, always zero by the specification
                return number
            case Amf0Marker.REFERENCE:
                self._reader.take(2)  # the index of a repeated object; we use none
                return None
            case Amf0Marker.AMF3:
                return amf3.Amf3Decoder(self._reader).value()
        raise ProtocolError("amf_unknown_type")

    def _properties(self, depth: int) -> dict[str, Value]:
        properties: dict[str, Value] = {}
        try:
            while True:
                name = self._text(2)
                if not name and self._reader.skip(_END[2:]):
                    return properties
                properties[name] = self.value(depth=depth)
                if self.is_broken:
                    return properties
        except ProtocolError:
            if not self._is_lenient:
                raise
            self.is_broken = True
            return properties

    def _text(self, length_bytes: int) -> str:
        return self._reader.take(self._reader.integer(length_bytes)).decode(errors="replace")


def _encoded(value: Value) -> bytes:
    if value is None:
        return bytes([Amf0Marker.NULL])
    if isinstance(value, bool):
        return bytes([Amf0Marker.BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([Amf0Marker.NUMBER]) + _double.pack(value)
    if isinstance(value, str):
        text = value.encode()
        is_long = len(text) > 0xFFFF
        marker = Amf0Marker.LONG_STRING if is_long else Amf0Marker.STRING
        return bytes([marker]) + len(text).to_bytes(4 if is_long else 2) + text
    if isinstance(value, Mapping):
        named = ((name.encode(), _encoded(item)) for name, item in value.items())
        properties = b"".join(len(name).to_bytes(2) + name + item for name, item in named)
        return bytes([Amf0Marker.OBJECT]) + properties + _END
    return bytes([Amf0Marker.STRICT_ARRAY]) + len(value).to_bytes(4) + b"".join(map(_encoded, value))
