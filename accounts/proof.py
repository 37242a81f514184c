"""Proof of work: a small computation that a program has to make before it may sign up once more.

A challenge is signed, lives for ten minutes, holds for one network and is taken
once.  Its solution is a number ``n`` in decimal digits so that
``SHA-256("{challenge}:{n}")`` begins with ``bits`` zero bits.  The client sends
``{challenge}:{n}`` as its proof.  One bit more doubles the work.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

from django.core import signing
from django.core.cache import cache

LIFETIME_S = 600
MAX_BITS = 30
MAX_PROOF = 400  # characters
SALT = "accounts.proof"


class InvalidProof(Exception):
    """Error for a proof that is wrong, too easy, too old, used before, or for another network."""


@dataclass(frozen=True, slots=True)
class Challenge:
    text: str
    bits: int


def issue(network: str, bits: int) -> Challenge:
    """Return a challenge for a client of ``network``."""
    bits = min(bits, MAX_BITS)
    text = signing.dumps([secrets.token_urlsafe(9), network, bits], salt=SALT)
    return Challenge(text, bits)


def redeem(proof: str, *, network: str, bits: int) -> str:
    """Redeem a proof and return its id for :func:`release`; raise ``InvalidProof`` unless it is right.

    During an outage of Redis the cache forgets which proofs were taken: each then holds
    for its ten minutes.
    """
    challenge, _, number = proof.rpartition(":")
    if len(proof) > MAX_PROOF or not number.isdecimal():
        raise InvalidProof
    try:
        signed = signing.loads(challenge, salt=SALT, max_age=LIFETIME_S)
        nonce, of_network, promised = signed
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise InvalidProof from error
    if of_network != network or promised < min(bits, MAX_BITS) or zero_bits(proof) < promised:
        raise InvalidProof
    if not cache.add(_key(nonce), 1, LIFETIME_S) and cache.get(_key(nonce)):
        raise InvalidProof
    return str(nonce)


def release(nonce: str) -> None:
    """Make a proof valid again, after its sign-up failed."""
    cache.delete(_key(nonce))


def zero_bits(text: str) -> int:
    """Return the number of zero bits at the start of the SHA-256 of ``text``."""
    digest = sha256(text.encode(errors="surrogatepass")).digest()
    return len(digest) * 8 - int.from_bytes(digest).bit_length()


def _key(nonce: str) -> str:
    return f"proof:{nonce}"
