"""Viewers: the person behind a request, with the keys that their session collected.

``can_watch`` of a target decides for a viewer, so a password that was entered and a
permission of the account take the same path.  A person without a request, such as the
receiver of a notification, is a viewer without keys.

Programs without a session send a key as the query parameter ``token``, signed by
:func:`token_for`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core import signing

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest
    from rest_framework.request import Request

    from accounts.models import User

SESSION_KEY = "keys"
TOKEN_PARAMETER = "token"  # noqa: S105 -- the name of a parameter
TOKEN_LIFETIME = timedelta(hours=12)
SALT = "accounts.viewers"
# Keys of one session; the oldest is dropped.
MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class Viewer:
    """Person who asks for content, and the keys of the request."""

    user: User | AnonymousUser
    session: SessionBase | None = None
    token: str = ""  # as the request carries it
    # Of the channels of a list, those that the person follows; None: each is asked for by itself.
    followed: frozenset[int] | None = None

    @classmethod
    def of(cls, viewer: Viewer | User | AnonymousUser) -> Viewer:
        """Return ``viewer`` itself, or the viewer that a person is without a request."""
        return viewer if isinstance(viewer, Viewer) else cls(viewer)

    def for_list(self, channels: Iterable[int]) -> Viewer:
        """Return the viewer for a list with content of ``channels`` (keys): one query instead of one each."""
        if not self.user.is_authenticated:
            return self
        follows = self.user.follows.filter(channel__in=set(channels))
        return replace(self, followed=frozenset(follows.values_list("channel_id", flat=True)))

    def follows(self, channel_id: int) -> bool:
        if self.followed is not None:
            return channel_id in self.followed
        return self.user.is_authenticated and self.user.follows.filter(channel=channel_id).exists()

    @property
    def is_moderator(self) -> bool:
        return self.user.is_authenticated and self.user.is_moderator

    def holds(self, key: str) -> bool:
        """Return whether the request or its session has ``key``; the session is read only now."""
        if self.token and key == _key_in(self.token):
            return True
        return self.session is not None and key in self.session.get(SESSION_KEY, [])


def viewer_of(request: HttpRequest | Request) -> Viewer:
    return Viewer(request.user, request.session, token_of(request))


def token_of(request: HttpRequest | Request) -> str:
    """Return the token that the request carries, which may be anything; empty without one."""
    return request.GET.get(TOKEN_PARAMETER, "")


def viewer_of_socket(scope: dict[str, Any], user: User | AnonymousUser) -> Viewer:
    """Return the viewer behind a WebSocket; ``user`` is the person of its scope as SQL has it now."""
    return Viewer(user, scope.get("session"))


def token_for(key: str) -> str:
    """Return ``key`` as a token that is valid for ``TOKEN_LIFETIME``."""
    return signing.dumps(key, salt=SALT)


def _key_in(token: str) -> str:
    """Return the key of a valid token, or an empty string."""
    try:
        return str(signing.loads(token, salt=SALT, max_age=TOKEN_LIFETIME))
    except signing.BadSignature:
        return ""


def give_key(session: SessionBase, key: str) -> None:
    """Add ``key`` to a session, as its newest, under a new session ID: the old one may be known to others."""
    session.cycle_key()
    others = [held for held in session.get(SESSION_KEY, []) if held != key]
    session[SESSION_KEY] = [*others, key][-MAX_KEYS:]
