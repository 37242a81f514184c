"""Pages have a bound for each address, and none of the limits can take the site down."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import redis
from django.core.cache import cache
from django.test import Client
from django.test.client import AsyncClient

from videoplatform import limits

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limited(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(limits, "LIMITS", (("/api/v1/", None), ("/search/", 1), ("/", 3)))
    monkeypatch.setattr(limits, "time", lambda: 1_000_010.0)
    cache.clear()


def statuses(client: Client, *paths: str, **extra: Any) -> list[int]:
    return [client.get(path, **extra).status_code for path in paths]


@pytest.mark.redis
def test_an_address_that_asks_too_often_is_told_to_wait(client: Client) -> None:
    assert statuses(client, "/", "/live/", "/", "/") == [200, 200, 200, 429]
    refused = client.get("/", headers={"Accept-Language": "zh-CN"})

    assert refused.headers["Retry-After"] == "10"
    assert refused.content.decode() == "来自您地址的请求过多，请稍等一分钟。"
    # Others are not kept waiting, nor is what has a limit of its own.
    assert statuses(client, "/", REMOTE_ADDR="10.0.0.2") == [200]
    assert statuses(client, "/search/", "/search/", "/api/v1/videos/", "/healthz") == [200, 429, 200, 200]


@pytest.mark.redis
def test_the_next_minute_begins_anew(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(client, "/search/", "/search/") == [200, 429]

    monkeypatch.setattr(limits, "time", lambda: 1_000_070.0)

    assert statuses(client, "/search/") == [200]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_it_holds_for_asynchronous_servers_too(async_client: AsyncClient) -> None:
    answers = [(await async_client.get("/search/")).status_code for _ in range(2)]

    assert answers == [200, 429]


def test_without_a_cache_nobody_is_refused(client: Client) -> None:
    with mock.patch.object(cache, "add", side_effect=redis.ConnectionError):
        answers = [limits.refusal(client.get("/healthz").wsgi_request, "/", 0) for _ in range(2)]

    assert answers == [None, None]
