"""Counts of the sockets and waiting requests that each client holds in this process.

Counted in memory, because a round trip to Redis for each request would cost more
than the request.  A client may hold as many in each web process.
"""

from __future__ import annotations

from collections import Counter


class Holding:
    """Counts by network, with at most ``most`` in total and ``most_of_one`` for one network.

    Once half of ``most`` is taken, one network gets no more than an equal share,
    and no more than it leaves to others, so that the next network finds room.
    """

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held: Counter[str] = Counter()
        self.total = 0

    def enter(self, network: str) -> bool:
        """Count one more for ``network``.  Return false, and count nothing, beyond its bound."""
        if self.total >= self._most or self._held[network] >= self._bound(network):
            if not self._held[network]:
                del self._held[network]
            return False
        self._held[network] += 1
        self.total += 1
        return True

    def leave(self, network: str) -> None:
        """Count one less, after an :meth:`enter` that returned true."""
        self.total -= 1
        self._held[network] -= 1
        if not self._held[network]:
            del self._held[network]

    def _bound(self, network: str) -> int:
        if self.total < self._most // 2:
            return self._most_of_one
        others = len(self._held) - (network in self._held)
        return max(1, min(self._most_of_one, self._most // (others + 2), self._most - self.total))
