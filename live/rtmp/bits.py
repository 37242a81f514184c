"""Bit reader for decoder configurations."""

from __future__ import annotations

from live.rtmp.errors import ProtocolError


class Bits:
    """Bit reader for a configuration, most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data)
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ProtocolError("config_incomplete")
        return self._number >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """Return an Exp-Golomb number (H.264, 9.1) of at most 32 bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ProtocolError("bad_avc_config")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -number // 2
