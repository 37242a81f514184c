"""Bounds-checked reading of the bytes of a message."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from live.rtmp.errors import ProtocolError

Value: TypeAlias = "float | bool | str | Mapping[str, Value] | Sequence[Value] | None"

MAX_DEPTH = 8

_double = struct.Struct(">d")


class ByteReader:
    """Cursor over ``data``; reading beyond its end raises ProtocolError with the code ``incomplete``."""

    def __init__(self, data: bytes, *, incomplete: str) -> None:
        self._data = data
        self._at = 0
        self._incomplete = incomplete

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise ProtocolError(self._incomplete)
        self._at += size
        return taken

    def skip(self, expected: bytes) -> bool:
        """Skip ``expected`` if it comes next, and return whether it did."""
        is_next = self._data.startswith(expected, self._at)
        self._at += len(expected) * is_next
        return is_next

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def double(self) -> float:
        number: float = _double.unpack(self.take(8))[0]
        return number

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


class ValueReader(ByteReader):
    """Reader of AMF values, which counts those of both versions together."""

    def __init__(self, data: bytes, *, max_values: int) -> None:
        super().__init__(data, incomplete="amf_incomplete")
        self._values_left = max_values

    def begin_value(self, *, depth: int = 0) -> None:
        """Count one value or name.  Raises ProtocolError for the first beyond ``max_values`` or MAX_DEPTH."""
        self._values_left -= 1
        if self._values_left < 0 or depth > MAX_DEPTH:
            raise ProtocolError("amf_too_complex")
