"""Requests to other sites: small answers, from public hosts only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic
from typing import Any, TypeAlias

from common.safe_http import FetchError, Network, fetch

MAX_JSON_BYTES = 4 * 1024**2
ASK_TIMEOUT_S = 60.0

Asker: TypeAlias = Callable[[str], Any]
"""A function that requests an address and returns the JSON of the answer.  It raises FetchError."""


def asker(allowed: Iterable[Network] = (), *, within_s: float = inf) -> Asker:
    """Return the function that asks sites on public hosts and of the networks ``allowed``.

    All its requests together take at most ``within_s``; a later one raises FetchError.
    """
    networks, deadline = tuple(allowed), monotonic() + within_s

    def ask(url: str) -> Any:
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise FetchError("the list took too long", is_final=True)
        try:
            data = read(url, MAX_JSON_BYTES, allowed=networks, timeout_s=min(left_s, ASK_TIMEOUT_S))
            return json.loads(data.decode())
        except (ValueError, RecursionError):
            raise FetchError("the answer is no JSON", is_final=True) from None

    return ask


def read(
    url: str, most_bytes: int, *, allowed: Iterable[Network] = (), timeout_s: float = ASK_TIMEOUT_S
) -> bytes:
    """Return the file at an address.  Raises FetchError, also for one that is too large."""
    data = bytearray()
    with fetch(url, timeout_s=timeout_s, allowed=allowed) as download:
        for piece in download.pieces(64 * 1024):
            data += piece
            if len(data) > most_bytes:
                raise FetchError("the answer is too large", is_final=True)
    return bytes(data)
