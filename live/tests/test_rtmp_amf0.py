import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import amf0
from live.rtmp.errors import ProtocolError
from live.rtmp.reader import MAX_DEPTH

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
simple = st.none() | st.booleans() | st.floats(allow_nan=False) | text
values: Any = st.recursive(
    simple,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(st.lists(values.filter(lambda value: depth(value) <= MAX_DEPTH), max_size=4))
def test_encoded_values_are_decoded_unchanged(written: list[Any]) -> None:
    assert amf0.decode(amf0.encode(*written)) == written


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        amf0.decode(data)


def test_command_is_encoded_as_in_the_specification() -> None:
    written = amf0.encode("connect", 1, {"app": "live", "fpad": False}, None)

    assert written.hex(" ") == (
        "02 00 07 63 6f 6e 6e 65 63 74 00 3f f0 00 00 00 00 00 00 "
        "03 00 03 61 70 70 02 00 04 6c 69 76 65 00 04 66 70 61 64 01 00 00 00 09 05"
    )


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("08 00000000 0001 61 00 4000000000000000 000009", {"a": 2.0}),  # an ECMA array, miscounted
        ("10 0003 466f6f 0001 61 05 000009", {"a": None}),  # an object with a class
        ("0b 4059000000000000 0000", 100.0),  # a date
        ("06", None),
        ("0d", None),
        ("0f 00000003 3c612f", "<a/"),
        ("0c 00000001 61", "a"),
        ("02 0001 ff", "\ufffd"),  # not UTF-8
    ],
)
def test_types_sent_only_by_encoders_are_read(data: str, value: Any) -> None:
    assert amf0.decode(bytes.fromhex(data)) == [value]


def test_text_above_64_kilobytes_is_a_long_string() -> None:
    assert amf0.decode(amf0.encode("x" * 70_000)) == ["x" * 70_000]


def test_nesting_is_bounded() -> None:
    assert failure(b"\x0a\x00\x00\x00\x01" * 5000 + b"\x05") == "amf_too_complex"


def test_number_of_values_is_bounded() -> None:
    assert failure(b"\x05" * (amf0.MAX_VALUES + 1)) == "amf_too_complex"
    assert failure(b"\x0a\xff\xff\xff\xff" + b"\x05" * (amf0.MAX_VALUES + 1)) == "amf_too_complex"


def test_array_shorter_than_its_declared_length_is_refused() -> None:
    assert failure(b"\x0a\xff\xff\xff\xff\x05") == "amf_incomplete"


def test_reference_is_read_as_none() -> None:
    assert amf0.decode(bytes.fromhex("07 0001 05")) == [None, None]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", None), ("01", None), ("02", False), ("03", True),
        ("04 05", 5.0), ("04 81 00", 128.0), ("04 ff ff ff ff", -1.0),
        ("05 4000000000000000", 2.0),
        ("06 07 616263", "abc"), ("06 01", ""),
        ("08 01 4000000000000000", 2.0), ("0c 05 6162", "ab"),
        ("09 05 01 04 01 04 02", [1.0, 2.0]),
        # An array with names, like metadata; the second name refers to the first value.
        ("09 01 03 61 06 03 62 02 04 07 01", {"a": "b", "b": 7.0}),
        # An object of a class with one sealed and one dynamic member.
        ("0a 1b 01 03 61 03 03 62 02 01", {"a": True, "b": False}),
    ],
)  # fmt: skip
def test_value_of_amf_3_is_read(data: str, value: Any) -> None:
    assert amf0.decode(bytes.fromhex("11" + data)) == [value]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("11", "amf_incomplete"),
        ("11 06 07 61", "amf_incomplete"),
        ("11 06 02", "amf_unknown_type"),  # a reference to a missing string
        ("11 0a 05", "amf_unknown_type"),  # a reference to a missing class
        ("11 0a 07", "amf_unknown_type"),  # externalizable: only its class can read it
        ("11 11", "amf_unknown_type"),
        ("11" + "09 03 01" * 20, "amf_too_complex"),
        ("11 09 87 a1 01 01" + "01" * 2000, "amf_too_complex"),
    ],
)
def test_unreadable_amf_3_is_refused(data: str, code: str) -> None:
    assert failure(bytes.fromhex(data)) == code


def test_readable_values_before_damage_are_returned() -> None:
    whole = amf0.encode("onMetaData", {"width": 320.0, "inner": {"a": 1.0}})
    read = amf0.decode_what_can_be_read

    assert read(whole[:-3]) == ["onMetaData", {"width": 320.0, "inner": {"a": 1.0}}]
    assert read(whole[:-8]) == ["onMetaData", {"width": 320.0, "inner": {}}]
    assert read(whole + b"\x99") == ["onMetaData", {"width": 320.0, "inner": {"a": 1.0}}]
    assert read(b"") == []


def failure(data: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        amf0.decode(data)
    return caught.value.code
