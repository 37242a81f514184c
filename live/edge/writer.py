"""Writer of the live edge, in the ingest that has the broadcast.

Each change is one script with a notice that carries the new
windows, so that origins never poll.  Two ingests may hold a broadcast while one of
them drains: each write carries its writer's generation (``Broadcast.generation``),
and Redis rejects writes after those of a newer generation.  Everything expires by
itself.  Redis may lose all of it: access and recorded segments are in SQL, and the
writer restores the newest segments.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from live.edge import keys
from live.edge.keys import EdgeMeta, EdgeNotice
from live.llhls.playlist import ListedPart, RenditionInfo, Window
from live.llhls.segments import Init, Part, SegmentEnd, Shape

logger = logging.getLogger(__name__)

# Time for the last write of a writer that closes.
CLOSE_WITHIN_S = 3
# A write may take this long; then the ingest continues, and the part is written later.
WRITE_WAIT_S = 0.5
RETRY_S = (0.1, 0.2, 0.5, 1.0)
# Segments of each rendition that are kept in memory for a Redis that has lost them.
KEPT_SEGMENTS = 4
# Bound for parts while Redis is away: half a minute of a broadcast of 8 Mb/s.
MAX_KEPT_BYTES = 32 * 1024**2
# Lifetime of a segment after the publisher has gone: new viewers then see the last frames.
AWAY_KEPT_S = 150


# KEYS 1: the meta.  ARGV: the writer's generation, seconds to keep the meta, then
# commands, each after its number of words.  Returns the previous writer's generation
# and the meta.  If that writer is newer, nothing is written.
_WRITE = """
local mine = tonumber(ARGV[1])
local before = tonumber(redis.call('HGET', KEYS[1], 'writer') or '-1')
if before > mine then return {before, {}} end
redis.call('HSET', KEYS[1], 'writer', ARGV[1])
local at = 3
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {before, redis.call('HGETALL', KEYS[1])}
"""


class Overtaken(Exception):
    """Error: a newer publisher writes this broadcast's edge; our write was rejected."""


class EdgeWriter:
    """Writer of one broadcast's edge, used by the ingest that holds it.

    The state is kept in memory, and one task writes all pending changes at once.  No
    publisher waits while Redis is away: the newest ``MAX_KEPT_BYTES`` are written after
    it returns, and older parts are listed as gaps (``EXT-X-GAP``), which players skip.
    An empty Redis receives all that is kept; a full one only each rendition's newest
    segment.
    """

    def __init__(
        self, redis: Redis, broadcast: str, meta: EdgeMeta, windows: dict[str, Window], generation: int
    ) -> None:
        self._redis = redis
        self._broadcast = broadcast
        self._generation = generation
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
        first_media_s: float = 0.0,
        generation: int = 1,
    ) -> EdgeWriter:
        """Begin a broadcast, or continue the one in Redis.

        Raises RedisError, and Overtaken if a writer of a higher ``generation`` has
        opened it.

        A continued broadcast keeps its windows and its :attr:`shape`.  ``first_msn``,
        ``first_epoch`` and ``first_media_s`` are lower bounds from SQL: no name and no
        timestamp is used twice, even if Redis has lost its memory.
        """
        # From here on an older writer cannot change the state that is read next.
        _before, fields = await _run(redis, broadcast_id, generation, _Commands())
        held = EdgeMeta.from_hash(fields)
        shape = held.shape if held else shape
        texts = {name: await redis.get(keys.window_key(broadcast_id, name)) for name in renditions}
        windows = {
            name: Window.from_json(text) if text else Window.empty(shape) for name, text in texts.items()
        }
        infos = held.infos if held else {}
        meta = EdgeMeta(access, shape, tuple(renditions), infos)
        aligned = _aligned(windows, first_msn, first_epoch, first_media_s)
        writer = cls(redis, broadcast_id, meta, aligned, generation)
        await writer._save()
        writer._task = asyncio.create_task(writer._keep_saving())
        return writer

    @property
    def shape(self) -> Shape:
        return self._meta.shape

    @property
    def next_msn(self) -> int:
        """Return the first segment number that no rendition has used."""
        return max((window.next_msn for window in self._windows.values()), default=0)

    @property
    def next_epoch(self) -> int:
        return max((window.epoch + 1 for window in self._windows.values()), default=0)

    @property
    def media_end_s(self) -> float:
        """Return the end of the media on the broadcast's timeline."""
        return max((window.media_end_s for window in self._windows.values()), default=0.0)

    async def begin_epoch(self, epoch: int, started_at: float) -> float:
        """Begin a run of FFmpeg; ``started_at`` is the wall clock (Unix time) of its first frame.

        Return the listed start, which is not before the end of the previous epoch.  Open
        segments are closed as they are, and renditions that are behind get gaps, so that
        the next segment has the same number in all of them.
        """
        aligned = _aligned(self._windows)
        listed_at = max(
            (window.with_epoch(epoch, started_at).epoch_started_at for window in aligned.values()),
            default=started_at,
        )
        self._windows = {name: window.with_epoch(epoch, listed_at) for name, window in aligned.items()}
        self._unsaved.windows |= self._windows.keys()
        await self._saved()
        return listed_at

    async def add_init(self, rendition: str, init: Init, *, bandwidth_bps: int, frame_rate: float) -> None:
        """Declare a rendition's tracks in the current epoch, before any of its parts.

        A measured peak is kept while the frame size stays the same: the window still lists its segment.
        """
        known = self._meta.infos.get(rendition)
        if known is not None and (known.width_px, known.height_px) == (init.width_px, init.height_px):
            bandwidth_bps = max(known.bandwidth_bps, bandwidth_bps)
        info = RenditionInfo(init.codecs, init.width_px, init.height_px, bandwidth_bps, frame_rate)
        self._meta = self._meta.with_info(rendition, info)
        key = (rendition, self._windows[rendition].epoch)
        self._inits[key] = init.data
        self._unsaved.inits.add(key)
        self._unsaved.meta["infos"] = self._meta.fields()["infos"]
        await self._saved()

    async def declare_peak(self, rendition: str, bandwidth_bps: int) -> None:
        """Declare a measured bandwidth if it is higher than the declared one."""
        info = self._meta.infos.get(rendition)
        if info is not None and bandwidth_bps > info.bandwidth_bps:
            self._meta = self._meta.with_info(rendition, replace(info, bandwidth_bps=bandwidth_bps))
            self._unsaved.meta["infos"] = self._meta.fields()["infos"]
            await self._saved()

    async def add_part(self, rendition: str, part: Part) -> None:
        """List a part.  Raises ValueError if another is due."""
        listed = ListedPart(part.duration_s, part.is_independent)
        window = self._windows[rendition].with_part(part.msn, part.number, listed)
        self._windows[rendition] = replace(window, media_end_s=max(window.media_end_s, part.end_s))
        self._kept.setdefault((rendition, part.msn), {})[part.number] = part.data
        self._kept_bytes += len(part.data)
        self._unsaved.parts.add((rendition, part.msn, part.number))
        self._unsaved.windows.add(rendition)
        self._make_room()
        await self._saved()

    async def end_segment(self, rendition: str, end: SegmentEnd) -> None:
        """End the open segment.  Raises ValueError if it is another one."""
        self._windows[rendition] = self._windows[rendition].with_end(end.msn, end.duration_s)
        self._unsaved.windows.add(rendition)
        self._unsaved.refreshes_inits = True
        self._forget_old(rendition)
        await self._saved()

    def check(self) -> None:
        """Raise the error that ended the writing task, if any: Overtaken, or another."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Close open segments and stop writing; players wait, because the broadcast may be continued."""
        self._windows = {name: window.closed() for name, window in self._windows.items()}
        self._unsaved.windows |= self._windows.keys()
        self._unsaved.is_away = True
        self._is_closing = True
        self._changed.set()
        if self._task:
            await asyncio.wait([self._task], timeout=CLOSE_WITHIN_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _forget_old(self, rendition: str) -> None:
        """Drop written segments and inits that would not be restored."""
        oldest = self._windows[rendition].next_msn - KEPT_SEGMENTS
        waiting = {(name, msn) for name, msn, _number in self._unsaved.parts}
        for key in [key for key in self._kept if key[0] == rendition and key[1] < oldest]:
            if key not in waiting:
                self._drop(key)
        window = self._windows[rendition]
        first_epoch = min([segment.epoch for segment in window.segments], default=window.epoch)
        for key in [key for key in self._inits if key[0] == rendition and key[1] < first_epoch]:
            del self._inits[key]

    def _make_room(self) -> None:
        """Drop the oldest segments above ``MAX_KEPT_BYTES``; unwritten parts become gaps."""
        while self._kept_bytes > MAX_KEPT_BYTES:
            rendition, msn = next(iter(self._kept))
            self._drop((rendition, msn))
            self._list_lost_parts()

    def _keep_newest(self) -> None:
        """Drop all but the newest segment of each rendition: a full Redis accepts no backlog."""
        newest = dict(sorted(self._kept))
        for key in [key for key in self._kept if newest[key[0]] != key[1]]:
            self._drop(key)
        self._list_lost_parts()

    def _list_lost_parts(self) -> None:
        for rendition, msn, number in sorted(self._unsaved.parts):
            if number not in self._kept.get((rendition, msn), {}):
                self._unsaved.parts.discard((rendition, msn, number))
                self._windows[rendition] = self._windows[rendition].with_lost_part(msn, number)

    def _drop(self, key: tuple[str, int]) -> None:
        self._kept_bytes -= sum(map(len, self._kept.pop(key).values()))

    async def _saved(self) -> None:
        """Wait until the changes are in Redis, at most ``WRITE_WAIT_S``, and not while it is away.

        Raises Overtaken, or the error that ended the writing task.
        """
        self.check()
        save = self._next_save
        self._changed.set()
        if not self._is_away:
            await asyncio.wait([save], timeout=WRITE_WAIT_S)
            self.check()

    async def _keep_saving(self) -> None:
        pauses = iter(RETRY_S)
        while not (self._is_closing and not self._unsaved):
            await self._changed.wait()
            self._changed.clear()
            done, self._next_save = self._next_save, asyncio.get_running_loop().create_future()
            try:
                await self._save()
            except (RedisError, OSError) as error:
                self._mark_away(error)
                if isinstance(error, OutOfMemoryError):
                    self._keep_newest()
                self._changed.set()
            else:
                self._is_away, pauses = False, iter(RETRY_S)
            finally:
                done.set_result(None)
            if self._is_away:
                await asyncio.sleep(next(pauses, RETRY_S[-1]))

    def _mark_away(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning(
                "Edge not written: Redis refused it",
                extra={"broadcast": self._broadcast, "error": str(error)},
            )
        self._is_away = True

    async def _save(self) -> None:
        """Write all pending changes; restore the rest if Redis has lost it.  Raises RedisError, Overtaken."""
        unsaved, self._unsaved = self._unsaved, _Unsaved()
        try:
            commands = _Commands()
            self._write(commands, unsaved)
            before, held = await _run(self._redis, self._broadcast, self._generation, commands)
        except BaseException:
            self._unsaved = unsaved.joined(self._unsaved)
            self._list_lost_parts()
            raise
        if access := held.get(b"access"):
            # Access is Django's decision, and is restored with the rest if Redis loses it.
            self._meta = replace(self._meta, access=access.decode(), is_ended=held.get(b"ended") == b"1")
        if before != self._generation or EdgeMeta.from_hash(held) is None:
            self._restore_edge()

    def _write(self, commands: _Commands, unsaved: _Unsaved) -> None:
        name = self._broadcast
        for fact, value in unsaved.meta.items():
            commands.add("HSET", keys.meta_key(name), fact, value)
        for fact, value in unsaved.meta_if_missing.items():
            commands.add("HSETNX", keys.meta_key(name), fact, value)
        for rendition, epoch in unsaved.inits & self._inits.keys():
            init = self._inits[rendition, epoch]
            commands.add("SET", keys.init_key(name, rendition, epoch), init, "EX", keys.KEPT_S)
        self._write_parts(commands, unsaved)
        windows = {rendition: self._windows[rendition] for rendition in sorted(unsaved.windows)}
        for rendition, window in windows.items():
            commands.add("SET", keys.window_key(name, rendition), window.to_json(), "EX", keys.KEPT_S)
        if unsaved.refreshes_inits:
            for rendition, epoch in self._inits:
                commands.add("EXPIRE", keys.init_key(name, rendition, epoch), keys.KEPT_S)
        if unsaved.is_away:
            for rendition, window in self._windows.items():
                for segment in window.segments:
                    commands.add("EXPIRE", keys.segment_key(name, rendition, segment.msn), AWAY_KEPT_S)
        is_meta_changed = bool(unsaved.meta or unsaved.meta_if_missing)
        commands.add("PUBLISH", keys.channel(name), EdgeNotice(windows, is_meta_changed).encode())

    def _write_parts(self, commands: _Commands, unsaved: _Unsaved) -> None:
        kept_s = keys.segment_kept_s(max(window.target_duration_s for window in self._windows.values()))
        for rendition, msn in sorted({(rendition, msn) for rendition, msn, _number in unsaved.parts}):
            key = keys.segment_key(self._broadcast, rendition, msn)
            parts = self._kept[rendition, msn]
            for number in sorted(parts):
                if (rendition, msn, number) in unsaved.parts:
                    commands.add("HSET", key, number, parts[number])
            commands.add("EXPIRE", key, kept_s)

    def _restore_edge(self) -> None:
        """Restore the edge in a Redis that has lost it: list the kept segments and write them again."""
        logger.warning("Edge rewritten: Redis had lost it", extra={"broadcast": self._broadcast})
        for name, window in self._windows.items():
            kept = [msn for rendition, msn in self._kept if rendition == name]
            # The open segment stays listed, because more of its parts will come.
            self._windows[name] = window.without_before(min([*kept, window.last_msn + 1]))
        fields = self._meta.fields()
        # Values that Django has set in the meantime take precedence.
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


class _Commands:
    """Redis commands in the format of the script."""

    def __init__(self) -> None:
        self.words: list[str | bytes | int] = []

    def add(self, *command: str | bytes | int) -> None:
        self.words += [len(command), *command]


async def _run(
    redis: Redis, broadcast: str, generation: int, commands: _Commands
) -> tuple[int, dict[bytes, bytes]]:
    """Run ``commands`` as the writer of this generation.

    Return the previous writer's generation (-1 if unknown) and the meta.  Raises
    Overtaken if that generation is newer, and RedisError.
    """
    write = redis.register_script(_WRITE)
    before, held = await write(
        keys=[keys.meta_key(broadcast)], args=[generation, keys.KEPT_S, *commands.words]
    )
    if before > generation:
        raise Overtaken
    return before, dict(zip(held[::2], held[1::2], strict=True))


@dataclass(slots=True)
class _Unsaved:
    """Changes that are not written to Redis yet."""

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


def _aligned(
    windows: Mapping[str, Window], first_msn: int = 0, first_epoch: int = 0, first_media_s: float = 0.0
) -> dict[str, Window]:
    """Return the windows with the same next segment; missing segments become gaps."""
    ahead = max((window.closed() for window in windows.values()), key=lambda window: window.next_msn)
    if ahead.next_msn < first_msn or ahead.epoch + 1 < first_epoch:
        msn, epoch = max(ahead.next_msn, first_msn), max(ahead.epoch, first_epoch - 1)
        empty = Window.empty(ahead.shape, next_msn=msn, last_epoch=epoch)
        empty = replace(empty, media_end_s=max(ahead.media_end_s, first_media_s))
        return dict.fromkeys(windows, empty)
    return {name: _caught_up(window.closed(), ahead) for name, window in windows.items()}


def _caught_up(window: Window, ahead: Window) -> Window:
    missing = [segment for segment in ahead.segments if segment.msn >= window.next_msn]
    if missing and missing[0].msn == window.next_msn:
        return window.with_gaps(missing)
    if window.next_msn == ahead.next_msn:
        return window
    # Too far behind for gaps, or never begun.
    return replace(ahead, segments=())
