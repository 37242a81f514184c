"""Interface of objects that have comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AnonymousUser

    from accounts.models import Channel, User
    from accounts.viewers import Viewer


class Target(Protocol):
    """Model instance with comments; its own app decides the answers."""

    pk: Any
    duration_s: float | None
    """Its length in seconds, if it has one that is known: times beyond it are not links."""

    @property
    def channel(self) -> Channel:
        """Return the creator's channel, which pins comments and gives hearts."""

    @property
    def comments_open(self) -> bool:
        """Return whether new comments and danmaku are accepted."""

    @property
    def comments_held(self) -> bool:
        """Return whether new comments are held until a moderator approves them."""

    def moment_now(self, at_s: float, written_at: datetime) -> float | None:
        """Return where a time (s) that was written then leads today, after cuts; None if it leads nowhere."""

    def get_absolute_url(self) -> str:
        """Return the address of its page; ``str()`` is its title."""

    def can_watch(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may see it."""

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        """Return whether ``user`` moderates its comments: the creator or a moderator."""
