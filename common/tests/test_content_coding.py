"""Tests of the content codings that a client accepts."""

import pytest

from common.content_coding import accepts_gzip


@pytest.mark.parametrize("header", ["gzip", "br, gzip", "gzip;q=0.5", "br;q=1.0, gzip ; q=0.1"])
def test_header_that_names_gzip_accepts_it(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize("header", ["", "br", "gzip;q=0", "br, gzip; q=0", "xgzip"])
def test_header_without_gzip_or_with_weight_zero_refuses_it(header: str) -> None:
    assert not accepts_gzip(header)
