"""Tests of bundled calls."""

from __future__ import annotations

import asyncio

from common.bundling import BundledCalls


async def test_many_events_make_one_call() -> None:
    calls: list[int] = []

    async def act() -> None:
        calls.append(1)

    bundled = BundledCalls(act, pause_s=0.01)
    for _ in range(5):
        bundled.request()
    await asyncio.sleep(0.1)
    await bundled.aclose()

    assert len(calls) == 1


async def test_event_during_a_call_makes_another_call() -> None:
    state, read = "processing", list[str]()
    has_read = asyncio.Event()

    async def act() -> None:
        read.append(state)
        has_read.set()
        await asyncio.sleep(0.05)

    bundled = BundledCalls(act, pause_s=0)
    bundled.request()
    await has_read.wait()
    state = "failed"
    bundled.request()
    await asyncio.sleep(0.2)
    await bundled.aclose()

    assert read == ["processing", "failed"]


async def test_closed_calls_end() -> None:
    calls: list[int] = []

    async def act() -> None:
        calls.append(1)

    bundled = BundledCalls(act, pause_s=0.05)
    bundled.request()
    await bundled.aclose()
    await asyncio.sleep(0.1)

    assert calls == []
