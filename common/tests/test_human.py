"""Tests of readable numbers, lengths and times, in both languages."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from common.templatetags.human import ago, clock, compact, hue, moment, size, views


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (1234, "1.2K", "1234"),
        (12345, "12.3K", "1.2万"),
        (7_000_000, "7M", "700万"),
    ],
)
def test_large_numbers_are_short(number: int, english: str, chinese: str) -> None:
    with override("en"):
        assert compact(number) == english
    with override("zh-hans"):
        assert compact(number) == chinese


@pytest.mark.parametrize(
    ("size_bytes", "words"), [(64 * 1024**3, "64\xa0GB"), (1536 * 1024, "1.5\xa0MB"), (10, "10\xa0bytes")]
)
def test_size_has_no_decimal_zero(size_bytes: int, words: str) -> None:
    with override("en"):
        assert size(size_bytes) == words


def test_exact_number_is_the_tooltip() -> None:
    with override("en"):
        assert views(12345) == '<span class="number" title="12,345">12.3K views</span>'
        assert "1 view<" in views(1)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "0:00"), (9.9, "0:09"), (65, "1:05"), (3723, "1:02:03"), (36000, "10:00:00")],
)
def test_lengths_are_formatted_as_clock(seconds: float | None, expected: str) -> None:
    assert clock(seconds) == expected


def test_times_are_relative_and_keep_the_exact_time() -> None:
    moment = timezone.now() - timedelta(days=3)

    with override("en"):
        assert ">3 days ago</time>" in ago(moment)
        assert f'datetime="{moment.isoformat()}"' in ago(moment)
        assert ">just now</time>" in ago(timezone.now())
    with override("zh-hans"):
        assert ">3天前</time>" in ago(moment)
    assert ago(None) == ""


def test_name_always_has_the_same_colour() -> None:
    assert hue("Lumi") == hue("lumi")
    assert {hue(f"person{n}") for n in range(200)} == set(range(12))


def test_times_are_marked_as_utc_for_the_browser_to_localize() -> None:
    at = datetime(2026, 3, 1, 12, 0, 5, tzinfo=timezone.get_fixed_timezone(60))

    with override("en"):
        assert moment(at) == (
            '<time datetime="2026-03-01T12:00:05+01:00" data-local="datetime">Mar 1, 2026 11:00 UTC</time>'
        )
        assert ">11:00:05 UTC</time>" in moment(at, "time")
        assert 'title="Mar 1, 2026 11:00 UTC" data-local="title"' in ago(at)
    with override("zh-hans"):
        assert ">2026年3月1日</time>" in moment(at, "date")
    assert moment(None) == ""
