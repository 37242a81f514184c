from __future__ import annotations

import pytest

from videos.hls.attributes import decimal, quoted, tag, uri_line


@pytest.mark.parametrize(
    ("value", "written"),
    [(4, "4"), (3.92, "3.92"), (4.004, "4.004"), (2.9366666, "2.936667"), (0.0000001, "0"), (120, "120")],
)
def test_decimal_has_no_exponent_and_no_trailing_zeros(value: float, written: str) -> None:
    assert decimal(value) == written


def test_quoted_string_contains_no_quotes_and_no_line_breaks() -> None:
    assert quoted('English "HD"\r\n#EXT-X-ENDLIST') == '"English  HD   #EXT-X-ENDLIST"'


def test_attributes_of_none_are_left_out() -> None:
    assert tag("EXT-X-MAP", [("URI", '"init.mp4"'), ("BYTERANGE", None)]) == '#EXT-X-MAP:URI="init.mp4"'


@pytest.mark.parametrize("uri", ["", "#EXT-X-ENDLIST", "0.m4s\n#EXT", "a b"])
def test_uri_of_more_or_less_than_one_line_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="line of its own"):
        uri_line(uri)
