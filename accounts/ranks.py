"""Rule of rank, for the desk, the admin and the moderation of each app.

Administrators act on everybody but themselves.  Moderators act on people who have no role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.errors import NotTheirs

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


def check_reach(user: User, *, by: User) -> None:
    """Raise ``NotTheirs`` if ``by`` acts on themselves or on a person who is not below them."""
    if user == by or not reaches(by, user):
        raise NotTheirs


def reaches(by: User | AnonymousUser, user: User | None) -> bool:
    """Return whether the rank of ``by`` allows them to act on the content of ``user``.

    People may act on their own content.  A deleted account (``None``) has no rank.
    """
    if user is None or by.is_superuser or by == user:
        return True
    return not (user.is_staff or user.is_superuser)
