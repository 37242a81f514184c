"""The socket of a page that shows a conversation: what of it is taken away, and what comes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from comments import changes
from comments.models import Comment
from comments.thread import is_id

if TYPE_CHECKING:
    from accounts.models import User
    from comments.targets import Target

NO_SUCH_TARGET = 4004
MOST_SHOWN = 500


class ConversationConsumer(AsyncJsonWebsocketConsumer):
    """Base: the app that owns the target says which it is.

    A page that was away, or was kept by the browser, says once what it shows
    (``{"type": "showing", "comments": [id, …]}``) and hears what of it is gone.
    """

    group: str = ""
    has_asked = False

    def target_for(self, user: User) -> Target | None:
        """The target of this address, if ``user`` may know of it."""
        raise NotImplementedError

    async def connect(self) -> None:
        await self.accept()
        self.group = await self._find_group()
        if not self.group:
            await self.close(code=NO_SUCH_TARGET)
            return
        await self.channel_layer.group_add(self.group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, **_more: Any) -> None:
        """One question a connection; whatever else is said means nothing."""
        shown = ids_in(text_data or "")
        if self.has_asked or not shown:
            return
        self.has_asked = True
        if gone := await self._gone(shown):
            await self.send_json({"type": changes.Change.TAKEN, "kind": changes.Kind.COMMENT, "ids": gone})

    async def said_changed(self, event: dict[str, Any]) -> None:
        await self.send_json(event["told"])

    @database_sync_to_async
    def _find_group(self) -> str:
        target = self.target_for(self.scope["user"])
        return changes.group_name(target) if target else ""

    @database_sync_to_async
    def _gone(self, shown: list[str]) -> list[str]:
        """Those of ``shown`` that this reader may not read."""
        user = self.scope["user"]
        target = self.target_for(user)
        if target is None:
            return shown
        seen = Comment.objects.of(target).seen_by(user, can_moderate=target.can_moderate(user))
        read = seen.filter(public_id__in=shown, is_readable=True)  # type: ignore[misc]
        return sorted(set(shown) - set(read.values_list("public_id", flat=True)))


def ids_in(frame: str) -> list[str]:
    """The ids of a ``showing`` frame, as far as they can be any of ours."""
    try:
        said = json.loads(frame)
    except (ValueError, RecursionError):
        return []
    if not isinstance(said, dict) or said.get("type") != "showing":
        return []
    named = said.get("comments")
    ids = named if isinstance(named, list) else []
    return [one for one in ids[:MOST_SHOWN] if isinstance(one, str) and is_id(one)]
