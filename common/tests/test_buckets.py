"""Tests of buckets: atomic, by price, and by process while Redis is away or full."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common import buckets
from common.buckets import Charge, LocalBuckets, Rate, refund, take
from videoplatform.tests.valkey import Valkey

# No unit comes back during a test.
SLOW = Rate(10, 86_400)


@pytest.fixture(autouse=True)
def limited(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(buckets, "local_buckets", LocalBuckets())


def charge(who: str = "address-192.0.2.1", price: int = 1, name: str = "pages") -> Charge:
    return Charge(name, who, SLOW, price)


def test_rate_is_parsed() -> None:
    assert [Rate.parse(text) for text in ("5/s", "600/min", "300/hour", "2/day")] == [
        Rate(5, 1),
        Rate(600, 60),
        Rate(300, 3600),
        Rate(2, 86_400),
    ]


@pytest.mark.redis
def test_empty_bucket_returns_the_seconds_to_wait() -> None:
    waits = [take(charge()) for _ in range(11)]

    assert waits[:10] == [0.0] * 10
    assert 0 < waits[10] <= 8640
    assert take(charge("address-192.0.2.2")) == 0


@pytest.mark.redis
def test_request_takes_its_price() -> None:
    assert take(charge(price=8)) == 0
    assert take(charge(price=3)) > 0
    assert take(charge(price=2)) == 0


@pytest.mark.redis
def test_price_above_the_bucket_empties_it() -> None:
    assert take(charge(price=1000)) == 0
    assert take(charge()) > 0


@pytest.mark.redis
def test_refused_request_takes_nothing_of_any_bucket() -> None:
    take(charge(price=10, name="search"))

    assert take(charge(), charge(name="search")) > 0
    assert take(charge(price=10)) == 0


@pytest.mark.redis
def test_returned_units_can_be_taken_again() -> None:
    take(charge(price=10))
    refund(charge(price=4))

    assert take(charge(price=4)) == 0
    assert take(charge()) > 0


@pytest.mark.redis
def test_concurrent_requests_do_not_exceed_the_bucket() -> None:
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: take(charge()), range(100)))

    assert waits.count(0.0) == 10


@pytest.mark.redis
@pytest.mark.parametrize("who", ["name-" + "x" * 500, "name-小明", "name-\ud800 \n"])
def test_each_text_has_its_own_bucket(who: str) -> None:
    assert take(charge(who, price=10)) == 0
    assert take(charge(who)) > 0
    assert take(charge(who + "2")) == 0


def test_switched_off_limits_do_not_use_redis(settings: Any, dead_redis: str) -> None:
    settings.RATE_LIMITS = False

    assert take(charge(price=1000), charge(price=1000)) == 0


def test_without_redis_each_process_counts_for_itself(dead_redis: str) -> None:
    waits = [take(charge()) for _ in range(11)]

    assert waits[:10] == [0.0] * 10
    assert waits[10] > 0


def test_with_a_full_redis_each_process_counts_for_itself(own_valkey: Valkey) -> None:
    own_valkey.fill()

    waits = [take(charge()) for _ in range(11)]

    assert waits[:10] == [0.0] * 10
    assert waits[10] > 0


def test_local_buckets_are_bounded() -> None:
    local = LocalBuckets(most=3)

    for number in range(10):
        local.take((charge(f"address-{number}"),))

    assert len(local) == 3
