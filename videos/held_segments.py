"""Requests for segments that are not encoded yet, held in front of Django without a thread.

Django decides each request (``views.delivery.segment``): access, address, redirect.
If its answer names an awaited segment, the request waits here for the wake-up of
:mod:`videos.arrivals`, and Django decides again, with the access of that moment.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from common.addresses import client_network
from common.holding import Holding
from common.threads import SqlThreads
from videos.arrivals import Arrivals, Wanted
from videos.models import Video
from videos.publishing import Encode

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Proxies give up after 60 s, and players of others before.
HELD_FOR_S = 45.0
MAX_WAITING = 4000
# A player waits for a segment of video and one of audio.
MAX_WAITING_PER_ADDRESS = 200
MAX_READERS = 2

PATH = re.compile(r"/videos/[^/]+/hls/[^/]+/[\w-]+/(?:\d+\.m4s|init\.mp4)", re.ASCII)
# A header of Django's answer that no client sees: the fields of ``Wanted``.
AWAITS = b"x-awaits"

_readers = SqlThreads("segments", MAX_READERS)


class HeldSegments:
    """ASGI middleware that holds requests for awaited segments, up to ``HELD_FOR_S``."""

    def __init__(self, application: Any, redis_url: str, *, has_limits: bool = True) -> None:
        self._application = application
        self._redis_url = redis_url
        most_of_one = MAX_WAITING_PER_ADDRESS if has_limits else MAX_WAITING
        self._holding = Holding(most=MAX_WAITING, most_of_one=most_of_one)
        self._arrivals: Arrivals | None = None

    @property
    def waiting(self) -> int:
        """Return the number of held requests."""
        return self._holding.total

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"} or not PATH.fullmatch(scope["path"]):
            await self._application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        leaving = loop.create_task(_left(receive))
        until = loop.time() + HELD_FOR_S
        try:
            answer = await self._ask(scope, leaving)
            while answer.awaits and await self._wait(answer.awaits, client_network(scope), leaving, until):
                answer = await self._ask(scope, leaving)
            if not leaving.done():
                await answer.send(send)
        finally:
            leaving.cancel()

    async def aclose(self) -> None:
        if self._arrivals:
            await self._arrivals.aclose()

    async def _ask(self, scope: Message, leaving: asyncio.Task[None]) -> _Answer:
        """Return Django's answer to the request as it is now."""
        answer = _Answer()
        is_read = False

        async def receive() -> Message:
            nonlocal is_read
            if not is_read:
                is_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.shield(leaving)
            return {"type": "http.disconnect"}

        await self._application(dict(scope), receive, answer.receive)
        return answer

    async def _wait(self, wanted: Wanted, network: str, leaving: asyncio.Task[None], until: float) -> bool:
        """Wait for the segment; return False if the client left, the time is over or too many wait."""
        if self._arrivals is None:
            self._arrivals = Arrivals(self._redis_url, still_awaited)
        loop = asyncio.get_running_loop()
        if loop.time() >= until or not self._holding.enter(network):
            return False
        arrival = loop.create_task(self._arrivals.wait(wanted))
        try:
            await asyncio.wait(
                {arrival, leaving}, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED
            )
            return arrival.done() and not leaving.done()
        finally:
            self._holding.leave(network)
            arrival.cancel()


async def still_awaited(encode_key: str, asked: set[Wanted]) -> set[Wanted]:
    """Return the segments among ``asked`` that may still come, under an access that has not changed."""
    return await _readers.run(_still_awaited, encode_key, asked)


def _still_awaited(encode_key: str, asked: set[Wanted]) -> set[Wanted]:
    videos = Video.objects.select_related("channel__owner")
    video = videos.filter(encode_key=encode_key, is_playable=True).first()
    if video is None or video.status != Video.Status.PROCESSING:
        return set()
    encode = Encode.of(video)
    return {
        wanted
        for wanted in asked
        if wanted.access == video.access and encode.awaits(wanted.rendition, wanted.number)
    }


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(slots=True)
class _Answer:
    """The messages of one answer of Django, kept until it is decided whether the client gets them."""

    messages: list[Message] = field(default_factory=list)
    awaits: Wanted | None = None

    async def receive(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            named = next((value for name, value in headers if name.lower() == AWAITS), None)
            if named:
                self.awaits = Wanted(*named.decode().split("/"))
            message["headers"] = [header for header in headers if header[0].lower() != AWAITS]
        self.messages.append(message)

    async def send(self, send: Send) -> None:
        for message in self.messages:
            await send(message)
