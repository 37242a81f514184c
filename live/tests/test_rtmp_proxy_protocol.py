"""Tests of PROXY headers: version 1 as HAProxy and nginx send it, version 2 as HAProxy and AWS do."""

from __future__ import annotations

import pytest

from live.rtmp.errors import ProtocolError
from live.rtmp.proxy_protocol import ProxyHeader

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V2_TCP4 = SIGNATURE + bytes.fromhex("21 11 000c c0000201 cb007107 cb2d 078f")
V2_TCP6 = SIGNATURE + bytes.fromhex(
    "21 21 0024 20010db8000000010000000000000042 20010db8000000020000000000000001 cb2d 078f"
)
# As sent by a network load balancer: TLVs (CRC32C, VPC endpoint, NOOP) follow the addresses.
V2_WITH_TLVS = SIGNATURE + bytes.fromhex(
    "21 11 001d c0000201 cb007107 cb2d 078f 030004a9b87e8f ea000701 6162636465 66"
)
V2_LOCAL = SIGNATURE + bytes.fromhex("20 00 0000")
V2_UNIX = SIGNATURE + bytes.fromhex("21 31 00d8") + bytes(216)

GOOD = [
    (b"PROXY TCP4 192.0.2.1 203.0.113.7 52013 1935\r\n", ("192.0.2.1", 52013)),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ("255.255.255.255", 65535)),
    (b"PROXY TCP6 2001:db8:0:1::42 2001:db8:0:2::1 52013 1935\r\n", ("2001:db8:0:1::42", 52013)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (V2_TCP4, ("192.0.2.1", 52013)),
    (V2_TCP6, ("2001:db8:0:1::42", 52013)),
    (V2_WITH_TLVS, ("192.0.2.1", 52013)),
    (V2_LOCAL, None),
    (V2_UNIX, None),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_header_gives_the_client_address_and_the_remaining_bytes(
    header: bytes, source: tuple[str, int] | None
) -> None:
    proxy = ProxyHeader()

    rest = proxy.receive(header + b"\x03rtmp")

    assert (proxy.is_done, proxy.source, rest) == (True, source, b"\x03rtmp")


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_header_may_arrive_byte_by_byte(header: bytes, source: tuple[str, int] | None) -> None:
    proxy = ProxyHeader()

    for byte in header[:-1]:
        assert proxy.receive(bytes([byte])) == b""
        assert not proxy.is_done
    proxy.receive(header[-1:])

    assert (proxy.is_done, proxy.source) == (True, source)


@pytest.mark.parametrize(
    "data",
    [
        b"\x03" + bytes(100),
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.7 x 1935\r\n",
        b"PROXY TCP5 192.0.2.1 203.0.113.7 1 2\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        SIGNATURE + bytes.fromhex("31 11 000c") + bytes(12),
        SIGNATURE + bytes.fromhex("21 11 0004") + bytes(4),
        SIGNATURE + bytes.fromhex("21 11 ffff"),
    ],
)
def test_invalid_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ProxyHeader().receive(data)
