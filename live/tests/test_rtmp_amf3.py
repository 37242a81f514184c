"""The decoder of AMF 3."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp.amf3 import Amf3Decoder
from live.rtmp.errors import ProtocolError
from live.rtmp.reader import MAX_DEPTH, Value, ValueReader


def decoder(data: str, *, max_values: int = 100) -> Amf3Decoder:
    """Return a decoder of bytes in hexadecimal."""
    return Amf3Decoder(ValueReader(bytes.fromhex(data), max_values=max_values))


def text(said: str) -> str:
    """Return a string without its marker, in hexadecimal."""
    return f"{len(said) << 1 | 1:02x}{said.encode().hex()}"


def failure(data: str, *, max_values: int = 100) -> str:
    """Return the code of the error that these bytes cause."""
    with pytest.raises(ProtocolError) as refused:
        decoder(data, max_values=max_values).value()
    return refused.value.code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", None),
        ("01", None),
        ("02", False),
        ("03", True),
        ("04 00", 0.0),
        ("04 7f", 127.0),
        ("04 81 00", 128.0),
        ("04 ff 7f", 16_383.0),
        ("04 80 c0 80 00", 2_097_152.0),
        ("04 bf ff ff ff", 268_435_455.0),
        ("04 ff ff ff ff", -1.0),
        ("04 c0 80 80 00", -268_435_456.0),
        ("05 3ff8000000000000", 1.5),
        (f"06 {text('obs')}", "obs"),
        ("06 01", ""),
        ("06 03 ff", "\ufffd"),
        ("08 01 4079000000000000", 400.0),
        ("08 02", None),
        (f"07 {text('<a/>')}", "<a/>"),
        (f"0b {text('<b/>')}", "<b/>"),
        ("0c 05 6162", "ab"),
        ("0c 02", None),
        ("09 00", None),
        ("0a 00", None),
    ],
)
def test_value_is_decoded(data: str, value: Value) -> None:
    assert decoder(data).value() == value


def test_array_is_a_list_or_a_mapping() -> None:
    listed = f"09 05 01 04 01 06 {text('a')}"
    named = f"09 03 {text('width')} 04 05 01 03"

    assert decoder(listed).value() == [1.0, "a"]
    assert decoder(named).value() == {"width": 5.0}
    assert decoder("09 01 01").value() == []


def test_object_has_the_names_of_its_class_and_dynamic_ones() -> None:
    sealed = f"0a 23 {text('Size')} {text('w')} {text('h')} 04 02 04 03"
    dynamic = f"0a 0b 01 {text('fps')} 04 1e 01"
    both = f"0a 1b 01 {text('w')} 04 02 {text('h')} 04 03 01"

    assert decoder(sealed).value() == {"w": 2.0, "h": 3.0}
    assert decoder(dynamic).value() == {"fps": 30.0}
    assert decoder(both).value() == {"w": 2.0, "h": 3.0}


def test_traits_and_strings_are_referred_to_by_index() -> None:
    values = decoder(f"0a 13 {text('Size')} {text('w')} 04 02 0a 01 04 07 06 02 06 00")

    assert values.value() == {"w": 2.0}
    assert values.value() == {"w": 7.0}
    assert [values.value(), values.value()] == ["w", "Size"]


def test_empty_string_has_no_index() -> None:
    values = decoder(f"06 01 06 {text('a')} 06 00")

    assert [values.value() for _ in range(3)] == ["", "a", "a"]


@pytest.mark.parametrize(
    "data",
    ["0d", "ff", "06 02", "0a 05", "0a 07"],
    ids=["vector", "unknown", "unknown string", "unknown traits", "externalizable"],
)
def test_value_of_an_unknown_format_is_refused(data: str) -> None:
    assert failure(data) == "amf_unknown_type"


@pytest.mark.parametrize(
    "data", ["", "04", "04 80", "05 00", "06 05 61", "09 03 01", f"0a 0b 01 {text('a')}"]
)
def test_value_that_is_cut_is_refused(data: str) -> None:
    assert failure(data) == "amf_incomplete"


def test_depth_and_number_of_values_are_bounded() -> None:
    nested = "09 03 01" * (MAX_DEPTH + 1) + "01"

    assert failure(nested) == failure("09 0b 01" + "01" * 5, max_values=5) != "amf_incomplete"
    assert decoder("09 0b 01" + "01" * 5, max_values=6).value() == [None] * 5


def test_names_of_a_class_count_as_values() -> None:
    many = f"0a {0x80 | 50 >> 3:02x} {(50 & 7) << 4 | 3:02x} 01" + text("n") * 50

    assert failure(many, max_values=20) != "amf_incomplete"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_value_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Amf3Decoder(ValueReader(data, max_values=20)).value()
