"""Tests of live updates: open pages lose removed texts and get restored ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from accounts import moderation
from accounts.models import Decision, User
from comments import services
from comments.consumers import ids_in
from comments.danmaku import buckets, writing
from comments.models import Comment, Danmaku
from comments.tests.factories import CommentFactory, DanmakuFactory
from videos.models import Video
from videos.routing import websocket_urlpatterns
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]

ANYONE = AnonymousUser()


def listening(video: Video, user: User | AnonymousUser = ANYONE) -> WebsocketCommunicator:
    router: Any = URLRouter(websocket_urlpatterns)
    socket = WebsocketCommunicator(router, f"/ws/videos/{video.public_id}/conversation/")
    socket.scope["user"] = user
    return socket


async def heard(video: Video, act: Callable[[], object], *, messages: int = 1) -> list[dict[str, Any]]:
    """Return the first messages that an open page gets after ``act``."""
    socket = listening(video)
    await socket.connect()
    # The answer comes after the page has joined the group, so no later message is missed.
    await socket.send_json_to({"type": "showing", "comments": ["cdfghjk"]})
    await socket.receive_json_from(timeout=5)
    await sync_to_async(act)()
    received = [await socket.receive_json_from(timeout=5) for _ in range(messages)]
    await socket.disconnect()
    return received


async def test_deleted_hidden_or_restored_comment_is_published_with_the_new_count(
    video: Video, creator: User, moderator: User
) -> None:
    comment: Comment = await sync_to_async(CommentFactory)(target=video)
    await sync_to_async(CommentFactory)(target=video)

    received = [
        *await heard(video, lambda: services.delete(comment=comment, by=creator)),
        *await heard(video, lambda: services.restore(comment=comment, by=moderator)),
        *await heard(video, lambda: services.hide(comment=comment, by=moderator)),
    ]

    ids = {"kind": "comment", "ids": [comment.public_id]}
    assert received == [
        {"type": "taken", **ids, "count": 1},
        {"type": "restored", **ids, "count": 2},
        {"type": "taken", **ids, "count": 1},
    ]


async def test_danmaku_changes_are_published_without_text(
    video: Video, creator: User, moderator: User
) -> None:
    flying: Danmaku = await sync_to_async(DanmakuFactory)(target=video)

    received = [
        *await heard(video, lambda: writing.delete(danmaku=flying, by=creator)),
        *await heard(video, lambda: writing.restore(danmaku=flying, by=moderator)),
        *await heard(video, lambda: writing.hide(danmaku=flying, by=moderator)),
    ]

    assert received == [
        {"type": type_, "kind": "danmaku", "ids": [flying.public_id]}
        for type_ in ("taken", "restored", "taken")
    ]


async def test_approved_comment_is_published(video: Video, creator: User) -> None:
    held: Comment = await sync_to_async(CommentFactory)(target=video, is_held=True)

    [received] = await heard(video, lambda: services.approve(comment=held, by=creator))

    assert received == {"type": "restored", "kind": "comment", "ids": [held.public_id], "count": 1}


async def test_comment_held_after_an_edit_is_published_as_removed(video: Video, alice: User) -> None:
    comment: Comment = await sync_to_async(CommentFactory)(target=video, author=alice, text="harmless")
    video.comments_mode = "held"
    await video.asave(update_fields=["comments_mode"])

    [received] = await heard(video, lambda: services.edit(comment=comment, by=alice, text="not harmless"))

    assert received == {"type": "taken", "kind": "comment", "ids": [comment.public_id], "count": 0}


async def test_banned_author_s_texts_leave_open_pages_until_the_ban_is_undone(
    video: Video, alice: User, moderator: User
) -> None:
    comment: Comment = await sync_to_async(CommentFactory)(target=video, author=alice)
    deleted = {"deleted_at": video.created_at, "deleted_by": alice}
    await sync_to_async(CommentFactory)(target=video, author=alice, **deleted)
    flying: Danmaku = await sync_to_async(DanmakuFactory)(target=video, author=alice, offset_ms=1000)
    others: Danmaku = await sync_to_async(DanmakuFactory)(target=video, offset_ms=1000)
    decisions: list[Decision] = []

    def ban() -> None:
        decisions.append(moderation.decide_about(alice, by=moderator, action="ban"))

    async def flies() -> set[str]:
        found = await sync_to_async(buckets.between)(video, 0, 30_000)
        return {one["id"] for one in found}

    received, seen = [], [await flies()]
    for act in (ban, lambda: moderation.undo(decisions[0], by=moderator)):
        received.append(await heard(video, act, messages=2))
        seen.append(await flies())

    assert received == [
        [
            {"type": type_, "kind": "comment", "ids": [comment.public_id], "count": count},
            {"type": type_, "kind": "danmaku", "ids": [flying.public_id]},
        ]
        for type_, count in (("taken", 0), ("restored", 1))
    ]
    everything = {flying.public_id, others.public_id}
    assert seen == [everything, {others.public_id}, everything]


async def test_page_that_was_offline_gets_the_ids_of_removed_comments_once(
    video: Video, moderator: User
) -> None:
    stays, deleted, hidden = [
        await sync_to_async(CommentFactory)(target=video, **fields)
        for fields in ({}, {"deleted_at": video.created_at}, {"is_hidden": True})
    ]
    shown = [stays.public_id, deleted.public_id, hidden.public_id]
    gone: list[Any] = []
    for user in (ANYONE, moderator):
        socket = listening(video, user)
        await socket.connect()
        for _twice in range(2):
            await socket.send_json_to({"type": "showing", "comments": shown})
        gone.append(await socket.receive_json_from(timeout=5))
        assert await socket.receive_nothing()
        await socket.disconnect()

    assert [set(answer["ids"]) for answer in gone] == [
        {deleted.public_id, hidden.public_id},
        {deleted.public_id},
    ]


async def test_viewer_without_access_is_disconnected(creator: User) -> None:
    private: Video = await sync_to_async(VideoFactory)(
        channel=creator.channel, encoded=False, visibility="private"
    )
    socket = listening(private)
    await socket.connect()

    assert await socket.receive_output(timeout=5) == {"type": "websocket.close", "code": 4004}


@pytest.mark.parametrize(
    "frame",
    ["", "x", "[]", "[" * 60_000, '{"type": "say"}', '{"type": "showing", "comments": "abc"}'],
)
def test_malformed_showing_frame_has_no_ids(frame: str) -> None:
    assert ids_in(frame) == []


def test_showing_frame_keeps_valid_ids_up_to_the_limit() -> None:
    named: list[object] = [None, "x" * 17, "a b", {}, *["bcdf"] * 600]

    assert ids_in(json.dumps({"type": "showing", "comments": named})) == ["bcdf"] * (500 - 4)
