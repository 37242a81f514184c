"""WebSocket of a page with comments: sends removed and restored texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from accounts.consumers import SignedInConsumer
from accounts.services import as_of_now
from accounts.viewers import Viewer, viewer_of_socket
from comments import changes
from comments.models import Comment
from comments.thread import is_id
from common.threads import for_sockets

if TYPE_CHECKING:
    from comments.targets import Target

NO_SUCH_TARGET = 4004
MOST_SHOWN = 500
MAX_SHOWING_BYTES = 16 * 1024


class ConversationConsumer(SignedInConsumer):
    """Base consumer of a conversation; the app that owns the target looks it up.

    A page that was offline, or was kept by the browser, sends once the ids that it
    shows (``{"type": "showing", "comments": [id, …]}``) and gets those that are gone.
    """

    group: str = ""
    has_asked = False

    def target_for(self, viewer: Viewer) -> Target | None:
        """Return the target of this address, or ``None`` if ``viewer`` may not see it."""
        raise NotImplementedError

    async def connect(self) -> None:
        await self.accept()
        await self.hear_revocation()
        self.group = await for_sockets.run(self._find_group)
        if not self.group:
            await self.close(code=NO_SUCH_TARGET)
            return
        await self.channel_layer.group_add(self.group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        await self.forget_revocation()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, **_more: Any) -> None:
        """Answer one question for each connection, and ignore everything else."""
        if self.has_asked or len(text_data or "") > MAX_SHOWING_BYTES:
            return
        shown = ids_in(text_data or "")
        if not shown:
            return
        self.has_asked = True
        if gone := await for_sockets.run(self._gone, shown):
            await self.send_json(
                {"type": changes.Change.REMOVED, "kind": changes.TextKind.COMMENT, "ids": gone}
            )

    async def said_changed(self, event: dict[str, Any]) -> None:
        await self.send_json(event["told"])

    def _find_group(self) -> str:
        target = self.target_for(viewer_of_socket(self.scope, as_of_now(self.scope["user"])))
        return changes.group_name(target) if target else ""

    def _gone(self, shown: list[str]) -> list[str]:
        """Return the ids of ``shown`` that this reader may not read."""
        user = as_of_now(self.scope["user"])
        target = self.target_for(viewer_of_socket(self.scope, user))
        if target is None:
            return shown
        seen = Comment.objects.of(target).seen_by(user, can_moderate=target.can_moderate(user))
        read = seen.filter(public_id__in=shown, is_readable=True)  # type: ignore[misc]
        return sorted(set(shown) - set(read.values_list("public_id", flat=True)))


def ids_in(frame: str) -> list[str]:
    """Return the ids of a ``showing`` frame; drop those that cannot be ids."""
    try:
        data = json.loads(frame)
    except (ValueError, RecursionError):
        return []
    if not isinstance(data, dict) or data.get("type") != "showing":
        return []
    named = data.get("comments")
    ids = named if isinstance(named, list) else []
    return [one for one in ids[:MOST_SHOWN] if isinstance(one, str) and is_id(one)]
