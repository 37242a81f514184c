"""Tests of /healthz and /readyz with the real services."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import AsyncClient, override_settings
from django.utils import timezone

from common import heartbeat
from videoplatform import health, schema
from videoplatform.tests.valkey import Valkey
from videos.models import Job
from videos.tests.factories import VideoFactory, make_encode

SENTENCES = {
    "database": "The database answers.",
    "redis": "Redis answers.",
    "storage": "The bucket answers.",
    "worker": "At least one worker is running.",
    "queue_default": "Workers are executing tasks. No jobs are waiting.",
    "queue_encode": "Workers are executing tasks. No jobs are waiting.",
    "beat": "At least one beat is running.",
    "ingest": "At least one ingest is running.",
    "disk": "encoder-1: 20.0 GiB free. encoder-2: 3 MiB free, at least 1024 MiB required.",
    "guard": "encoder-1: FFmpeg is confined: files, calls."
    " encoder-2: FFmpeg is confined: calls; missing: files (Function not implemented).",
}
ROLES = ["worker", "queue-default", "queue-encode", "beat", "ingest"]


@pytest.fixture(autouse=True)
def asked_afresh() -> None:
    """Discard the cached answer of another test."""
    health._asked.clear()


def show_machines(*, disk: str = "") -> None:
    gigabyte = 1024**3
    common: dict[str, Any] = {"queues": ["encode"], "free_bytes": 20 * gigabyte}
    heartbeat.show_host("encoder-1", common | {"disk": disk, "sandbox": {"files": "", "calls": ""}})
    lacking = {"files": "Function not implemented", "calls": ""}
    full = "3 MiB free, at least 1024 MiB required"
    heartbeat.show_host("encoder-2", common | {"disk": full, "sandbox": lacking})


async def test_healthz_answers_without_database(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


async def test_healthz_answers_requests_by_ip_address(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert response.status_code == 200


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
async def test_readyz_names_every_check(async_client: AsyncClient, bucket: str) -> None:
    heartbeat.show_life(*ROLES)
    show_machines()
    response = await async_client.get("/readyz")
    assert response.json() == {
        "status": "ready",
        "checks": {name: {"ok": True, "detail": detail} for name, detail in SENTENCES.items()},
    }
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
async def test_unmigrated_database_is_not_ready(
    async_client: AsyncClient, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = schema._known_migrations()
    monkeypatch.setattr(schema, "_known_migrations", lambda: known | {("videos", "9999_of_tomorrow")})
    response = await async_client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == {
        "ok": False,
        "detail": "Migrations not applied: 1. Run manage.py migrate.",
    }


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("role", "check", "detail"),
    [
        ("worker", "worker", "No worker sent a heartbeat in the last 15 seconds."),
        ("ingest", "ingest", "No ingest sent a heartbeat in the last 15 seconds."),
        ("beat", "beat", "No beat sent a heartbeat in the last 15 seconds."),
        (
            "queue-default",
            "queue_default",
            "No worker of the queue default has executed a task in the last 15 seconds. No jobs are waiting.",
        ),
        (
            "queue-encode",
            "queue_encode",
            "No worker of the queue encode has executed a task in the last 15 seconds. No jobs are waiting.",
        ),
    ],
)
async def test_platform_without_one_role_is_not_ready(
    role: str, check: str, detail: str, async_client: AsyncClient, bucket: str
) -> None:
    heartbeat.show_life(*(set(ROLES) - {role}))
    response = await async_client.get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert [name for name, answer in checks.items() if not answer["ok"]] == [check]
    assert checks[check]["detail"] == detail


@pytest.mark.redis
async def test_platform_is_not_ready_if_no_machine_has_disk_space() -> None:
    show_machines(disk="1 MiB free, at least 1024 MiB required")
    answer = await health.ask(health.disks)
    assert not answer["ok"]
    assert answer["detail"].startswith("No host has free space for work. encoder-1: 1 MiB free")


@pytest.mark.redis
async def test_machine_without_any_layer_is_named() -> None:
    heartbeat.show_host("encoder-3", {"sandbox": {"files": "not Linux", "calls": "not Linux"}})

    assert await health.ask(health.guards) == {
        "ok": True,
        "detail": "encoder-3: FFmpeg is not confined; missing: files (not Linux), calls (not Linux).",
    }


@pytest.mark.redis
async def test_silent_machine_is_left_out_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    show_machines()
    monkeypatch.setattr(heartbeat, "HOST_NAMED_FOR_S", -1.0)
    assert await health.hosts() == {}
    monkeypatch.undo()
    assert await health.hosts() == {}


@pytest.mark.django_db
def test_waiting_jobs_are_counted_with_the_age_of_the_oldest() -> None:
    video = VideoFactory(status="processing", encoded=False)
    make_encode(video, status="waiting")
    Job.objects.update(lane=Job.Lane.BULK, not_before=timezone.now() - timedelta(seconds=90))
    count = Job.objects.count()
    assert health.waiting_work(Job.Lane.BULK).startswith(f"{count} jobs are waiting, the oldest for 9")
    assert health.waiting_work(Job.Lane.FIRST) == "No jobs are waiting."


async def test_answer_is_cached_for_a_second_and_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def check() -> str:
        asked.append(1)
        await asyncio.sleep(0)
        return "fine"

    monkeypatch.setattr(health, "CHECKS", {"only": check})
    await asyncio.gather(*(health.ask_all() for _ in range(5)))
    await health.ask_all()
    assert len(asked) == 1
    monkeypatch.setattr(health, "CACHED_FOR_S", 0.0)
    await health.ask_all()
    assert len(asked) == 2


@pytest.mark.redis
async def test_full_redis_fails_each_check_that_needs_it(own_valkey: Valkey) -> None:
    own_valkey.fill()
    for check in (health.redis_answers, health.heart_of("beat")):
        answer = await health.ask(check)
        assert not answer["ok"]
        assert answer["detail"].startswith("Redis is full: ")


@pytest.mark.redis
async def test_redis_check_reports_a_memory_too_full_for_broadcasts(own_valkey: Valkey) -> None:
    with override_settings(LIVE_REDIS_MEMORY_SHARE=0.0):
        own_valkey.bound_memory(64 * 1024**2)
        answer = await health.ask(health.redis_answers)
    assert answer["ok"]
    assert answer["detail"].endswith(" of 64 MiB of its memory is used, so new broadcasts are refused.")


async def test_redis_that_refuses_writes_is_reported_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses() -> str:
        raise redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")

    assert await health.ask(refuses) == {"ok": False, "detail": "Redis rejects writes (MISCONF)."}


@pytest.mark.storage
async def test_disk_of_the_storage_without_room_for_uploads_is_no_failure(
    bucket: str, tmp_path: Path
) -> None:
    with override_settings(S3_DATA_DIR=str(tmp_path), UPLOAD_MIN_FREE_BYTES=2**60):
        answer = await health.ask(health.bucket)
    assert answer["ok"]
    assert answer["detail"].startswith("The bucket answers. Its disk has no room for uploads: ")


@pytest.mark.storage
async def test_full_disk_of_the_storage_is_reported(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STORAGE_FLOOR_BYTES", 2**60)
    with override_settings(S3_DATA_DIR=str(tmp_path)):
        answer = await health.ask(health.bucket)
    assert not answer["ok"]
    assert answer["detail"].startswith("The disk of the storage is full: ")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a server tells its own disk")
@pytest.mark.django_db(transaction=True)
async def test_full_disk_of_the_database_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DATABASE_FLOOR_BYTES", 2**60)
    answer = await health.ask(health.database)
    assert not answer["ok"]
    assert answer["detail"].startswith("The disk of the database is full: ")


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
async def test_dead_redis_is_reported_without_its_address() -> None:
    answer = await health.ask(health.redis_answers)
    assert answer == {"ok": False, "detail": "Does not answer (ConnectionError)."}


async def test_hanging_check_times_out_and_keeps_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    answers_again = threading.Event()

    async def check() -> str:
        await health.in_thread("silent", answers_again.wait)
        return "It answers."

    try:
        given_up = [await health.ask(check) for _ in range(3)]
        running = [thread.name for thread in threading.enumerate() if thread.name.startswith("health silent")]
    finally:
        answers_again.set()
    monkeypatch.undo()

    assert given_up == [{"ok": False, "detail": "No answer within 0 seconds."}] * 3
    assert len(running) == 1
    assert await health.ask(check) == {"ok": True, "detail": "It answers."}


async def test_hanging_check_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def hangs() -> str:
        await asyncio.sleep(60)
        return "never"

    assert await health.ask(hangs) == {"ok": False, "detail": "No answer within 0 seconds."}
