import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import amf0
from live.rtmp.errors import ProtocolError

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


@given(st.lists(values.filter(lambda value: depth(value) <= amf0.MAX_DEPTH), max_size=4))
def test_what_is_encoded_is_decoded_alike(written: list[Any]) -> None:
    assert amf0.decode(amf0.encode(*written)) == written


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        amf0.decode(data)


def test_a_command_is_written_as_the_specification_shows() -> None:
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
def test_types_that_only_encoders_send_are_read(data: str, value: Any) -> None:
    assert amf0.decode(bytes.fromhex(data)) == [value]


def test_a_text_of_more_than_64_kilobytes_is_a_long_string() -> None:
    assert amf0.decode(amf0.encode("x" * 70_000)) == ["x" * 70_000]


def test_nesting_has_a_bound() -> None:
    assert failure(b"\x0a\x00\x00\x00\x01" * 5000 + b"\x05") == "amf_too_complex"


def test_the_number_of_values_has_a_bound() -> None:
    assert failure(b"\x05" * (amf0.MAX_VALUES + 1)) == "amf_too_complex"
    assert failure(b"\x0a\xff\xff\xff\xff" + b"\x05" * (amf0.MAX_VALUES + 1)) == "amf_too_complex"


def test_a_list_that_declares_more_than_it_has_is_refused() -> None:
    assert failure(b"\x0a\xff\xff\xff\xff\x05") == "amf_incomplete"


def test_references_and_newer_formats_are_refused() -> None:
    assert failure(b"\x07\x00\x00") == "amf_unknown_type"
    assert failure(b"\x11\x00") == "amf_unknown_type"


def failure(data: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        amf0.decode(data)
    return caught.value.code
