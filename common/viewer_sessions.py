"""Signed sessions of players: the answer to a report holds the session that the next report sends."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.core import signing


@dataclass(frozen=True, slots=True)
class ViewerSessions:
    """Sessions with one ``salt``, each valid for one subject and for ``lifetime_s``."""

    salt: str
    lifetime_s: int

    def read(self, session: str, subject: object) -> str:
        """Return the id in a session signed for ``subject``, or a new id for any other text."""
        signer = signing.TimestampSigner(salt=self.salt)
        try:
            signed_for, _, session_id = signer.unsign(session, max_age=self.lifetime_s).partition(":")
        except signing.BadSignature:
            return secrets.token_urlsafe(12)
        return session_id if signed_for == str(subject) else secrets.token_urlsafe(12)

    def sign(self, session_id: str, subject: object) -> str:
        return signing.TimestampSigner(salt=self.salt).sign(f"{subject}:{session_id}")
