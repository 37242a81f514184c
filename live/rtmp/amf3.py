"""Action Message Format 3 (Adobe's AMF 3 specification), which some encoders use for metadata.

Repeated objects decode to None, because no field that we use is one.  Names repeat
constantly, so strings are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from live.rtmp.errors import ProtocolError
from live.rtmp.reader import Value, ValueReader


class Amf3Marker(IntEnum):
    """Type marker, the byte before a value."""

    UNDEFINED = 0
    NULL = 1
    FALSE = 2
    TRUE = 3
    INTEGER = 4
    DOUBLE = 5
    STRING = 6
    XML_DOCUMENT = 7
    DATE = 8
    ARRAY = 9
    OBJECT = 10
    XML = 11
    BYTE_ARRAY = 12


_CONSTANTS: Mapping[int, Value] = {
    Amf3Marker.UNDEFINED: None,
    Amf3Marker.NULL: None,
    Amf3Marker.FALSE: False,
    Amf3Marker.TRUE: True,
}


@dataclass(frozen=True, slots=True)
class _Traits:
    names: tuple[str, ...]
    is_dynamic: bool


class Amf3Decoder:
    """Decoder of consecutive values, from where ``reader`` stands."""

    def __init__(self, reader: ValueReader) -> None:
        self._reader = reader
        self._strings: list[str] = []
        self._traits: list[_Traits] = []

    def value(self, *, depth: int = 0) -> Value:
        """Return the next value.  Raises ProtocolError for incomplete, unknown or excessive data."""
        self._reader.begin_value(depth=depth)
        marker = self._reader.integer(1)
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        match marker:
            case Amf3Marker.INTEGER:
                number = self._number()
                return float(number - (1 << 29) if number >> 28 else number)
            case Amf3Marker.DOUBLE:
                return self._reader.double()
            case Amf3Marker.STRING:
                return self._text()
        return self._composed(marker, depth + 1)

    def _composed(self, marker: int, depth: int) -> Value:
        match marker:
            case Amf3Marker.ARRAY:
                return self._array(depth)
            case Amf3Marker.OBJECT:
                return self._object(depth)
            case Amf3Marker.DATE:
                return self._reader.double() if self._number() & 1 else None
            case Amf3Marker.XML_DOCUMENT | Amf3Marker.XML | Amf3Marker.BYTE_ARRAY:
                header = self._number()
                return self._reader.take(header >> 1).decode(errors="replace") if header & 1 else None
        raise ProtocolError("amf_unknown_type")

    def _array(self, depth: int) -> Value:
        """Return a list, or a mapping if the array has names, as in metadata."""
        header = self._number()
        if not header & 1:
            return None
        named: dict[str, Value] = {}
        while name := self._text():
            named[name] = self.value(depth=depth)
        listed = [self.value(depth=depth) for _ in range(header >> 1)]
        return named or listed

    def _object(self, depth: int) -> Value:
        header = self._number()
        if not header & 1:
            return None
        traits = self._traits_of(header)
        properties: dict[str, Value] = {name: self.value(depth=depth) for name in traits.names}
        if traits.is_dynamic:
            while name := self._text():
                properties[name] = self.value(depth=depth)
        return properties

    def _traits_of(self, header: int) -> _Traits:
        if not header & 2:
            index = header >> 2
            if index >= len(self._traits):
                raise ProtocolError("amf_unknown_type")
            return self._traits[index]
        if header & 4:  # externalizable: only its class knows the format
            raise ProtocolError("amf_unknown_type")
        self._text()  # its class name
        names = []
        for _ in range(header >> 4):
            self._reader.begin_value()
            names.append(self._text())
        traits = _Traits(tuple(names), is_dynamic=bool(header & 8))
        self._traits.append(traits)
        return traits

    def _text(self) -> str:
        header = self._number()
        if not header & 1:
            index = header >> 1
            if index >= len(self._strings):
                raise ProtocolError("amf_unknown_type")
            return self._strings[index]
        text = self._reader.take(header >> 1).decode(errors="replace")
        if text:  # the empty string is never referred to by index
            self._strings.append(text)
        return text

    def _number(self) -> int:
        """Return an integer of 29 bits from one to four bytes (1.3.1)."""
        number = 0
        for _ in range(3):
            byte = self._reader.integer(1)
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                return number
        return number << 8 | self._reader.integer(1)
