"""Requests to other sites: small answers, from public hosts only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from common.safe_http import FetchError, Network, fetch

MAX_JSON_BYTES = 4 * 1024**2
ASK_TIMEOUT_S = 60.0

Asker: TypeAlias = Callable[[str], Any]
"""A function that requests an address and returns the JSON of the answer.  It raises FetchError."""


def asker(allowed: Iterable[Network] = ()) -> Asker:
    """Return the function that asks sites on public hosts and of the networks ``allowed``."""
    return partial(ask, allowed=tuple(allowed))


def ask(url: str, *, allowed: Iterable[Network] = ()) -> Any:
    """Return the JSON at an address.  Raises FetchError."""
    try:
        return json.loads(read(url, MAX_JSON_BYTES, allowed=allowed).decode())
    except (ValueError, RecursionError):
        raise FetchError("the answer is no JSON", is_final=True) from None


def read(url: str, most_bytes: int, *, allowed: Iterable[Network] = ()) -> bytes:
    """Return the file at an address.  Raises FetchError, also for one that is too large."""
    data = bytearray()
    with fetch(url, timeout_s=ASK_TIMEOUT_S, allowed=allowed) as download:
        for piece in download.pieces(64 * 1024):
            data += piece
            if len(data) > most_bytes:
                raise FetchError("the answer is too large", is_final=True)
    return bytes(data)
