"""Tickets that sign a chat socket in: short-lived, signed, and read without a database.

A session would cost each socket a query and a cookie.  A ticket holds the
person's identity and badges for one room; each reconnect needs a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models import User
    from live.models import Stream

LIFETIME = timedelta(seconds=60)
MAX_LENGTH = 2000
SALT = "live.chat.ticket"


class InvalidTicket(Exception):
    """Error for a ticket that is forged, altered, expired, or for another room."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Signed-in person in one room."""

    user_id: int
    username: str
    display_name: str
    badges: tuple[str, ...] = ()
    access_version: int = 0  # as User.access_version was when the ticket was issued

    @property
    def can_moderate(self) -> bool:
        """Return True for owners and moderators, who are exempt from modes and see every message."""
        return bool(self.badges)

    def as_json(self) -> dict[str, Any]:
        return {
            "username": self.username,
            "display_name": self.display_name,
            "badges": list(self.badges),
        }


def badges_of(stream: Stream, user: User) -> list[str]:
    held = {"owner": stream.is_owned_by(user), "moderator": user.is_moderator}
    return [badge for badge, is_held in held.items() if is_held]


def issue(stream: Stream, user: User) -> tuple[str, datetime]:
    """Return a ticket for ``user`` in the room of ``stream``, and its expiry.

    The caller has checked ``stream.can_watch(user)``.
    """
    expires_at = timezone.now() + LIFETIME
    claims = [
        stream.pk, user.pk, user.username, user.channel.name, badges_of(stream, user), user.access_version
    ]  # fmt: skip
    return signing.dumps(claims, salt=SALT), expires_at


def read(ticket: str, stream_id: int) -> Visitor:
    """Return the visitor that a ticket signs in to the room of ``stream_id``.  Raises InvalidTicket."""
    if len(ticket) > MAX_LENGTH:
        raise InvalidTicket
    try:
        room, user_id, username, display_name, badges, version = signing.loads(
            ticket, salt=SALT, max_age=LIFETIME
        )
    except (signing.BadSignature, ValueError) as error:
        raise InvalidTicket from error
    if room != stream_id:
        raise InvalidTicket
    return Visitor(user_id, username, display_name, tuple(badges), version)
