"""Bit reader for decoder configurations."""

from __future__ import annotations


class BrokenConfiguration(ValueError):
    """Error: a decoder configuration ends too early, or has a value that its format does not know."""


class BitReader:
    """Reader of a configuration, most significant bit first.  Its methods raise BrokenConfiguration."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data)
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise BrokenConfiguration("ends too early")
        return self._number >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """Return an Exp-Golomb number (H.264, 9.1) of at most 32 bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BrokenConfiguration("a number of more than 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -number // 2
