"""Origin of the live edge for players: ``/live-media/{broadcast}/{access}/…``.

The ASGI application stands in front of Django and uses neither sessions nor SQL.
A request for media that do not exist yet is held until a notice from Redis
(:mod:`.reader`) makes it ready; nothing is polled.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from common.addresses import client_network
from common.buckets import Charge, LocalBuckets
from common.content_coding import accepts_gzip
from common.holding import Holding
from common.rates import RATES
from live.edge import keys
from live.edge.cache import SegmentCache
from live.edge.reader import EdgeReader, EdgeUnavailable, FollowedBroadcast
from live.llhls.playlist import Window, render_multivariant
from live.llhls.reload import BLOCK_TARGETS, BadDirectives, Reload, decide, parse
from live.redis_connections import new_origin_client

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PREFIX = "/live-media/"
MAX_WAITING = 20_000
# A player waits for a playlist and a part; a school may have three hundred players.
MAX_WAITING_PER_ADDRESS = 1000
MEDIA_MAX_AGE_S = 3600
OPEN = "open"
PLAYLIST = b"application/vnd.apple.mpegurl"
MP4 = b"video/mp4"

_PATH = re.compile(
    rf"{PREFIX}(?P<broadcast>[\w-]{{1,32}})/(?P<access>[\w-]{{1,64}})/"
    r"(?:(?P<playlist>\w{1,16})\.m3u8"
    r"|(?P<rendition>\w{1,16})/(?:init-(?P<epoch>\d{1,9})\.mp4|(?P<msn>\d{1,9})(?:\.(?P<part>\d{1,9}))?\.m4s))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class MediaResponse:
    """HTTP response; errors have no body, because players do not read it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


NOT_FOUND = MediaResponse(404)
BAD_REQUEST = MediaResponse(400)
NOT_ALLOWED = MediaResponse(405, headers=((b"allow", b"GET, HEAD, OPTIONS"),))
TOO_MANY = MediaResponse(429, headers=((b"retry-after", b"1"),))
UNAVAILABLE = MediaResponse(503, headers=((b"retry-after", b"1"),))
PREFLIGHT = MediaResponse(
    204,
    headers=(
        (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
        (b"access-control-allow-headers", b"*"),
        (b"access-control-max-age", b"86400"),
    ),
)


class PlayerGone(Exception):
    """Error: the player disconnected while it waited."""


class EdgeOrigin:
    """Origin of all broadcasts that ingests write to the Redis at ``redis_url``."""

    def __init__(
        self,
        redis_url: str,
        *,
        max_waiting: int = MAX_WAITING,
        max_waiting_per_address: int = MAX_WAITING_PER_ADDRESS,
        has_limits: bool = True,
    ) -> None:
        self._redis = new_origin_client(redis_url)
        self._following = EdgeReader(self._redis)
        self._cache = SegmentCache()
        most_of_one = max_waiting_per_address if has_limits else max_waiting
        self._holding = Holding(most=max_waiting, most_of_one=most_of_one)
        self._has_limits = has_limits
        self._buckets = LocalBuckets()

    @property
    def waiting(self) -> int:
        """Return the number of held requests."""
        return self._holding.total

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        network = client_network(scope)
        player = _Player(receive, network)
        try:
            charge = Charge("live_media", network, RATES["live_media"])
            is_too_much = self._has_limits and self._buckets.take((charge,)) > 0
            answer = TOO_MANY if is_too_much else await self._answer(scope, player)
        except PlayerGone:
            return
        finally:
            player.forget()
        await _send(send, answer, has_body=scope["method"] != "HEAD")

    async def aclose(self) -> None:
        await self._following.aclose()

    async def _answer(self, scope: Message, player: _Player) -> MediaResponse:
        if scope["method"] == "OPTIONS":
            return PREFLIGHT
        if scope["method"] not in {"GET", "HEAD"}:
            return NOT_ALLOWED
        path = _PATH.fullmatch(scope["path"])
        if path is None:
            return NOT_FOUND
        try:
            followed = await self._following.get(path["broadcast"])
            if followed is None:
                return NOT_FOUND
            request = _Request(self, followed, path["access"], player)
            if path["playlist"]:
                return await self._playlist(request, path["playlist"], scope)
            return await self._media(request, path)
        except EdgeUnavailable:
            return UNAVAILABLE

    async def _playlist(self, request: _Request, name: str, scope: Message) -> MediaResponse:
        if name == "multivariant":
            return await self._multivariant(request)
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        is_compressed = accepts_gzip(accepted.decode("latin-1"))
        window = request.window(name)
        try:
            directives = parse(scope["query_string"].decode("latin-1"))
        except BadDirectives:
            return BAD_REQUEST if window else NOT_FOUND
        while window and (verdict := decide(window, directives)) is Reload.WAIT:
            await request.wait(name, window)
            window = request.window(name)
        if window is None:
            return NOT_FOUND
        if verdict is not Reload.READY:
            return BAD_REQUEST
        body = request.followed.playlist(
            name, window, is_delta=directives.is_delta, is_compressed=is_compressed
        )
        encoding = ((b"content-encoding", b"gzip"),) if is_compressed else ()
        return _playlist_answer(body, *encoding)

    async def _multivariant(self, request: _Request) -> MediaResponse:
        """Return the list of renditions, once all are declared and the best has a complete segment."""
        while (meta := request.meta) is not None:
            first = meta.renditions[0]
            window = request.window(first)
            is_whole = len(meta.known) == len(meta.renditions)
            if window is None or window.is_ended or (is_whole and window.last_msn >= 0):
                break
            await request.wait(first, window)
        if meta is None or not meta.known:
            return NOT_FOUND
        return _playlist_answer(render_multivariant(meta.known).encode())

    async def _media(self, request: _Request, path: re.Match[str]) -> MediaResponse:
        name = path["rendition"]
        if request.window(name) is None:
            return NOT_FOUND
        if path["epoch"]:
            data = await self._init(request.followed, name, int(path["epoch"]))
        elif path["part"]:
            data = await self._part(request, name, int(path["msn"]), int(path["part"]))
        else:
            data = await self._segment(request, name, int(path["msn"]))
        if data is None:
            return NOT_FOUND
        reach = b"public" if path["access"] == OPEN else b"private"
        caching = b"%s, max-age=%d" % (reach, MEDIA_MAX_AGE_S)
        return MediaResponse(200, data, ((b"content-type", MP4), (b"cache-control", caching)))

    async def _init(self, followed: FollowedBroadcast, name: str, epoch: int) -> bytes | None:
        key = keys.init_key(followed.name, name, epoch)

        async def fetch() -> bytes | None:
            data = await self._redis.get(key)
            return data if isinstance(data, bytes) else None

        return await self._fetched(key, fetch)

    async def _part(self, request: _Request, name: str, msn: int, number: int) -> bytes | None:
        """Return a part's bytes; wait for a part that could be the next."""
        while (window := request.window(name)) and not _has_part(window, msn, number):
            if window.is_ended or not window.may_follow(msn, number):
                return None
            await request.wait(name, window)
        if window is None:
            return None
        key = keys.segment_key(request.followed.name, name, msn)

        async def fetch() -> bytes | None:
            data = await self._redis.hget(key, str(number))
            return data if isinstance(data, bytes) else None

        return await self._fetched(f"{key}.{number}", fetch)

    async def _segment(self, request: _Request, name: str, msn: int) -> bytes | None:
        """Return the bytes of a complete segment: its parts in order."""
        window = request.window(name)
        if window is None or msn > window.last_msn:
            return None
        key = keys.segment_key(request.followed.name, name, msn)

        async def fetch() -> bytes | None:
            return keys.joined(await self._redis.hgetall(key))

        return await self._fetched(key, fetch)

    async def _fetched(
        self, key: str, fetch: Callable[[], Coroutine[Any, Any, bytes | None]]
    ) -> bytes | None:
        try:
            return await self._cache.get(key, fetch)
        except (RedisError, OSError) as error:
            raise EdgeUnavailable from error

    async def wait(self, followed: FollowedBroadcast, rendition: str, player: _Player, until: float) -> None:
        """Wait for the next change of ``rendition``.

        Raises EdgeUnavailable if none arrives before ``until`` or too many requests wait,
        and PlayerGone if the player leaves.
        """
        if not self._holding.enter(player.network):
            raise EdgeUnavailable("too many wait")
        followed.waiting_requests += 1
        try:
            await player.wait(followed.next_change(rendition), until)
        finally:
            self._holding.leave(player.network)
            followed.waiting_requests -= 1


class _Request:
    """Request for a broadcast's media; its access is checked again after every wait."""

    def __init__(self, origin: EdgeOrigin, followed: FollowedBroadcast, access: str, player: _Player) -> None:
        self.followed = followed
        self._origin = origin
        self._access = access
        self._player = player
        self._since = asyncio.get_running_loop().time()

    @property
    def meta(self) -> keys.EdgeMeta | None:
        """Return the broadcast's meta; None if the request's access is not the current one."""
        meta = self.followed.meta
        is_open = meta is not None and hmac.compare_digest(meta.access.encode(), self._access.encode())
        return meta if is_open else None

    def window(self, rendition: str) -> Window | None:
        return self.followed.window(rendition) if self.meta else None

    async def wait(self, rendition: str, window: Window) -> None:
        until = self._since + BLOCK_TARGETS * window.target_duration_s
        await self._origin.wait(self.followed, rendition, self._player, until)


class _Player:
    """Client of a request; its disconnection is watched only if the request has to wait."""

    def __init__(self, receive: Receive, network: str) -> None:
        self.network = network
        self._receive = receive
        self._leaving: asyncio.Task[None] | None = None

    async def wait(self, changed: asyncio.Future[None], until: float) -> None:
        loop = asyncio.get_running_loop()
        if self._leaving is None:
            self._leaving = loop.create_task(self._left())
        await asyncio.wait(
            {changed, self._leaving},
            timeout=max(0, until - loop.time()),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._leaving.done():
            raise PlayerGone
        if not changed.done():
            raise EdgeUnavailable("nothing came in time")

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def forget(self) -> None:
        if self._leaving:
            self._leaving.cancel()


def _has_part(window: Window, msn: int, number: int) -> bool:
    """Return whether the part exists, as far as the window lists it; for older ones Redis decides."""
    segment = window.find(msn)
    if segment is None:
        return msn < window.next_msn
    is_remembered = bool(segment.parts)
    return number < len(segment.parts) if is_remembered else True


def _playlist_answer(body: bytes, *headers: tuple[bytes, bytes]) -> MediaResponse:
    fixed = ((b"content-type", PLAYLIST), (b"vary", b"accept-encoding"))
    return MediaResponse(200, body, (*fixed, *headers))


async def _send(send: Send, answer: MediaResponse, *, has_body: bool) -> None:
    headers = [
        *answer.headers,
        (b"content-length", str(len(answer.body)).encode()),
        (b"access-control-allow-origin", b"*"),
        # Players compute the age of a cached playlist from these.
        (b"access-control-expose-headers", b"Age, Date"),
        (b"age", b"0"),
    ]
    if not any(name == b"cache-control" for name, _value in headers):
        headers.append((b"cache-control", b"no-cache"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if has_body else b""})
