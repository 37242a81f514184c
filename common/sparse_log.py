"""Log of repeated warnings: each at most once in a while, with the number of omitted ones."""

from __future__ import annotations

import logging
import time
from typing import Any

EVERY_S = 10.0
# Messages that are counted separately; a message is a constant text, so there are few.
MAX_KINDS = 100


class SparseLog:
    """Log of warnings that writes each text at most once in ``every_s`` seconds.

    For errors that a peer or a bad row can cause at any rate: a log that grows with
    them would fill the disk.
    """

    def __init__(self, logger: logging.Logger, *, every_s: float = EVERY_S) -> None:
        self._logger = logger
        self._every_s = every_s
        self._kinds: dict[str, tuple[float, int]] = {}  # end of the silence, and omitted warnings

    def warning(self, text: str, **extra: Any) -> None:
        """Log ``text`` with ``extra``, or count it for the next time."""
        now = time.monotonic()
        silent_until, left_out = self._kinds.get(text, (0.0, 0))
        if now < silent_until:
            self._kinds[text] = (silent_until, left_out + 1)
            return
        if len(self._kinds) >= MAX_KINDS:
            self._kinds.clear()
        self._kinds[text] = (now + self._every_s, 0)
        self._logger.warning(text, extra={**extra, **({"left_out": left_out} if left_out else {})})
