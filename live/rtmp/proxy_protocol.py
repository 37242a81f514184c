"""Header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt, 2.1 and 2.2).

A load balancer writes it before the bytes that it forwards, so that the server
knows the client's address.  It is accepted from trusted peers only.
"""

from __future__ import annotations

import struct
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from live.rtmp.errors import ProtocolError

V1_PREFIX = b"PROXY "
V1_MAX_BYTES = 107
V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED = 16
# Including the extensions (TLV) that balancers add; they are skipped.
V2_MAX_BYTES = 4096

_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


class ProxyHeader:
    """Reader of the first bytes of a connection, up to the end of the header.

    ``source`` is then the client's address and port, or None if the connection is
    the balancer's own (a health check).
    """

    def __init__(self) -> None:
        self.is_done = False
        self.source: tuple[str, int] | None = None
        self._received = b""

    def receive(self, data: bytes) -> bytes:
        """Process bytes; return those after the header.  Raises ProtocolError if there is no header."""
        self._received += data
        if self._begins_with(V2_SIGNATURE):
            size = self._read_v2()
        elif self._begins_with(V1_PREFIX):
            size = self._read_v1()
        else:
            raise ProtocolError("no_proxy_header")
        if size is None:
            return b""
        self.is_done = True
        return self._received[size:]

    def _begins_with(self, prefix: bytes) -> bool:
        return self._received[: len(prefix)] == prefix[: len(self._received)]

    def _read_v1(self) -> int | None:
        """Read ``PROXY TCP4 source destination port port`` and return its size, None if incomplete."""
        end = self._received.find(b"\r\n", 0, V1_MAX_BYTES)
        if end < 0:
            if len(self._received) >= V1_MAX_BYTES:
                raise ProtocolError("bad_proxy_header")
            return None
        words = self._received[:end].decode("ascii", "replace").split(" ")
        if words[1] == "UNKNOWN":
            return end + 2
        if len(words) != 6 or words[1] not in ("TCP4", "TCP6") or not words[4].isdecimal():
            raise ProtocolError("bad_proxy_header")
        try:
            address = IPv4Address(words[2]) if words[1] == "TCP4" else IPv6Address(words[2])
        except AddressValueError as error:
            raise ProtocolError("bad_proxy_header") from error
        self.source = str(address), int(words[4])
        return end + 2

    def _read_v2(self) -> int | None:
        """Read the binary header and return its size, None if incomplete."""
        if len(self._received) < _V2_FIXED:
            return None
        command, family, length = struct.unpack_from(">BBH", self._received, len(V2_SIGNATURE))
        size: int = _V2_FIXED + length
        if command not in (_LOCAL, _PROXY) or size > V2_MAX_BYTES:
            raise ProtocolError("bad_proxy_header")
        if len(self._received) < size:
            return None
        if command == _PROXY and family in (_TCP4, _TCP6):
            self.source = self._v2_source(family, length)
        return size

    def _v2_source(self, family: int, length: int) -> tuple[str, int]:
        form = ">4s4sH" if family == _TCP4 else ">16s16sH"
        if length < struct.calcsize(form) + 2:  # the destination's port
            raise ProtocolError("bad_proxy_header")
        source, _destination, port = struct.unpack_from(form, self._received, _V2_FIXED)
        address = IPv4Address(source) if family == _TCP4 else IPv6Address(source)
        return str(address), port
