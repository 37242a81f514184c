"""Handshake that opens a connection: three packets in each direction (RTMP 1.0, 5.2).

Clients that sign their packets (the "complex" handshake of Flash 9) accept the
simple one from a server whose version field is zero, so no client is asked to sign.
"""

from __future__ import annotations

import os

from live.rtmp.errors import ProtocolError

VERSION = 3
PACKET_BYTES = 1536


class Handshake:
    """Server side of the handshake: it sends S0, S1 and S2 after C1, and is done after C2."""

    def __init__(self) -> None:
        self.is_done = False
        self._received = bytearray()
        self._answered = False

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Process bytes; return the answer, and the bytes after the handshake."""
        received, answer = self._received, b""
        received += data
        if received and received[0] != VERSION:
            raise ProtocolError("not_rtmp")
        if not self._answered and len(received) > PACKET_BYTES:
            self._answered = True
            c1 = received[1 : 1 + PACKET_BYTES]
            s1 = bytes(8) + os.urandom(PACKET_BYTES - 8)  # our time and version: zero
            answer = bytes([VERSION]) + s1 + c1  # S2 repeats C1
        if len(received) < 1 + 2 * PACKET_BYTES:
            return answer, b""
        # C2 should repeat S1; several encoders send something else, so it is not checked.
        self.is_done = True
        rest = bytes(received[1 + 2 * PACKET_BYTES :])
        received.clear()
        return answer, rest
