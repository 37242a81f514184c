"""Tests of danmaku: posting at a moment, reading by buckets, and the cache of buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from comments.danmaku import buckets, writing
from comments.danmaku.buckets import BUCKET_S, MOST_A_SECOND, Flying, thinned
from comments.models import Danmaku
from comments.tests.factories import DanmakuFactory
from common.errors import Refusal
from videos.models import Video
from videos.services import edit_video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def post(video: Video, author: User, text: str = "哇", offset_ms: int = 1000, **more: Any) -> Danmaku:
    return writing.post(target=video, author=author, offset_ms=offset_ms, text=text, **more)


def texts(video: Video, from_s: float = 0, to_s: float = BUCKET_S) -> list[str]:
    return [one["text"] for one in buckets.between(video, int(from_s * 1000), int(to_s * 1000))]


def code_of(act: Callable[[], Any]) -> str:
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.code


def test_messages_are_ordered_by_their_moments(video: Video, alice: User) -> None:
    for offset_ms, text in ((29_999, "late"), (0, "first"), (500, "then"), (30_000, "next bucket")):
        post(video, alice, text, offset_ms)

    assert texts(video) == ["first", "then", "late"]
    assert texts(video, 0.5, 45) == ["then", "late", "next bucket"]
    assert texts(video, 60, 60) == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"text": ""}, "blank"),
        ({"text": "x" * 101}, "max_length"),
        ({"text": "see https://example.org"}, "no_links"),
        ({"offset_ms": 122_000}, "max_value"),
        ({"offset_ms": -1}, "max_value"),
        ({"color": "red"}, "invalid"),
    ],
)
def test_invalid_danmaku_is_refused(video: Video, alice: User, asked: dict[str, Any], code: str) -> None:
    assert code_of(lambda: post(video, alice, length_ms=120_000, **asked)) == code


@pytest.mark.parametrize(("mode", "code"), [("closed", "comments_closed"), ("held", "danmaku_closed")])
def test_danmaku_is_refused_if_comments_are_closed_or_held(
    video: Video, alice: User, mode: str, code: str
) -> None:
    edit_video(video, comments_mode=mode)

    assert code_of(lambda: post(video, alice)) == code


def test_deleted_or_hidden_danmaku_disappears_at_once_and_can_be_restored(
    video: Video, alice: User, creator: User, moderator: User
) -> None:
    mine, rude = post(video, alice, "mine"), post(video, alice, "rude")
    before = texts(video)
    writing.delete(danmaku=mine, by=alice)
    writing.hide(danmaku=rude, by=moderator)
    gone = texts(video)
    writing.restore(danmaku=rude, by=moderator)

    assert (before, gone, texts(video)) == (["mine", "rude"], [], ["rude"])
    assert code_of(lambda: writing.hide(danmaku=rude, by=creator)) == "permission_denied"


def test_crowded_second_keeps_the_newest_messages(video: Video, alice: User) -> None:
    for number in range(MOST_A_SECOND + 3):
        DanmakuFactory(target=video, author=alice, text=str(number), offset_ms=2000 + number)
    DanmakuFactory(target=video, author=alice, text="calm", offset_ms=9000)

    assert texts(video) == [*(str(number) for number in range(3, MOST_A_SECOND + 3)), "calm"]


def test_danmaku_of_suspended_author_is_not_shown(video: Video, alice: User) -> None:
    DanmakuFactory(target=video, author=alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert texts(video) == []


@pytest.mark.parametrize("count", [1, 3])
def test_buckets_are_read_with_one_query_then_from_the_cache(
    video: Video, alice: User, count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        DanmakuFactory(target=video, author=alice, offset_ms=number * 40_000)

    with django_assert_num_queries(1):
        buckets.between(video, 0, 120_000)
    with django_assert_num_queries(0):
        buckets.between(video, 30_000, 60_000)


def test_new_message_is_read_at_once_despite_the_cache(video: Video, alice: User) -> None:
    post(video, alice, "one")
    texts(video)
    post(video, alice, "two")

    assert texts(video) == ["one", "two"]


@pytest.fixture
def chat() -> Iterator[list[Flying]]:
    """Yield the messages of a provider that is registered while the test runs."""
    flying: list[Flying] = []

    def provider(target: Any, from_ms: int, to_ms: int) -> Iterable[Flying]:
        return [one for one in flying if from_ms <= one.offset_ms < to_ms]

    buckets.register(provider)
    yield flying
    buckets._providers.remove(provider)


def test_provider_s_messages_are_merged_by_moment(video: Video, alice: User, chat: list[Flying]) -> None:
    post(video, alice, "danmaku", 2000)
    chat.append(Flying("m1", 1500, "chat", "scroll", "#ffffff", datetime(2026, 1, 1, tzinfo=UTC)))
    both = texts(video)
    chat.clear()
    buckets.forget(video)

    assert both == ["chat", "danmaku"]
    assert texts(video) == ["danmaku"]


def test_thinning_keeps_the_newest_of_each_second_in_order() -> None:
    flying = [
        Flying(str(n), 1000 + n, "", "scroll", "#ffffff", datetime(2026, 1, 9 - n, tzinfo=UTC))
        for n in range(4)
    ]

    assert [one.id for one in thinned(flying, 2)] == ["0", "1"]
