"""Random ids of rows and of objects in storage."""

from __future__ import annotations

import secrets

# No vowels and no look-alikes: an id is never a word and can be copied by hand.
_ID_ALPHABET = "23456789bcdfghjkmnpqrstvwxzBCDFGHJKMNPQRSTVWXZ"


def new_public_id() -> str:
    """Return an opaque, unguessable id: eleven characters, 60 bits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(11))


def new_encode_key() -> str:
    return secrets.token_hex(6)
