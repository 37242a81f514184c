"""Random keys of objects in storage."""

from __future__ import annotations

import secrets


def new_encode_key() -> str:
    return secrets.token_hex(6)
