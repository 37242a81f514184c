"""Tests of the limits on pages for each address, with and without Redis."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.test.client import AsyncClient
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from common import rates
from common.buckets import Rate

pytestmark = pytest.mark.django_db

FEW = {"pages": Rate(3, 86_400), "search": Rate(4, 86_400), "anonymous": Rate(20, 86_400)}
ENOUGH = Rate(1000, 60)


@pytest.fixture(autouse=True)
def limited(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = True
    for name, rate in FEW.items():
        monkeypatch.setitem(rates.RATES, name, rate)


def statuses(client: Client, *paths: str, **extra: Any) -> list[int]:
    return [client.get(path, **extra).status_code for path in paths]


@pytest.mark.redis
def test_address_over_its_limit_is_answered_429(client: Client) -> None:
    assert statuses(client, "/", "/live/", "/", "/") == [200, 200, 200, 429]
    refused = client.get("/", headers={"Accept-Language": "zh-CN"})

    assert 0 < int(refused.headers["Retry-After"]) <= 86_400 / 3
    assert "你的网络请求过于频繁" in refused.content.decode()
    # Other addresses are not affected, nor requests with their own limits.
    assert statuses(client, "/", REMOTE_ADDR="10.0.0.2") == [200]
    assert statuses(client, "/api/v1/videos/", "/healthz") == [200, 200]


@pytest.mark.redis
def test_addresses_of_an_ipv6_network_share_a_limit(client: Client) -> None:
    answers = [statuses(client, "/live/", REMOTE_ADDR=f"2001:db8:0:1::{number}")[0] for number in range(1, 5)]

    assert answers == [200, 200, 200, 429]


@pytest.mark.redis
def test_pages_and_api_share_the_limit_on_searches(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rates.RATES, "pages", ENOUGH)

    asked = ["/search/?q=one", "/api/v1/videos/?q=one", "/?q=one", "/search/?q=one"]

    assert statuses(client, *asked) == [200] * 4
    assert statuses(client, *asked) == [429] * 4
    assert statuses(client, "/search/", "/api/v1/videos/", "/") == [200] * 3


@pytest.mark.redis
def test_search_is_charged_for_each_word(client: Client) -> None:
    api = APIClient()

    assert api.get("/api/v1/videos/?q=one two three").status_code == 200
    assert api.get("/api/v1/videos/?q=one two").status_code == 429
    assert api.get("/api/v1/videos/?q=one").status_code == 200


@pytest.mark.redis
@pytest.mark.parametrize(
    ("path", "price"),
    [
        ("/api/v1/videos/", 1),
        ("/api/v1/videos/?page_size=100", 5),
        ("/api/v1/videos/?page_size=999999999999999999999", 5),
        ("/api/v1/videos/?page_size=x", 1),
        ("/api/v1/videos/?q=one", 3),
    ],
)
def test_request_to_the_api_is_charged_its_price(path: str, price: int) -> None:
    api = APIClient()
    api.get(path)

    answers = [api.get("/api/v1/videos/").status_code for _ in range(20 - price + 1)]

    assert answers == [200] * (20 - price) + [429]


@pytest.mark.redis
def test_part_urls_are_charged_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rates.RATES, "person", Rate(21, 86_400))
    api = APIClient()
    api.force_authenticate(UserFactory())
    path = "/api/v1/videos/unknown/upload/parts/"

    answers = [
        api.post(path, {"numbers": numbers}).status_code
        for numbers in ([*range(1, 1001)], [1], "not a list", [1])
    ]

    assert answers == [404, 404, 429, 429]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_limits_apply_under_asgi(async_client: AsyncClient) -> None:
    answers = [(await async_client.get("/live/")).status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]


def test_limits_apply_without_redis(client: Client, dead_redis: str) -> None:
    assert statuses(client, "/live/", "/live/", "/live/", "/live/") == [200, 200, 200, 429]
