"""The live edge in Redis: the newest half minute of a broadcast, for every process that serves it.

An ingest writes it; each change is one transaction with a notice that carries the
new windows, so that no origin has to ask.  Everything expires by itself.  Redis
may lose all of it: who may watch and what was recorded stand in SQL, and the
writer puts back what is worth having.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import redis as sync_redis
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from live.llhls import shelf
from live.llhls.playlist import ListedPart, ListedSegment, RenditionInfo, Window
from live.llhls.segments import Init, Part, SegmentEnd, Shape
from live.llhls.shelf import Meta, Notice

logger = logging.getLogger(__name__)

TIMEOUT_S = 3
# A part is written within this, or the ingest goes on and it follows later.
WRITE_WAIT_S = 0.5
RETRY_S = (0.1, 0.2, 0.5, 1.0)
# What is kept to be put back into a Redis that lost it.
KEPT_SEGMENTS = 4
# While Redis is away parts pile up: half a minute of a broadcast of 8 Mb/s.
MAX_KEPT_BYTES = 32 * 1024**2
# How long a segment stays once the publisher is gone: whoever comes meanwhile sees the last picture.
AWAY_KEPT_S = 150


def connect() -> Redis:
    """Return a client for :meth:`EdgeWriter.open`, which gives up in time."""
    return Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, protocol=2
    )


class EdgeWriter:
    """What the one ingest that holds a broadcast says of it.

    The state is in memory first and is written by one task, whatever changed
    meanwhile in one transaction.  While Redis is away nothing waits: the newest
    ``MAX_KEPT_BYTES`` are written when it returns, and what is older than that is
    listed as a gap (``EXT-X-GAP``), which players step over.  A Redis that comes
    back empty is given all that is kept.
    """

    def __init__(self, redis: Redis, broadcast: str, meta: Meta, windows: dict[str, Window]) -> None:
        self._redis = redis
        self._broadcast = broadcast
        self._meta = meta
        self._windows = windows
        self._inits: dict[tuple[str, int], bytes] = {}
        self._kept: dict[tuple[str, int], dict[int, bytes]] = {}
        self._kept_bytes = 0
        self._unsaved = _Unsaved(meta=meta.fields(), windows=set(windows))
        self._is_away = False
        self._is_closing = False
        self._changed = asyncio.Event()
        self._next_save = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        redis: Redis,
        broadcast_id: str,
        shape: Shape,
        renditions: list[str],
        access: str,
        *,
        first_msn: int = 0,
        first_epoch: int = 0,
    ) -> EdgeWriter:
        """Begin a broadcast, or go on with what Redis still has of it.  Raises RedisError.

        A broadcast that goes on keeps its windows and its :attr:`shape`.
        ``first_msn`` and ``first_epoch`` come from elsewhere than Redis: no less
        will be used, so that nothing is named twice if Redis lost its memory.
        """
        held = Meta.from_hash(await redis.hgetall(shelf.meta_key(broadcast_id)))
        shape = held.shape if held else shape
        windows = {
            name: await _window(redis, broadcast_id, name) or Window.empty(shape) for name in renditions
        }
        infos = held.infos if held else {}
        meta = Meta(access, shape, tuple(renditions), infos)
        writer = cls(redis, broadcast_id, meta, _aligned(windows, first_msn, first_epoch))
        await writer._save()
        writer._task = asyncio.create_task(writer._keep_saving())
        return writer

    @property
    def shape(self) -> Shape:
        return self._meta.shape

    @property
    def next_msn(self) -> int:
        """The first segment number that no rendition has used."""
        return max((window.next_msn for window in self._windows.values()), default=0)

    @property
    def next_epoch(self) -> int:
        return max((window.epoch + 1 for window in self._windows.values()), default=0)

    async def begin_epoch(self, epoch: int, started_at: float) -> None:
        """FFmpeg runs anew: ``started_at`` is the wall clock (Unix time) of its first picture.

        Open segments are closed as they are, and renditions that fell behind get
        gaps, so that the next segment has the same number everywhere.
        """
        self._windows = {
            name: window.with_epoch(epoch, started_at) for name, window in _aligned(self._windows).items()
        }
        self._unsaved.windows |= self._windows.keys()
        await self._saved()

    async def add_init(self, rendition: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        """Declare a rendition's tracks in the current epoch, before any of its parts."""
        info = RenditionInfo(init.codecs, init.width_px, init.height_px, bandwidth_bps, frame_rate)
        self._meta = self._meta.with_info(rendition, info)
        key = (rendition, self._windows[rendition].epoch)
        self._inits[key] = init.data
        self._unsaved.inits.add(key)
        self._unsaved.meta["infos"] = self._meta.fields()["infos"]
        await self._saved()

    async def add_part(self, rendition: str, part: Part) -> None:
        """List a part.  Raises ValueError if another is due."""
        listed = ListedPart(part.duration_s, part.is_independent)
        self._windows[rendition] = self._windows[rendition].with_part(part.msn, part.number, listed)
        self._kept.setdefault((rendition, part.msn), {})[part.number] = part.data
        self._kept_bytes += len(part.data)
        self._unsaved.parts.add((rendition, part.msn, part.number))
        self._unsaved.windows.add(rendition)
        self._make_room()
        await self._saved()

    async def end_segment(self, rendition: str, end: SegmentEnd) -> None:
        """A segment is complete.  Raises ValueError if it is not the open one."""
        self._windows[rendition] = self._windows[rendition].with_end(end.msn, end.duration_s)
        self._unsaved.windows.add(rendition)
        self._unsaved.refreshes_inits = True
        self._forget_old(rendition)
        await self._saved()

    async def close(self) -> None:
        """Let go: open segments are closed, and players wait, for the broadcast may be continued."""
        self._windows = {name: window.closed() for name, window in self._windows.items()}
        self._unsaved.windows |= self._windows.keys()
        self._unsaved.is_away = True
        self._is_closing = True
        self._changed.set()
        if self._task:
            await asyncio.wait([self._task], timeout=TIMEOUT_S)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # --- What is kept -----------------------------------------------------------------

    def _forget_old(self, rendition: str) -> None:
        """Forget what is written and would not be put back."""
        oldest = self._windows[rendition].next_msn - KEPT_SEGMENTS
        waiting = {(name, msn) for name, msn, _number in self._unsaved.parts}
        for key in [key for key in self._kept if key[0] == rendition and key[1] < oldest]:
            if key not in waiting:
                self._drop(key)

    def _make_room(self) -> None:
        """Drop the oldest segments when too much is kept; those that were never written become gaps."""
        while self._kept_bytes > MAX_KEPT_BYTES and len(self._kept) > 1:
            rendition, msn = next(iter(self._kept))
            self._drop((rendition, msn))
            self._list_lost_parts()

    def _list_lost_parts(self) -> None:
        for rendition, msn, number in sorted(self._unsaved.parts):
            if number not in self._kept.get((rendition, msn), {}):
                self._unsaved.parts.discard((rendition, msn, number))
                self._windows[rendition] = self._windows[rendition].with_lost_part(msn, number)

    def _drop(self, key: tuple[str, int]) -> None:
        self._kept_bytes -= sum(map(len, self._kept.pop(key).values()))

    # --- Writing ----------------------------------------------------------------------

    async def _saved(self) -> None:
        """Wait until what changed is in Redis, but not for long, and not at all while it is away."""
        save = self._next_save
        self._changed.set()
        if not self._is_away:
            await asyncio.wait([save], timeout=WRITE_WAIT_S)

    async def _keep_saving(self) -> None:
        pauses = iter(RETRY_S)
        while not (self._is_closing and not self._unsaved):
            await self._changed.wait()
            self._changed.clear()
            done, self._next_save = self._next_save, asyncio.get_running_loop().create_future()
            try:
                await self._save()
            except (RedisError, OSError) as error:
                self._note_away(error)
                self._changed.set()
            else:
                self._is_away, pauses = False, iter(RETRY_S)
            done.set_result(None)
            if self._is_away:
                await asyncio.sleep(next(pauses, RETRY_S[-1]))

    def _note_away(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning(
                "Edge not written: Redis does not answer",
                extra={"broadcast": self._broadcast, "error": str(error)},
            )
        self._is_away = True

    async def _save(self) -> None:
        """Write what is unsaved in one transaction; see whether Redis has the rest.  Raises RedisError."""
        unsaved, self._unsaved = self._unsaved, _Unsaved()
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                self._write(pipe, unsaved)
                pipe.hgetall(shelf.meta_key(self._broadcast))
                held: dict[bytes, bytes] = (await pipe.execute())[-1]
        except BaseException:
            self._unsaved = unsaved.joined(self._unsaved)
            self._list_lost_parts()
            raise
        if access := held.get(b"access"):
            # Django's word on who may watch outlives a Redis that forgot it.
            self._meta = replace(self._meta, access=access.decode(), is_ended=held.get(b"ended") == b"1")
        if Meta.from_hash(held) is None:
            self._put_back()

    def _write(self, pipe: Pipeline, unsaved: _Unsaved) -> None:
        name = self._broadcast
        for fact, value in unsaved.meta.items():
            pipe.hset(shelf.meta_key(name), fact, value)
        for fact, value in unsaved.meta_if_missing.items():
            pipe.hsetnx(shelf.meta_key(name), fact, value)
        pipe.expire(shelf.meta_key(name), shelf.KEPT_S)
        for rendition, epoch in unsaved.inits:
            pipe.set(shelf.init_key(name, rendition, epoch), self._inits[rendition, epoch], ex=shelf.KEPT_S)
        self._write_parts(pipe, unsaved)
        windows = {rendition: self._windows[rendition] for rendition in sorted(unsaved.windows)}
        for rendition, window in windows.items():
            pipe.set(shelf.window_key(name, rendition), window.to_json(), ex=shelf.KEPT_S)
        if unsaved.refreshes_inits:
            for rendition, epoch in self._inits:
                pipe.expire(shelf.init_key(name, rendition, epoch), shelf.KEPT_S)
        if unsaved.is_away:
            for rendition, segment in self._listed():
                pipe.expire(shelf.segment_key(name, rendition, segment.msn), AWAY_KEPT_S)
        is_meta_changed = bool(unsaved.meta or unsaved.meta_if_missing)
        pipe.publish(shelf.channel(name), Notice(windows, is_meta_changed).encode())

    def _write_parts(self, pipe: Pipeline, unsaved: _Unsaved) -> None:
        kept_s = shelf.segment_kept_s(max(window.target_duration_s for window in self._windows.values()))
        for rendition, msn in sorted({(rendition, msn) for rendition, msn, _number in unsaved.parts}):
            key = shelf.segment_key(self._broadcast, rendition, msn)
            parts = self._kept[rendition, msn]
            for number in sorted(parts):
                if (rendition, msn, number) in unsaved.parts:
                    pipe.hset(key, str(number), parts[number])
            pipe.expire(key, kept_s)

    def _put_back(self) -> None:
        """Redis has lost what it held: list what is kept, and write all of that again."""
        logger.warning("Edge written again: Redis had lost it", extra={"broadcast": self._broadcast})
        for name, window in self._windows.items():
            kept = [msn for rendition, msn in self._kept if rendition == name]
            # The open segment stays in any case: more of its parts will come.
            self._windows[name] = window.without_before(min([*kept, window.last_msn + 1]))
        fields = self._meta.fields()
        # What Django may have said meanwhile stands.
        missing = {name: fields.pop(name) for name in ("access", "ended")}
        everything = _Unsaved(
            meta=fields,
            meta_if_missing=missing,
            inits=set(self._inits),
            windows=set(self._windows),
            parts={(*key, number) for key, parts in self._kept.items() for number in parts},
        )
        self._unsaved = everything.joined(self._unsaved)
        self._changed.set()

    def _listed(self) -> Iterator[tuple[str, ListedSegment]]:
        return ((name, segment) for name, window in self._windows.items() for segment in window.segments)


@dataclass(slots=True)
class _Unsaved:
    """What Redis does not know yet."""

    meta: dict[str, str] = field(default_factory=dict)
    meta_if_missing: dict[str, str] = field(default_factory=dict)
    windows: set[str] = field(default_factory=set)
    inits: set[tuple[str, int]] = field(default_factory=set)
    parts: set[tuple[str, int, int]] = field(default_factory=set)
    refreshes_inits: bool = False
    is_away: bool = False

    def __bool__(self) -> bool:
        return bool(self.meta or self.meta_if_missing or self.windows or self.inits or self.parts)

    def joined(self, later: _Unsaved) -> _Unsaved:
        return _Unsaved(
            meta=self.meta | later.meta,
            meta_if_missing=self.meta_if_missing | later.meta_if_missing,
            windows=self.windows | later.windows,
            inits=self.inits | later.inits,
            parts=self.parts | later.parts,
            refreshes_inits=self.refreshes_inits or later.refreshes_inits,
            is_away=self.is_away or later.is_away,
        )


async def _window(redis: Redis, broadcast: str, rendition: str) -> Window | None:
    text = await redis.get(shelf.window_key(broadcast, rendition))
    return Window.from_json(text) if text else None


def _aligned(windows: Mapping[str, Window], first_msn: int = 0, first_epoch: int = 0) -> dict[str, Window]:
    """Bring all renditions to the same next segment: where one misses some, they become gaps."""
    ahead = max((window.closed() for window in windows.values()), key=lambda window: window.next_msn)
    if ahead.next_msn < first_msn or ahead.epoch + 1 < first_epoch:
        msn, epoch = max(ahead.next_msn, first_msn), max(ahead.epoch, first_epoch - 1)
        return {name: Window.empty(ahead.shape, next_msn=msn, last_epoch=epoch) for name in windows}
    return {name: _caught_up(window.closed(), ahead) for name, window in windows.items()}


def _caught_up(window: Window, ahead: Window) -> Window:
    missing = [segment for segment in ahead.segments if segment.msn >= window.next_msn]
    if missing and missing[0].msn == window.next_msn:
        return window.with_gaps(missing)
    if window.next_msn == ahead.next_msn:
        return window
    # Too far behind to be told in gaps, or never begun.
    return replace(ahead, segments=())


# --- From Django and from tasks -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TailSegment:
    """A segment that Redis still holds, whole or as far as it came."""

    rendition: str
    msn: int
    epoch: int
    duration_s: float
    is_discontinuous: bool
    starts_at: float  # its first picture's wall clock, Unix time
    init: bytes
    data: bytes


def set_access(broadcast: str, access: str) -> None:
    """Serve the media of ``broadcast`` (its public id) under ``access`` only.  Raises RedisError."""
    _set(broadcast, "access", access)


def end(broadcast: str) -> None:
    """Tell players that nothing follows (``EXT-X-ENDLIST``), also those that wait."""
    _set_quietly(broadcast, "ended", "1")


def reopen(broadcast: str) -> None:
    """Take an end back, as a publisher returned."""
    _set_quietly(broadcast, "ended", "0")


def tail(broadcast: str, after_msn: int) -> list[TailSegment]:
    """Return what Redis still holds beyond segment ``after_msn``, oldest first, the open one too."""
    with _client() as client:
        meta = Meta.from_hash(client.hgetall(shelf.meta_key(broadcast)))
        segments = [
            found
            for name in (meta.renditions if meta else ())
            for found in _tail_of(client, broadcast, name, after_msn)
        ]
    return sorted(segments, key=lambda segment: (segment.msn, segment.rendition))


def _tail_of(client: sync_redis.Redis, broadcast: str, name: str, after_msn: int) -> Iterator[TailSegment]:
    text = client.get(shelf.window_key(broadcast, name))
    window = Window.from_json(text) if isinstance(text, bytes) else None
    for segment in window.segments if window else ():
        if segment.msn <= after_msn or segment.is_gap:
            continue
        data = shelf.joined(client.hgetall(shelf.segment_key(broadcast, name, segment.msn)))
        init = client.get(shelf.init_key(broadcast, name, segment.epoch))
        if data and isinstance(init, bytes):
            yield TailSegment(
                name,
                segment.msn,
                segment.epoch,
                segment.length_s,
                segment.is_discontinuous,
                segment.starts_at,
                init,
                data,
            )


def _set_quietly(broadcast: str, name: str, value: str) -> None:
    """SQL knows already; players find out when their requests time out."""
    try:
        _set(broadcast, name, value)
    except RedisError:
        logger.warning("Edge not told: Redis does not answer", extra={"broadcast": broadcast})


def _set(broadcast: str, name: str, value: str) -> None:
    with _client() as client, client.pipeline(transaction=True) as pipe:
        pipe.hset(shelf.meta_key(broadcast), name, value)
        pipe.expire(shelf.meta_key(broadcast), shelf.KEPT_S)
        pipe.publish(shelf.channel(broadcast), Notice(is_meta_changed=True).encode())
        pipe.execute()


def _client() -> sync_redis.Redis:
    return sync_redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S
    )
