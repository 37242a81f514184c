"""Is the process alive, and can the platform do its work?

``/healthz`` is for balancers: it asks nothing and nobody, so a dead worker does
not take the pages down.  ``/readyz`` is for people and for ``bin/run``: it asks
everything the platform needs, all at once, and names what does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from asgiref.sync import iscoroutinefunction, sync_to_async
from botocore.exceptions import BotoCoreError, ClientError
from celery import bootsteps
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware

from videoplatform import storage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Check = Callable[[], Awaitable[str]]

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 4.0
HEARTBEAT_INTERVAL_S = 2.0
HEARTBEAT_LIFETIME_S = 15
HEARTBEAT_KEY = "health:{role}"


class NotReady(Exception):
    """What is missing, as a sentence."""


@sync_and_async_middleware
def healthz_middleware(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Answer ``/healthz`` with 200 while the process lives.

    Before anything that asks for the host: balancers ask by address.
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
    """The answer to ``/healthz``, None for every other address."""
    if request.path != "/healthz":
        return None
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


async def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when every check passes, else 503; the body names each."""
    answers = await asyncio.gather(*(ask(check) for check in CHECKS.values()))
    checks = dict(zip(CHECKS, answers, strict=True))
    is_ready = all(answer["ok"] for answer in answers)
    body = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"})


async def ask(check: Check) -> dict[str, Any]:
    """Run one check: whether it passed, and a sentence.

    Addresses and passwords stay in the log; the page is public.
    """
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return {"ok": True, "detail": await check()}
    except NotReady as missing:
        return {"ok": False, "detail": str(missing)}
    except TimeoutError:
        return {"ok": False, "detail": f"No answer within {CHECK_TIMEOUT_S:.0f} seconds."}
    except (DatabaseError, redis.RedisError, BotoCoreError, ClientError, OSError) as error:
        logger.warning("Readiness check failed: %s", error)
        return {"ok": False, "detail": f"Does not answer ({type(error).__name__})."}


async def database() -> str:
    await sync_to_async(select_one)()
    return "The database answers."


def select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def redis_answers() -> str:
    async with open_redis() as client:
        await client.ping()
    return "Redis answers."


async def bucket() -> str:
    # A thread of its own: a slow S3 must not hold up the database's check.
    s3 = storage.client()
    await sync_to_async(s3.head_bucket, thread_sensitive=False)(Bucket=settings.S3_BUCKET)
    return "The bucket answers."


def heart_of(role: str) -> Check:
    """A check that at least one process of this role has shown life lately."""

    async def check() -> str:
        async with open_redis() as client:
            if not await client.exists(HEARTBEAT_KEY.format(role=role)):
                raise NotReady(f"No {role} has shown life in the last {HEARTBEAT_LIFETIME_S} seconds.")
        return f"At least one {role} is at work."

    return check


def open_redis() -> redis.asyncio.Redis:
    """A connection for one check; its timeouts are shorter than the check's."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)


CHECKS: dict[str, Check] = {
    "database": database,
    "redis": redis_answers,
    "storage": bucket,
    "worker": heart_of("worker"),
    "ingest": heart_of("ingest"),
}


def show_life(role: str) -> None:
    """Say in Redis that a process of this role is at work; called every few seconds."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
        client.set(HEARTBEAT_KEY.format(role=role), 1, ex=HEARTBEAT_LIFETIME_S)


class Heartbeat(bootsteps.StartStopStep):
    """Celery's own place for "while this worker consumes": it shows life from the main process.

    Celery's ``inspect ping`` would ask every worker and wait a second for the
    slowest; this costs one small write, and a busy pool does not silence it.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.timer: Any = None

    def start(self, parent: Any) -> None:
        self.beat()
        self.timer = parent.timer.call_repeatedly(HEARTBEAT_INTERVAL_S, self.beat)

    def stop(self, parent: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def beat(self) -> None:
        try:
            show_life("worker")
        except redis.RedisError as error:
            logger.warning("Heartbeat not written: %s", error)
