"""A scan of a file without a table of its frames: one pass over its structure, bounded in bytes and time.

Only the structure is read by us, in blocks that are fetched ahead; the media itself stays
where it is until its segments are copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

from videos.transcoding.byteranges import RangeReader

from .eligibility import NotCopied

MAX_SCAN_BYTES = 16 * 1024**3
"""Bytes of the longest file that is scanned: six hours at 6 Mb/s."""

MAX_SCAN_S = 20.0
"""Seconds of the longest scan; an encode of the whole ladder begins to play in less."""

BLOCK_BYTES = 4 * 1024**2
BLOCKS_AHEAD = 4

# The speed is known after this long, and then decides whether a scan can end in time.
_JUDGED_S = 3.0


class Scan:
    """A reader that goes forward through a file of ``size_bytes``; blocks ahead arrive meanwhile."""

    def __init__(self, read: RangeReader, size_bytes: int, pool: ThreadPoolExecutor) -> None:
        self.size_bytes = size_bytes
        self._read = read
        self._pool = pool
        self._block = -2
        self._start, self._data = 0, b""
        self._ahead: dict[int, Future[bytes]] = {}
        self._began = monotonic()

    def take(self, at: int, length: int) -> bytes:
        """Return ``length`` bytes from ``at``, fewer at the end of the file.

        Raises NotCopied if the scan takes too long.
        """
        start = at - self._start
        if start < 0 or start + length > len(self._data):
            if at >= self.size_bytes:
                return b""
            start = self._move(at, length)
        return self._data[start : start + length]

    def _move(self, at: int, length: int) -> int:
        """Hold the blocks from ``at`` on, as far as ``length`` reaches; return the place of ``at`` there."""
        self._check_pace(at)
        first, last = at // BLOCK_BYTES, min(at + length, self.size_bytes - 1) // BLOCK_BYTES
        if first - self._block > 1:
            # The structure leaps over media, so reading ahead would fetch that.
            self._forget()
        held = [self._take_block(number) for number in range(first, last + 1)]
        self._data = held[0] if len(held) == 1 else b"".join(held)
        self._start = first * BLOCK_BYTES
        if first - self._block <= 1:
            self._fetch_ahead(last)
        self._block = last
        return at - self._start

    def _take_block(self, number: int) -> bytes:
        begins = number * BLOCK_BYTES
        if begins <= self._start + len(self._data) - BLOCK_BYTES and begins >= self._start:
            return self._data[begins - self._start :][:BLOCK_BYTES]
        coming = self._ahead.pop(number, None)
        return coming.result() if coming else self._fetch(number)

    def _fetch(self, number: int) -> bytes:
        begins = number * BLOCK_BYTES
        return self._read(begins, min(BLOCK_BYTES, self.size_bytes - begins))

    def _fetch_ahead(self, number: int) -> None:
        blocks = -(-self.size_bytes // BLOCK_BYTES)
        for following in range(number + 1, min(number + 1 + BLOCKS_AHEAD, blocks)):
            if following not in self._ahead:
                self._ahead[following] = self._pool.submit(self._fetch, following)

    def _forget(self) -> None:
        for coming in self._ahead.values():
            coming.cancel()
        self._ahead.clear()

    def check_time(self) -> None:
        """Raise NotCopied if the scan has taken too long."""
        if monotonic() - self._began > MAX_SCAN_S:
            raise NotCopied("scan", f"more than {MAX_SCAN_S:.0f} s")

    def _check_pace(self, at: int) -> None:
        """Raise NotCopied once the scan cannot end in time."""
        spent_s = monotonic() - self._began
        expected_s = spent_s * self.size_bytes / max(at, 1) if spent_s > _JUDGED_S else spent_s
        if expected_s > MAX_SCAN_S:
            raise NotCopied("scan", f"{at} of {self.size_bytes} bytes in {spent_s:.1f} s")


@contextmanager
def scan_of(read: RangeReader, size_bytes: int) -> Iterator[Scan]:
    """Open a scan of a file.  Raises NotCopied if the file is too large for one."""
    if size_bytes > MAX_SCAN_BYTES:
        raise NotCopied("scan", f"{size_bytes} bytes")
    pool = ThreadPoolExecutor(BLOCKS_AHEAD, thread_name_prefix="scan")
    try:
        yield Scan(read, size_bytes, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
