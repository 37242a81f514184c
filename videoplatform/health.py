"""Liveness and readiness of the platform.

``/healthz`` is for balancers: it checks no other service, so a dead worker does not take
the pages down. ``/readyz`` is for people and for ``bin/run``: it checks everything the
platform needs, in parallel, and names the failures. It is public, so it shows neither
addresses nor passwords; machines are named by host name.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import redis
import redis.asyncio
from asgiref.sync import iscoroutinefunction
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from common import heartbeat, outages, storage
from common.heartbeat import HEARTBEAT_KEY, HEARTBEAT_LIFETIME_S
from videoplatform import schema
from videos import queue
from videos.models import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Check = Callable[[], Awaitable[str]]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

CHECK_TIMEOUT_S = 4.0
CACHED_FOR_S = 1.0
# A machine that has been silent for longer is left out.
COUNTED_JOBS = 1000
# SQLite needs room for its journal and for the next writes.
DATABASE_FLOOR_BYTES = 64 * 1024**2
# Our S3 server stores nothing below this (-volume.minFreeSpace).
STORAGE_FLOOR_BYTES = 512 * 1024**2
WRITTEN_KEY = "health:written"


class NotReady(Exception):
    """A failed check, with a sentence that describes it."""


@sync_and_async_middleware
def healthz_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer ``/healthz`` with 200 while the process lives.

    It stands before everything that checks the host: balancers ask by address.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = alive(request) or await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = alive(request) or get_response(request)
        return response

    return answer


def alive(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to ``/healthz``, or None for any other address."""
    if request.path != "/healthz":
        return None
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


async def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 if every check passes, else 503, with each check in the body. Cached for a second."""
    checks = await ask_all()
    is_ready = all(answer["ok"] for answer in checks.values())
    body = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"})


_asked: list[tuple[float, asyncio.Task[dict[str, Any]]]] = []


async def ask_all() -> dict[str, Any]:
    """Run every check in parallel. Concurrent calls, and calls within a second, share one result."""
    now, loop = time.monotonic(), asyncio.get_running_loop()
    if not _asked or now - _asked[0][0] > CACHED_FOR_S or _asked[0][1].get_loop() is not loop:
        _asked[:] = [(now, loop.create_task(_ask_all()))]
    return await asyncio.shield(_asked[0][1])


async def _ask_all() -> dict[str, Any]:
    answers = await asyncio.gather(*(ask(check) for check in CHECKS.values()))
    return dict(zip(CHECKS, answers, strict=True))


async def ask(check: Check) -> dict[str, Any]:
    """Run one check; return its result and a sentence.

    Addresses and passwords go only to the log; the page is public.
    """
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return {"ok": True, "detail": await check()}
    except NotReady as missing:
        return {"ok": False, "detail": str(missing)}
    except TimeoutError:
        return {"ok": False, "detail": f"No answer within {CHECK_TIMEOUT_S:.0f} seconds."}
    except redis.ResponseError as error:
        return {"ok": False, "detail": f"Redis rejects writes ({outages.redis_code(error)})."}
    except (DatabaseError, redis.RedisError, BotoCoreError, ClientError, OSError) as error:
        logger.warning("Readiness check failed: %s", error)
        return {"ok": False, "detail": f"Does not answer ({type(error).__name__})."}


# One thread for each kind of check. A silent server blocks its thread, and later checks of
# that kind wait behind it until they time out.
_threads: dict[str, ThreadPoolExecutor] = {}


async def in_thread(kind: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of ``call``, run in the thread of ``kind``.

    ``sync_to_async`` would wait for its thread even after a timeout.
    """

    def ask_and_close() -> T:
        try:
            return call(*args, **kwargs)
        finally:
            connection.close()  # the connection of this thread

    if kind not in _threads:
        _threads[kind] = ThreadPoolExecutor(1, thread_name_prefix=f"health {kind}")
    return await asyncio.get_running_loop().run_in_executor(_threads[kind], ask_and_close)


async def database() -> str:
    missing = await in_thread("database", schema.pending_migrations)
    if missing:
        raise NotReady(f"Migrations not applied: {len(missing)}. Run manage.py migrate.")
    if connection.vendor == "sqlite":
        folder = Path(settings.DATABASES["default"]["NAME"]).parent
        _demand_free(folder, DATABASE_FLOOR_BYTES, "The disk of the database is full")
    return "The database answers."


async def redis_answers() -> str:
    """Check that Redis accepts writes. The sentence reports a memory that is too full for broadcasts."""
    async with open_redis() as client:
        await demand_writes(client)
        memory = await client.info("memory")
    used_bytes, most_bytes = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
    if most_bytes and used_bytes >= settings.LIVE_REDIS_MEMORY_SHARE * most_bytes:
        return f"Redis answers. {_share(used_bytes, most_bytes)} is used, so new broadcasts are refused."
    return "Redis answers."


async def demand_writes(client: redis.asyncio.Redis) -> None:
    """Write a key that expires. Raises NotReady if Redis is full, RedisError for other failures."""
    try:
        await client.set(WRITTEN_KEY, 1, ex=HEARTBEAT_LIFETIME_S)
    except redis.exceptions.OutOfMemoryError:
        memory = await client.info("memory")
        share = _share(int(memory["used_memory"]), int(memory.get("maxmemory", 0)))
        raise NotReady(f"Redis is full: {share} is used, and writes are rejected.") from None


def _share(used_bytes: int, most_bytes: int) -> str:
    return f"{used_bytes / 1024**2:.0f} of {most_bytes / 1024**2:.0f} MiB of its memory"


async def bucket() -> str:
    """Check that the bucket exists, and that the disk of our own S3 server can be written.

    The sentence reports a disk without room for uploads, as all else works until it is full.
    """
    await in_thread("storage", storage.client().head_bucket, Bucket=settings.S3_BUCKET)
    if not settings.S3_DATA_DIR:
        return "The bucket answers."
    folder = Path(settings.S3_DATA_DIR)
    free_bytes = _demand_free(folder, STORAGE_FLOOR_BYTES, "The disk of the storage is full")
    floor_bytes = settings.UPLOAD_MIN_FREE_BYTES
    if free_bytes < floor_bytes:
        room = _room(free_bytes, floor_bytes)
        return f"The bucket answers. Its disk has no room for uploads: {room}."
    return "The bucket answers."


def _demand_free(folder: Path, floor_bytes: int, sentence: str) -> int:
    """Return the free bytes for ``folder``.

    Raises NotReady if they are less than ``floor_bytes``, OSError if the folder is missing.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < floor_bytes:
        raise NotReady(f"{sentence}: {_room(free_bytes, floor_bytes)}.")
    return free_bytes


def _room(free_bytes: int, floor_bytes: int) -> str:
    free, floor = f"{free_bytes / 1024**2:.0f} MiB", f"{floor_bytes / 1024**2:.0f} MiB"
    return f"{free} free, at least {floor} required"


def heart_of(role: str) -> Check:
    """Return a check that at least one process of this role has sent a recent heartbeat."""

    async def check() -> str:
        async with open_redis() as client:
            if not await shows_life(client, role):
                raise NotReady(f"No {role} sent a heartbeat in the last {HEARTBEAT_LIFETIME_S} seconds.")
        return f"At least one {role} is running."

    return check


def workers_of(lane: Job.Lane) -> Check:
    """Return a check that workers of a lane's queue execute work. The sentence counts the waiting jobs."""
    name = queue.QUEUES[lane]

    async def check() -> str:
        waiting = await in_thread(name, waiting_work, lane)
        async with open_redis() as client:
            if not await shows_life(client, f"queue-{name}"):
                raise NotReady(
                    f"No worker of the queue {name} has executed a task"
                    f" in the last {HEARTBEAT_LIFETIME_S} seconds. {waiting}"
                )
        return f"Workers are executing tasks. {waiting}"

    return check


async def shows_life(client: redis.asyncio.Redis, role: str) -> bool:
    """Return whether a role has a recent heartbeat. Raises NotReady if Redis could not have stored one."""
    if await client.exists(HEARTBEAT_KEY.format(role=role)):
        return True
    await demand_writes(client)
    return False


def waiting_work(lane: Job.Lane) -> str:
    """Return a sentence with the number of due jobs of a lane and the age of the oldest."""
    due = Job.objects.claimable().filter(lane=lane)
    count = due[:COUNTED_JOBS].count()
    if not count:
        return "No jobs are waiting."
    oldest = due.order_by("not_before").values_list("not_before", flat=True).first() or timezone.now()
    age_s = (timezone.now() - oldest).total_seconds()
    more = "at least " if count == COUNTED_JOBS else ""
    return f"{more}{count} jobs are waiting, the oldest for {age_s:.0f} s.".capitalize()


async def hosts() -> dict[str, dict[str, Any]]:
    """Return the state of each machine that reported within the last minute, by name."""
    async with open_redis() as client:
        found = await client.hgetall(heartbeat.HOSTS_KEY)
        fresh = heartbeat.fresh_hosts(found)
        names = {name.decode() if isinstance(name, bytes) else name for name in found}
        if silent := names - set(fresh):
            await client.hdel(heartbeat.HOSTS_KEY, *silent)
    return fresh


async def disks() -> str:
    """Name each worker's machine with its free space. Raises NotReady if no machine has room for work."""
    # An ingest reports no disk: its files go to Redis and S3.
    found = {name: state for name, state in (await hosts()).items() if "disk" in state}
    described = [
        f"{name}: " + (state["disk"] or f"{state['free_bytes'] / 1024**3:.1f} GiB free")
        for name, state in found.items()
    ]
    if found and all(state["disk"] for state in found.values()):
        raise NotReady(f"No host has free space for work. {'. '.join(described)}.")
    return f"{'. '.join(described)}." if described else "No host has reported its state yet."


async def guards() -> str:
    """Name the layers that confine FFmpeg on each machine. This never makes the platform unready."""
    found = {name: state["sandbox"] for name, state in (await hosts()).items() if "sandbox" in state}
    return " ".join(_confined(name, layers) for name, layers in found.items()) or "No host has reported yet."


def _confined(name: str, layers: dict[str, str]) -> str:
    active = ", ".join(layer for layer, reason in layers.items() if not reason)
    lacks = ", ".join(f"{layer} ({reason})" for layer, reason in layers.items() if reason)
    confined = f"FFmpeg is confined: {active}" if active else "FFmpeg is not confined"
    return f"{name}: {confined}; missing: {lacks}." if lacks else f"{name}: {confined}."


def open_redis() -> redis.asyncio.Redis:
    """Return a connection for one check. Its timeouts are shorter than the check's."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)


CHECKS: dict[str, Check] = {
    "database": database,
    "redis": redis_answers,
    "storage": bucket,
    "worker": heart_of("worker"),
    "queue_default": workers_of(Job.Lane.FIRST),
    "queue_encode": workers_of(Job.Lane.BULK),
    "beat": heart_of("beat"),
    "ingest": heart_of("ingest"),
    "disk": disks,
    "guard": guards,
}
