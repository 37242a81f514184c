"""The sockets of a video: an encode's progress for its owner, and the conversation for viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import translation

from accounts.consumers import SignedInConsumer
from accounts.services import as_of_now
from comments.consumers import ConversationConsumer
from common.bundling import BundledCalls
from common.languages import language_of
from common.threads import for_sockets
from videos import estimates, progress
from videos.conversation import is_discussed
from videos.models import Video

if TYPE_CHECKING:
    from accounts.viewers import Viewer

# Workers publish progress more often than anyone can read.
MIN_INTERVAL_S = 0.5
NO_SUCH_VIDEO = 4004


class ProgressConsumer(SignedInConsumer):
    """The socket of an encode's progress: it sends the state at once and after every change.

    An event carries no state.  The state is read from SQL before it is sent, so
    a late or a lost event never shows an old state.
    """

    public_id: str
    last_state: dict[str, Any] | None = None
    changes: BundledCalls | None = None

    async def connect(self) -> None:
        self.public_id = self.scope["url_route"]["kwargs"]["public_id"]
        await self.accept()
        await self.hear_revocation()
        if await for_sockets.run(self._state) is None:
            await self.close(code=NO_SUCH_VIDEO)
            return
        self.changes = BundledCalls(self._send_state, MIN_INTERVAL_S)
        await self.channel_layer.group_add(progress.group_name(self.public_id), self.channel_name)
        await self._send_state()

    async def disconnect(self, code: int) -> None:
        if self.changes:
            await self.changes.aclose()
        await self.forget_revocation()
        await self.channel_layer.group_discard(progress.group_name(self.public_id), self.channel_name)

    async def receive(self, *_args: Any, **_kwargs: Any) -> None:
        """Ignore all messages of the client."""

    async def progress_changed(self, _event: dict[str, Any]) -> None:
        if self.changes:
            self.changes.request()

    async def _send_state(self) -> None:
        state = await for_sockets.run(self._state)
        if state is None:
            await self.close(code=NO_SUCH_VIDEO)
        elif state != self.last_state:
            self.last_state = state
            await self.send_json({"type": "progress", **state})

    def _state(self) -> dict[str, Any] | None:
        user = as_of_now(self.scope["user"])
        video = Video.objects.select_related("channel__owner").filter(public_id=self.public_id).first()
        if video is None or not video.can_moderate(user):
            return None
        with translation.override(language_of(self.scope)):
            return progress.state(video) | estimates.state(video)


class VideoConversationConsumer(ConversationConsumer):
    """The socket of a video's comments and danmaku: it sends removals and restorations."""

    def target_for(self, viewer: Viewer) -> Video | None:
        public_id = self.scope["url_route"]["kwargs"]["public_id"]
        video = Video.objects.select_related("channel__owner").filter(public_id=public_id).first()
        return video if video and is_discussed(video, viewer) else None
