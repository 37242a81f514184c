"""WebSocket of the bell: the number of unread notifications while a page is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts import access, notifications, services
from common.bundling import BundledCalls
from common.page_sockets import PageConsumer
from common.threads import for_sockets

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User

MIN_INTERVAL_S = 0.5  # a burst of notifications becomes one message
NOBODY = 4001
COME_BACK = 1012  # the code of a restarting server


class SignedInConsumer(PageConsumer):
    """Base consumer of a session's socket: it closes after the person's access is revoked.

    Pages reconnect, and are signed in again if their session still is.
    """

    async def hear_revocation(self) -> None:
        """Join the person's group; call it before reading the first data from SQL."""
        user: User | AnonymousUser = self.scope["user"]
        if user.is_authenticated:
            await self.channel_layer.group_add(access.group_name(user.pk), self.channel_name)

    async def forget_revocation(self) -> None:
        user: User | AnonymousUser = self.scope["user"]
        if user.is_authenticated:
            await self.channel_layer.group_discard(access.group_name(user.pk), self.channel_name)

    async def access_revoked(self, _event: dict[str, Any]) -> None:
        await self.close(code=COME_BACK)


class NotificationConsumer(SignedInConsumer):
    """Consumer that sends the count at once and after every change; it ignores client messages.

    An event carries no data: the count is read from SQL at the time of sending,
    so a late or lost event never shows an old count.
    """

    group: str = ""
    last_count: int | None = None
    changes: BundledCalls | None = None

    async def connect(self) -> None:
        user: User = self.scope["user"]
        await self.accept()
        if not user.is_authenticated:
            await self.close(code=NOBODY)
            return
        await self.hear_revocation()
        self.changes = BundledCalls(self._send_count, MIN_INTERVAL_S)
        self.group = notifications.group_name(user.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self._send_count()

    async def disconnect(self, code: int) -> None:
        if self.changes:
            await self.changes.aclose()
        await self.forget_revocation()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, *_args: Any, **_kwargs: Any) -> None:
        """Ignore client messages."""

    async def notifications_changed(self, _event: dict[str, Any]) -> None:
        if self.changes:
            self.changes.request()

    async def _send_count(self) -> None:
        count = await for_sockets.run(self._count)
        if count is not None and count != self.last_count:
            self.last_count = count
            await self.send_json({"type": "unread", "count": count})

    def _count(self) -> int | None:
        """Return the unread count, or ``None`` while the person is locked out."""
        user = services.as_of_now(self.scope["user"])
        return notifications.unread_count(user) if user.is_authenticated else None
