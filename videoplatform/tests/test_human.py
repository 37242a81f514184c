"""Numbers, lengths and times as people say them, in both languages."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from videoplatform.templatetags.human import ago, clock, compact, hue, views


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


def test_the_exact_number_is_at_hand() -> None:
    with override("en"):
        assert views(12345) == '<span class="number" title="12,345">12.3K views</span>'
        assert "1 view<" in views(1)


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "0:00"), (9.9, "0:09"), (65, "1:05"), (3723, "1:02:03"), (36000, "10:00:00")]
)
def test_lengths_read_like_a_clock(seconds: float | None, said: str) -> None:
    assert clock(seconds) == said


def test_times_are_told_from_now_and_keep_the_moment() -> None:
    moment = timezone.now() - timedelta(days=3)

    with override("en"):
        assert ">3 days ago</time>" in ago(moment)
        assert f'datetime="{moment.isoformat()}"' in ago(moment)
        assert ">just now</time>" in ago(timezone.now())
    with override("zh-hans"):
        assert ">3天前</time>" in ago(moment)
    assert ago(None) == ""


def test_a_name_has_always_the_same_colour() -> None:
    assert hue("Lumi") == hue("lumi")
    assert {hue(f"person{n}") for n in range(200)} == set(range(12))
