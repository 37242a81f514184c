"""Base admin for rows with an owner: only people of a higher rank may change them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages

from accounts.errors import NotTheirs
from accounts.models import User
from accounts.ranks import reaches

if TYPE_CHECKING:
    from django.http import HttpRequest


class Ranked(admin.ModelAdmin[Any]):
    """Base admin for rows that people own; forms and actions follow :mod:`accounts.ranks`."""

    def owner_of(self, row: Any) -> User | None:
        """Return the person who owns ``row``."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_below = obj is None or reaches(request.user, self.owner_of(obj))
        return super().has_change_permission(request, obj) and is_below

    def within_reach(self, request: HttpRequest, rows: Iterable[Any]) -> list[Any]:
        """Return the rows that the requester may act on; show the others with the reason."""
        found = []
        for row in rows:
            if reaches(request.user, self.owner_of(row)):
                found.append(row)
            else:
                self.message_user(request, f"{row}: {NotTheirs()}", messages.WARNING)
        return found
