"""The chat socket: who comes in, what their frames ask for, and how they leave.

Channels routes; from there the socket is a plain ASGI application, because what
is said reaches it through the hub and no channel layer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone, translation
from django.utils.translation.trans_real import parse_accept_lang_header
from redis.exceptions import RedisError

from live.chat import log, messages, moderation, rules, tickets
from live.chat.errors import SENTENCES
from live.chat.hub import Hub, NoSuchRoom, Unavailable, open_room
from live.chat.messages import BadFrame
from live.chat.room import BANNED, NO_SUCH_ROOM, TICKET_INVALID, TOO_SLOW, Allowance, Client, Room
from live.chat.transports import Send, sink_for
from videos.models import new_public_id
from videos.services.errors import ServiceError

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

RESTARTING = 1012
# A person's own messages, through all of their sockets.
MESSAGES_IN_WINDOW, WINDOW_S = 20, 30
# What was refused; whoever is refused more than that is not listening.
REFUSALS_PER_S, REFUSALS_AT_ONCE = 5, 100
FOLLOWING_BELIEVED_FOR_S = 30
SANCTIONS_BELIEVED_FOR_S = 15


async def chat(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """``/ws/live/{username}/chat/``, from the handshake to the end."""
    await receive()  # websocket.connect
    # Browsers learn a close code only from a socket that was open.
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
    except Unavailable:
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
    conversation = Conversation(hub, room, Client(sink_for(send), visitor), language_of(scope))
    try:
        room.join(conversation.client)
        while (message := await receive())["type"] != "websocket.disconnect":
            await conversation.hear(message.get("text"))
    except asyncio.CancelledError:
        conversation.client.sink.close(RESTARTING)
        raise
    finally:
        room.leave(conversation.client)


def language_of(scope: dict[str, Any]) -> str:
    """The language of the page behind a socket: the cookie of the switch, else what the browser prefers."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == settings.LANGUAGE_COOKIE_NAME and value in dict(settings.LANGUAGES):
            return value
    for wanted, _ in parse_accept_lang_header(headers.get(b"accept-language", b"").decode("latin-1")[:200]):
        try:
            return translation.get_supported_language_variant(wanted)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)


class Conversation:
    """One client's frames, one after the other."""

    def __init__(self, hub: Hub, room: Room, client: Client, language: str) -> None:
        self.hub = hub
        self.room = room
        self.client = client
        self.language = language
        self._refusals = Allowance(REFUSALS_PER_S, REFUSALS_AT_ONCE, REFUSALS_AT_ONCE)
        self._follows = (0.0, False)  # until when we believe it, and what
        self._may_speak = (0.0, False)

    async def hear(self, text: str | None) -> None:
        """Do what a frame asks for; whatever cannot be done is answered, and ends nothing."""
        try:
            frame = messages.parse(text)
        except BadFrame as error:
            self._refuse(error.code, nonce=error.nonce)
            return
        match frame:
            case messages.Say():
                await self._say(frame)
            case messages.Resume(after):
                self.room.resume(self.client, after)
            case _:
                await self._moderate(frame)

    async def _say(self, said: messages.Say) -> None:
        refusal = rules.check(self.room.state, self.client.visitor, said.text, time.time())
        if refusal is None:
            try:
                refusal = (
                    await self._refusal_by_sanction()
                    or await self._refusal_by_following()
                    or await self._log(said)
                )
            except (RedisError, OSError, DatabaseError) as error:
                logger.warning("Chat message not taken", extra={"error": repr(error)})
                refusal = rules.Refusal("unavailable")
        if refusal is not None:
            self._refuse(refusal.code, nonce=said.nonce, retry_after_s=refusal.retry_after_s)

    async def _refusal_by_sanction(self) -> rules.Refusal | None:
        """What the site's moderators have silenced is silent in every room."""
        visitor = self.client.visitor
        assert visitor is not None  # noqa: S101 -- rules.check asks first
        until, may_speak = self._may_speak
        if until < time.monotonic() or not may_speak:
            may_speak = await database_sync_to_async(moderation.may_speak)(visitor.user_id)
            self._may_speak = (time.monotonic() + SANCTIONS_BELIEVED_FOR_S, may_speak)
        return None if may_speak else rules.Refusal("silenced")

    async def _refusal_by_following(self) -> rules.Refusal | None:
        visitor = self.client.visitor
        if visitor is None or visitor.can_moderate or not self.room.state.mode.followers_only:
            return None
        until, follows = self._follows
        if until < time.monotonic() or not follows:
            follows = await database_sync_to_async(moderation.follows)(self.room.stream_id, visitor.user_id)
            self._follows = (time.monotonic() + FOLLOWING_BELIEVED_FOR_S, follows)
        return None if follows else rules.Refusal("followers_only")

    async def _log(self, said: messages.Say) -> rules.Refusal | None:
        visitor = self.client.visitor
        assert visitor is not None  # noqa: S101 -- rules.check asks first
        public_id, sent_at = new_public_id(), moderation.sent_at_text(timezone.now())
        limits = log.Limits(
            messages=MESSAGES_IN_WINDOW if settings.RATE_LIMITS else 0,
            window_s=WINDOW_S,
            slow_s=0 if visitor.can_moderate else self.room.state.mode.slow_s,
        )
        answer = await log.say(
            self.hub.client,
            self.room.stream_id,
            visitor.user_id,
            around_seq=messages.message_around_seq(
                public_id=public_id,
                user=visitor.as_json(),
                text=said.text,
                sent_at=sent_at,
                nonce=said.nonce,
            ),
            entry={"id": public_id, "text": said.text, "sent_at": sent_at},
            limits=limits,
        )
        return None if answer.verdict == "said" else rules.Refusal(answer.verdict, answer.retry_after_s)

    async def _moderate(self, frame: messages.Frame) -> None:
        if self.client.user_id is None:
            self._refuse("sign_in_required")
            return
        try:
            await database_sync_to_async(moderation.act)(self.client.user_id, self.room.stream_id, frame)
        except ServiceError as error:
            with translation.override(self.language):
                self._refuse(error.code, detail=str(error.sentence))
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
        """Tell the client why not; one that goes on regardless is ended."""
        if not self._refusals.take(time.monotonic(), 1):
            self.room.close(self.client, TOO_SLOW)
            return
        if not detail:
            with translation.override(self.language):
                detail = str(SENTENCES[code])
        self.client.say(messages.error(code, detail, nonce=nonce, retry_after_s=retry_after_s))
