"""Random ids of rows that people see in addresses."""

from __future__ import annotations

import secrets

# No vowels and no look-alikes: an id is never a word and can be copied by hand.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxzBCDFGHJKMNPQRSTVWXZ"


def new_public_id() -> str:
    """Return an opaque, unguessable id: eleven characters, 60 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(11))
