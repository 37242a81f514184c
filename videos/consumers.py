"""The sockets of a video: an encode's progress for its owner, what is said for everyone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts.services import as_of_now
from comments.consumers import ConversationConsumer
from videos import progress
from videos.conversation import is_discussed
from videos.models import Video

if TYPE_CHECKING:
    from accounts.models import User

# Workers announce more often than anyone can read.
MIN_INTERVAL_S = 0.5
NO_SUCH_VIDEO = 4004


class ProgressConsumer(AsyncJsonWebsocketConsumer):
    """Sends the state at once and after every change; ignores whatever it is sent.

    An announcement carries no state: the truth is read from SQL when it is sent,
    so a late or a lost announcement never shows something old.
    """

    public_id: str
    last_state: dict[str, Any] | None = None
    sending: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.public_id = self.scope["url_route"]["kwargs"]["public_id"]
        await self.accept()
        if await self._state() is None:
            await self.close(code=NO_SUCH_VIDEO)
            return
        await self.channel_layer.group_add(progress.group_name(self.public_id), self.channel_name)
        await self._send_state()

    async def disconnect(self, code: int) -> None:
        if self.sending:
            self.sending.cancel()
            with suppress(asyncio.CancelledError):
                await self.sending
        await self.channel_layer.group_discard(progress.group_name(self.public_id), self.channel_name)

    async def receive(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing a client says here means anything."""

    async def progress_changed(self, _event: dict[str, Any]) -> None:
        if self.sending is None or self.sending.done():
            self.sending = asyncio.create_task(self._send_soon())

    async def _send_soon(self) -> None:
        await asyncio.sleep(MIN_INTERVAL_S)
        await self._send_state()

    async def _send_state(self) -> None:
        state = await self._state()
        if state is None:
            await self.close(code=NO_SUCH_VIDEO)
        elif state != self.last_state:
            self.last_state = state
            await self.send_json({"type": "progress", **state})

    @database_sync_to_async
    def _state(self) -> dict[str, Any] | None:
        user = as_of_now(self.scope["user"])
        video = Video.objects.select_related("channel__owner").filter(public_id=self.public_id).first()
        return progress.state(video) if video and video.can_moderate(user) else None


class VideoConversationConsumer(ConversationConsumer):
    """What is taken away below a video, or from over its picture, or comes back."""

    def target_for(self, user: User) -> Video | None:
        public_id = self.scope["url_route"]["kwargs"]["public_id"]
        video = Video.objects.select_related("channel__owner").filter(public_id=public_id).first()
        return video if video and is_discussed(video, user) else None
