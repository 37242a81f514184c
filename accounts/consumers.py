"""The bell: how many notifications somebody has not read, while a page is open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts import notifications, services

if TYPE_CHECKING:
    from accounts.models import User

MIN_INTERVAL_S = 0.5  # a burst of news is one message
NOBODY = 4001


class NotificationConsumer(AsyncJsonWebsocketConsumer):
    """Sends the count at once and after every change; ignores whatever it is sent.

    An announcement carries nothing: the truth is read from SQL when it is sent,
    so a late or a lost announcement never shows something old.
    """

    group: str = ""
    last_count: int | None = None
    sending: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        user: User = self.scope["user"]
        await self.accept()
        if not user.is_authenticated:
            await self.close(code=NOBODY)
            return
        self.group = notifications.group_name(user.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self._send_count()

    async def disconnect(self, code: int) -> None:
        if self.sending:
            self.sending.cancel()
            with suppress(asyncio.CancelledError):
                await self.sending
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing a client says here means anything."""

    async def notifications_changed(self, _event: dict[str, Any]) -> None:
        if self.sending is None or self.sending.done():
            self.sending = asyncio.create_task(self._send_soon())

    async def _send_soon(self) -> None:
        await asyncio.sleep(MIN_INTERVAL_S)
        await self._send_count()

    async def _send_count(self) -> None:
        count = await self._count()
        if count is not None and count != self.last_count:
            self.last_count = count
            await self.send_json({"type": "unread", "count": count})

    @database_sync_to_async
    def _count(self) -> int | None:
        """None while the person is locked out: the page hears again once they are back."""
        user = services.as_of_now(self.scope["user"])
        return notifications.unread_count(user) if user.is_authenticated else None
