"""Chat socket: admission, handling of the client's frames, and disconnection.

Channels only routes.  The socket is a plain ASGI application, because messages
reach it through the hub and not through a channel layer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone, translation
from redis.exceptions import RedisError

from common.errors import Refusal
from common.ids import new_public_id
from common.languages import language_of
from live.chat import log, messages, room_moderation, rules, stored, threads, tickets
from live.chat.client import Client, TokenBucket
from live.chat.errors import SENTENCES
from live.chat.hub import Hub, HubUnavailable, NoSuchRoom, open_room
from live.chat.messages import BadFrame
from live.chat.room import BANNED, NO_SUCH_ROOM, TICKET_INVALID, TOO_SLOW, Room
from live.chat.transports import Send, sink_for

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

RESTARTING = 1012
# Limit of a person's messages, through all of their sockets.
MESSAGES_IN_WINDOW, WINDOW_S = 20, 30
# Refusals that one client may cause before its socket is closed.
REFUSALS_PER_S, REFUSALS_AT_ONCE = 5, 100
FOLLOWING_BELIEVED_FOR_S = 30
SANCTIONS_BELIEVED_FOR_S = 15


async def chat(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve ``/ws/live/{username}/chat/``, from the handshake to the disconnect."""
    await receive()  # websocket.connect
    # Browsers see a close code only if the socket was open.
    await send({"type": "websocket.accept"})
    username = scope["url_route"]["kwargs"]["username"]
    if not username.isprintable() or len(username) > messages.MAX_NAME:
        await send({"type": "websocket.close", "code": NO_SUCH_ROOM})
        return
    try:
        async with open_room(username) as (hub, room):
            await _visit(hub, room, scope, receive, send)
    except NoSuchRoom:
        await send({"type": "websocket.close", "code": NO_SUCH_ROOM})
    except HubUnavailable:
        with translation.override(language_of(scope)):
            detail = str(SENTENCES["unavailable"])
        await send({"type": "websocket.send", "text": messages.error("unavailable", detail)})
        await send({"type": "websocket.close", "code": RESTARTING})


async def _visit(hub: Hub, room: Room, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    query = parse_qs(scope["query_string"].decode("ascii", "replace"), max_num_fields=10)
    ticket = query.get("ticket", [""])[0]
    try:
        visitor = tickets.read(ticket, room.stream_id) if ticket else None
    except tickets.InvalidTicket:
        await send({"type": "websocket.close", "code": TICKET_INVALID})
        return
    if visitor and room.state.is_banned(visitor.user_id):
        await send({"type": "websocket.close", "code": BANNED})
        return
    if not room.state.admits(visitor):
        await send({"type": "websocket.close", "code": NO_SUCH_ROOM})
        return
    conversation = ChatSession(hub, room, Client(sink_for(send), visitor), language_of(scope))
    try:
        room.join(conversation.client)
        while (message := await receive())["type"] != "websocket.disconnect":
            await conversation.hear(message.get("text"))
    except asyncio.CancelledError:
        conversation.client.sink.close(RESTARTING)
        raise
    finally:
        room.leave(conversation.client)


class ChatSession:
    """Session of one client, which handles its frames one after the other."""

    def __init__(self, hub: Hub, room: Room, client: Client, language: str) -> None:
        self.hub = hub
        self.room = room
        self.client = client
        self.language = language
        self._refusals = TokenBucket(REFUSALS_PER_S, REFUSALS_AT_ONCE, REFUSALS_AT_ONCE)
        self._follows = (0.0, False)  # cached answer: expiry (monotonic), follows
        self._heard_until = 0.0  # expiry of the cached answer that no sanction is in force

    async def hear(self, text: str | None) -> None:
        """Execute a frame.  An invalid one gets an error, and the socket stays open."""
        if self.client not in self.room.clients:
            return  # The room has disconnected it; frames sent before are ignored.
        # Servers deliver buffered frames without a pause; let other tasks run in between.
        await asyncio.sleep(0)
        try:
            frame = messages.parse(text)
        except BadFrame as error:
            self._refuse(error.code, nonce=error.nonce)
            return
        match frame:
            case messages.Say():
                await self._post(frame)
            case messages.Resume(after):
                if not self.room.resume(self.client, after, time.monotonic()):
                    self._refuse("rate_limited")
            case _:
                await self._moderate(frame)

    async def _post(self, frame: messages.Say) -> None:
        refusal = rules.check(self.room.state, self.client.visitor, frame.text, time.time())
        if refusal is None:
            try:
                refusal = (
                    await self._refusal_by_sanction()
                    or await self._refusal_by_following()
                    or await self._log(frame)
                )
            except (RedisError, OSError, DatabaseError) as error:
                logger.warning("Chat message not accepted", extra={"error": repr(error)})
                refusal = rules.MessageRefusal("unavailable")
        if refusal is not None:
            self._refuse(refusal.code, nonce=frame.nonce, retry_after_s=refusal.retry_after_s)

    async def _refusal_by_sanction(self) -> rules.MessageRefusal | None:
        """Return the refusal of a person who may not post in any room, or None."""
        visitor = self.client.visitor
        assert visitor is not None  # noqa: S101 -- rules.check asks first
        if self._heard_until < time.monotonic():
            if code := await threads.reading.run(stored.silence, visitor):
                return rules.MessageRefusal(code)
            self._heard_until = time.monotonic() + SANCTIONS_BELIEVED_FOR_S
        return None

    async def _refusal_by_following(self) -> rules.MessageRefusal | None:
        visitor = self.client.visitor
        if visitor is None or visitor.can_moderate or not self.room.state.mode.followers_only:
            return None
        until, follows = self._follows
        if until < time.monotonic() or not follows:
            follows = await threads.reading.run(stored.follows, self.room.stream_id, visitor.user_id)
            self._follows = (time.monotonic() + FOLLOWING_BELIEVED_FOR_S, follows)
        return None if follows else rules.MessageRefusal("followers_only")

    async def _log(self, frame: messages.Say) -> rules.MessageRefusal | None:
        visitor = self.client.visitor
        assert visitor is not None  # noqa: S101 -- rules.check asks first
        public_id, sent_at = new_public_id(), stored.sent_at_text(timezone.now())
        limits = log.PostLimits(
            messages=MESSAGES_IN_WINDOW if settings.RATE_LIMITS else 0,
            window_s=WINDOW_S,
            slow_s=0 if visitor.can_moderate else self.room.state.mode.slow_s,
        )
        answer = await log.post(
            self.hub.client,
            self.room.stream_id,
            visitor.user_id,
            around_seq=messages.message_around_seq(
                public_id=public_id,
                user=visitor.as_json(),
                text=frame.text,
                sent_at=sent_at,
                nonce=frame.nonce,
            ),
            entry={"id": public_id, "text": frame.text, "sent_at": sent_at},
            limits=limits,
        )
        return (
            None if answer.verdict == "posted" else rules.MessageRefusal(answer.verdict, answer.retry_after_s)
        )

    async def _moderate(self, frame: messages.ClientFrame) -> None:
        if self.client.visitor is None:
            self._refuse("sign_in_required")
            return
        try:
            await threads.moderating.run(room_moderation.act, self.client.visitor, self.room.stream_id, frame)
        except Refusal as error:
            with translation.override(self.language):
                self._refuse(error.code, detail=str(error))
        except DatabaseError as error:
            logger.warning("Chat not moderated", extra={"error": repr(error)})
            self._refuse("unavailable")

    def _refuse(
        self,
        code: str,
        *,
        detail: str = "",
        nonce: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Send an error to the client; disconnect it if it does not read or floods with refused frames."""
        if self.client.sink.buffered() > self.client.unread_bound:
            self.room.end(self.client)
            return
        if not self._refusals.take(time.monotonic(), 1):
            self.room.close(self.client, TOO_SLOW)
            return
        if not detail:
            with translation.override(self.language):
                detail = str(SENTENCES[code])
        self.client.send(messages.error(code, detail, nonce=nonce, retry_after_s=retry_after_s))
