"""Sessions, tokens, tickets and sockets of a person, and the one place that revokes them.

A person is signed in by a session, an API token, a chat ticket, or a socket that one of
them has opened.  :func:`revoke` ends all of them.  It is called after a change of the
password (:meth:`accounts.models.User.save`) or of the second factor (``accounts.views.factors``
and the admin), and if the account is locked (:func:`accounts.services.set_active`).

``User.access_version`` is part of each session's hash and of each chat ticket.  A session or
a ticket with an older version no longer signs anybody in, so SQL decides even if the
event for open sockets is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.db.models import F

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

logger = logging.getLogger(__name__)

_listeners: list[Callable[[int], None]] = []


def revoke(user: User, *, keep: HttpRequest | None = None) -> int:
    """End the sessions, tokens, tickets and sockets of ``user``; return the number of tokens.

    The session of ``keep`` goes on under a new key.  Its sockets are closed like all others,
    and its pages reconnect.
    """
    with transaction.atomic():
        user.__class__._default_manager.filter(pk=user.pk).update(access_version=F("access_version") + 1)
        user.refresh_from_db(fields=["access_version"])
        count: int = user.auth_token_set.all().delete()[0]
        transaction.on_commit(lambda: publish_revocation(user.pk), robust=True)
    if keep is not None:
        update_session_auth_hash(keep, user)
    logger.info("Access revoked", extra={"user": user.pk, "tokens": count})
    return count


def group_name(user_id: int) -> str:
    """Return the channel layer group of all sockets that a session of the person has opened."""
    return f"access-{user_id}"


def on_revoked(listener: Callable[[int], None]) -> None:
    """Register a function that closes sockets outside of the channel layer; it gets the user's id."""
    _listeners.append(listener)


def publish_revocation(user_id: int) -> None:
    """Close the person's open sockets; without Redis they close when they next ask SQL."""
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(user_id), {"type": "access.revoked"})
        for listener in _listeners:
            listener(user_id)
    except (redis.RedisError, OSError):
        logger.warning("Revocation not published: Redis does not answer", extra={"user": user_id})
