"""What can be commented on, as this app sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import Channel, User


class Target(Protocol):
    """A model instance that answers these; whose row and whose rules they are is not our business."""

    pk: Any

    @property
    def channel(self) -> Channel:
        """Whose it is: the creator, who pins and gives hearts."""

    @property
    def comments_open(self) -> bool:
        """Whether new comments and danmaku are taken."""

    @property
    def comments_held(self) -> bool:
        """Whether new comments wait until somebody who may moderate has let them through."""

    def get_absolute_url(self) -> str:
        """The page that shows it; ``str()`` is its title."""

    def can_watch(self, user: User | AnonymousUser) -> bool:
        """Whether ``user`` may know that it exists."""

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        """Whether ``user`` decides about what is said here: the creator, or a moderator."""
