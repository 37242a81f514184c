"""What /healthz and /readyz say, against the real services."""

import asyncio

import pytest
from django.test import AsyncClient, override_settings

from videoplatform import health

SENTENCES = {
    "database": "The database answers.",
    "redis": "Redis answers.",
    "storage": "The bucket answers.",
    "worker": "At least one worker is at work.",
    "ingest": "At least one ingest is at work.",
}


async def test_healthz_asks_nobody(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


async def test_healthz_answers_a_balancer_that_asks_by_address(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert response.status_code == 200


@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
async def test_readyz_names_every_check(async_client: AsyncClient, bucket: str) -> None:
    health.show_life("worker")
    health.show_life("ingest")
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
@pytest.mark.parametrize("role", ["worker", "ingest"])
async def test_without_a_worker_or_an_ingest_it_is_not_ready(
    role: str, async_client: AsyncClient, bucket: str
) -> None:
    for other in {"worker", "ingest"} - {role}:
        health.show_life(other)
    response = await async_client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"][role] == {
        "ok": False,
        "detail": f"No {role} has shown life in the last 15 seconds.",
    }


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
async def test_a_dead_redis_is_named_without_its_address() -> None:
    answer = await health.ask(health.redis_answers)
    assert answer == {"ok": False, "detail": "Does not answer (ConnectionError)."}


async def test_a_check_that_hangs_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def hangs() -> str:
        await asyncio.sleep(60)
        return "never"

    assert await health.ask(hangs) == {"ok": False, "detail": "No answer within 0 seconds."}
