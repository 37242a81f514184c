"""API tokens: created after a password check, bounded in number and in time, revocable one by one."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.errors import WrongCredentials
from accounts.models import ApiToken, User
from accounts.models.tokens import MAX_NAME
from accounts.ranks import check_reach

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

USE_RECORDED_EVERY = timedelta(minutes=10)
SWEPT_AT_ONCE = 5000


@transaction.atomic
def create_token(*, user: User, name: str = "") -> tuple[ApiToken, str]:
    """Return a new token and its secret, of which SQL keeps a digest only.

    A person has at most ``API_TOKENS_PER_PERSON``: the least recently used ones are deleted.
    Raise ``WrongCredentials`` if access was revoked since ``user`` was loaded.
    """
    now = User.objects.select_for_update().get(pk=user.pk)
    if now.access_version != user.access_version or not now.is_active:
        raise WrongCredentials
    _make_room(user)
    return ApiToken.objects.issue(user=user, name=name[:MAX_NAME])


def _make_room(user: User) -> None:
    used_last = ApiToken.objects.filter(user=user).order_by(Coalesce("last_used_at", "created").desc())
    kept = max(settings.API_TOKENS_PER_PERSON, 1) - 1
    too_many = list(used_last.values_list("pk", flat=True)[kept:])
    if too_many:
        ApiToken.objects.filter(pk__in=too_many).delete()


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the tokens that still work, the newest first."""
    return ApiToken.objects.filter(user=user, expiry__gt=timezone.now()).order_by("-created")


def record_use(token: ApiToken) -> None:
    """Record the token's last use, to the nearest ten minutes."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USE_RECORDED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke_token(*, user: User, digest: str) -> bool:
    """Revoke one of the user's tokens; return false if there is none with this digest."""
    if not digest.isalnum():
        return False  # PostgreSQL refuses to look up a NUL
    deleted: int = ApiToken.objects.filter(user=user, digest=digest).delete()[0]
    return deleted > 0


def revoke_tokens(*, user: User, by: User) -> int:
    """Revoke all of the user's tokens and return their number.  Raise ``NotTheirs``."""
    if user != by:
        check_reach(user, by=by)
    deleted: int = ApiToken.objects.filter(user=user).delete()[0]
    logger.info("Tokens revoked", extra={"user": user.pk, "by": by.pk, "count": deleted})
    return deleted


def sweep() -> int:
    """Delete one batch of expired tokens and return its size."""
    over = ApiToken.objects.filter(expiry__lt=timezone.now()).values_list("pk", flat=True)
    deleted: int = ApiToken.objects.filter(pk__in=list(over[:SWEPT_AT_ONCE])).delete()[0]
    return deleted
