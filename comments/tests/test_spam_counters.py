"""The counters of posts and repetitions."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from accounts.models import User
from accounts.tests.factories import UserFactory
from comments.spam.counters import (
    LONG_TEXT,
    count_post,
    is_long,
    record_and_check_repeat,
    record_and_count_others,
)
from comments.spam.rules import WINDOW_S
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

SHORT, LONG = "Wow!", "This is how you earn a thousand a day"


@pytest.fixture(autouse=True)
def rate_limits(settings: Any) -> None:
    settings.RATE_LIMITS = True


@pytest.fixture
def bob(db: None) -> User:
    return UserFactory(username="Bob")


@pytest.fixture
def other_video(db: None) -> Video:
    return VideoFactory(encoded=False)


def remaining_s(pattern: str) -> list[int]:
    """Return the seconds until the keys that contain ``pattern`` expire."""
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    return [client.ttl(key) for key in client.scan_iter(match=f"*{pattern}*")]


def test_posts_are_counted_by_kind_and_author(alice: User, bob: User) -> None:
    assert [count_post("comment", alice) for _ in range(3)] == [1, 2, 3]
    assert count_post("danmaku", alice) == 1
    assert count_post("comment", bob) == 1


def test_window_of_posts_is_not_extended_by_later_ones(alice: User) -> None:
    count_post("comment", alice)
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    (key,) = client.scan_iter(match="*said:comment*")
    client.expire(key, 5)

    assert count_post("comment", alice) == 2
    assert remaining_s("said:comment") == [5]


def test_window_of_posts_ends_by_itself(alice: User) -> None:
    count_post("comment", alice)

    (left_s,) = remaining_s("said:comment")
    assert 0 < left_s <= WINDOW_S


def test_counter_whose_window_ends_meanwhile_begins_again(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "add", lambda *_: False)

    assert count_post("comment", alice) == 1


@pytest.mark.parametrize("again", [SHORT, "wow", "  WOW ?? ", "ｗｏｗ"])
def test_short_text_is_a_repetition_at_its_target_whatever_its_signs(
    again: str, alice: User, video: Video
) -> None:
    assert record_and_check_repeat("comment", alice, video, SHORT, 60) is False
    assert record_and_check_repeat("comment", alice, video, again, 60) is True


def test_short_text_is_no_repetition_elsewhere(
    alice: User, bob: User, video: Video, other_video: Video
) -> None:
    record_and_check_repeat("comment", alice, video, SHORT, 60)

    assert record_and_check_repeat("comment", alice, other_video, SHORT, 60) is False
    assert record_and_check_repeat("danmaku", alice, video, SHORT, 60) is False
    assert record_and_check_repeat("comment", bob, video, SHORT, 60) is False
    assert record_and_check_repeat("comment", alice, video, "Wow, wow!", 60) is False


def test_long_text_is_a_repetition_anywhere(alice: User, bob: User, video: Video, other_video: Video) -> None:
    assert record_and_check_repeat("comment", alice, video, LONG, 60) is False
    assert record_and_check_repeat("comment", alice, other_video, LONG.upper(), 60) is True
    assert record_and_check_repeat("comment", bob, other_video, LONG, 60) is False


def test_repetition_is_forgotten_after_the_given_time(alice: User, video: Video) -> None:
    record_and_check_repeat("comment", alice, video, SHORT, 7)

    (left_s,) = remaining_s("said:comment")
    assert 0 < left_s <= 7


def test_other_people_with_the_same_long_text_are_counted_once_each(alice: User, bob: User) -> None:
    carol = UserFactory(username="Carol")

    assert record_and_count_others(alice, LONG) == 0
    assert record_and_count_others(alice, LONG) == 0
    assert record_and_count_others(bob, f"{LONG}!") == 1
    assert record_and_count_others(carol, LONG.lower()) == 2
    # The first author reads the count of today, too.
    assert record_and_count_others(alice, LONG) == 2


def test_short_texts_of_other_people_are_not_counted(alice: User, bob: User) -> None:
    record_and_count_others(alice, SHORT)

    assert record_and_count_others(bob, SHORT) == 0


def test_nothing_is_counted_without_rate_limits(settings: Any, alice: User, bob: User, video: Video) -> None:
    settings.RATE_LIMITS = False

    assert [count_post("comment", alice) for _ in range(2)] == [0, 0]
    assert [record_and_check_repeat("comment", alice, video, LONG, 60) for _ in range(2)] == [False, False]
    assert [record_and_count_others(author, LONG) for author in (alice, bob)] == [0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * LONG_TEXT, True),
        ("x" * (LONG_TEXT - 1), False),
        ("x !" * (LONG_TEXT - 1), False),
        ("哈" * LONG_TEXT, True),
        ("", False),
    ],
)
def test_long_text_is_measured_without_spaces_and_signs(text: str, expected: bool) -> None:
    assert is_long(text) is expected
