"""Type of the request that a view behind ``login_required`` receives."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User


class PersonRequest(HttpRequest):
    """Request of a signed-in person."""

    user: User
