"""Action Message Format 0, in which commands and metadata are written (Adobe's AMF 0 specification)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from live.rtmp.errors import ProtocolError

Value: TypeAlias = "float | bool | str | Mapping[str, Value] | Sequence[Value] | None"

MAX_DEPTH = 8
MAX_VALUES = 1000  # in one message; OBS sends twenty

_double = struct.Struct(">d")


class Marker(IntEnum):
    """The byte before a value."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2
    OBJECT = 3
    NULL = 5
    UNDEFINED = 6
    ECMA_ARRAY = 8
    OBJECT_END = 9
    STRICT_ARRAY = 10
    DATE = 11
    LONG_STRING = 12
    UNSUPPORTED = 13
    XML = 15
    TYPED_OBJECT = 16


_END = bytes([0, 0, Marker.OBJECT_END])


def decode(data: bytes) -> list[Value]:
    """Every value in ``data``.  Raises ProtocolError on anything incomplete, unknown or excessive."""
    decoder = _Decoder(data)
    values = []
    while not decoder.is_at_end:
        values.append(decoder.value(depth=0))
    return values


def encode(*values: Value) -> bytes:
    return b"".join(map(_encoded, values))


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._values = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    def value(self, *, depth: int) -> Value:
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise ProtocolError("amf_too_complex")
        marker = self._integer(1)
        match marker:
            case Marker.NUMBER:
                number: float = _double.unpack(self._take(8))[0]
                return number
            case Marker.BOOLEAN:
                return self._integer(1) != 0
            case Marker.STRING:
                return self._text(2)
            case Marker.LONG_STRING | Marker.XML:
                return self._text(4)
            case Marker.NULL | Marker.UNDEFINED | Marker.UNSUPPORTED:
                return None
        return self._composed(marker, depth + 1)

    def _composed(self, marker: int, depth: int) -> Value:
        match marker:
            case Marker.OBJECT:
                return self._properties(depth)
            case Marker.ECMA_ARRAY:
                self._take(4)  # the count, which encoders get wrong; an end marker follows
                return self._properties(depth)
            case Marker.TYPED_OBJECT:
                self._text(2)  # the name of its class
                return self._properties(depth)
            case Marker.STRICT_ARRAY:
                return [self.value(depth=depth) for _ in range(self._integer(4))]
            case Marker.DATE:
                number: float = _double.unpack(self._take(8))[0]
                self._take(2)  # a time zone, which is to be zero
                return number
        raise ProtocolError("amf_unknown_type")

    def _properties(self, depth: int) -> dict[str, Value]:
        properties: dict[str, Value] = {}
        while True:
            name = self._text(2)
            if not name and self._data[self._at : self._at + 1] == _END[2:]:
                self._at += 1
                return properties
            properties[name] = self.value(depth=depth)

    def _text(self, length_bytes: int) -> str:
        return self._take(self._integer(length_bytes)).decode(errors="replace")

    def _integer(self, size: int) -> int:
        return int.from_bytes(self._take(size))

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise ProtocolError("amf_incomplete")
        self._at += size
        return taken


def _encoded(value: Value) -> bytes:
    if value is None:
        return bytes([Marker.NULL])
    if isinstance(value, bool):
        return bytes([Marker.BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([Marker.NUMBER]) + _double.pack(value)
    if isinstance(value, str):
        return _encoded_text(value)
    if isinstance(value, Mapping):
        properties = b"".join(_name(name) + _encoded(item) for name, item in value.items())
        return bytes([Marker.OBJECT]) + properties + _END
    return bytes([Marker.STRICT_ARRAY]) + len(value).to_bytes(4) + b"".join(map(_encoded, value))


def _encoded_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 0xFFFF:
        return bytes([Marker.LONG_STRING]) + len(raw).to_bytes(4) + raw
    return bytes([Marker.STRING]) + len(raw).to_bytes(2) + raw


def _name(name: str) -> bytes:
    raw = name.encode()
    return len(raw).to_bytes(2) + raw
