"""Bounds in bytes: the rate of one publisher, and the memory of all connections together."""

from __future__ import annotations

# Seconds of the highest bitrate that may arrive at once: a reconnected encoder catches up.
BURST_S = 5.0


class BitrateLimit:
    """Token bucket that holds ``BURST_S`` seconds of ``bitrate_bps``."""

    def __init__(self, bitrate_bps: int) -> None:
        self._bytes_a_second = bitrate_bps / 8
        self._left_bytes = self._bytes_a_second * BURST_S
        self._counted_at: float | None = None

    def take(self, size_bytes: int, now: float) -> bool:
        """Count bytes that arrived at ``now`` (seconds of a monotonic clock); return False if too many."""
        most = self._bytes_a_second * BURST_S
        since_s = 0.0 if self._counted_at is None else now - self._counted_at
        self._counted_at = now
        self._left_bytes = min(most, self._left_bytes + since_s * self._bytes_a_second) - size_bytes
        return self._left_bytes >= 0


class Budget:
    """Budget of bytes that several holders share, ``limit_bytes`` in total."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: dict[object, int] = {}
        self.used_bytes = 0

    def hold(self, holder: object, size_bytes: int) -> bool:
        """Set the bytes that ``holder`` keeps; return False, and change nothing, if they exceed the rest."""
        used_bytes = self.used_bytes + size_bytes - self._held.get(holder, 0)
        if used_bytes > max(self._limit_bytes, self.used_bytes):
            return False
        self.used_bytes = used_bytes
        self._held[holder] = size_bytes
        return True

    def release(self, holder: object) -> None:
        self.used_bytes -= self._held.pop(holder, 0)
