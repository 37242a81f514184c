"""The socket that shows an encode's progress to its owner."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from accounts import moderation
from accounts.models import User
from accounts.tests.factories import UserFactory
from videos import progress
from videos.models import Video
from videos.routing import websocket_urlpatterns
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


async def listening(video: Video, user: User) -> WebsocketCommunicator:
    """A socket whose first state has been read."""
    router: Any = URLRouter(websocket_urlpatterns)
    socket = WebsocketCommunicator(router, f"/ws/videos/{video.public_id}/progress/")
    socket.scope["user"] = user
    await socket.connect()
    assert (await socket.receive_json_from(timeout=5))["status"] == "processing"
    return socket


@pytest.fixture
def video() -> Video:
    return VideoFactory(encoded=False, status=Video.Status.PROCESSING)


async def test_the_owner_hears_of_a_change_once_and_nothing_of_what_did_not_change(video: Video) -> None:
    socket = await listening(video, video.channel.owner)

    await sync_to_async(progress.announce)(video)
    assert await socket.receive_nothing(timeout=1.5)
    await sync_to_async(Video.objects.filter(pk=video.pk).update)(status=Video.Status.FAILED)
    await sync_to_async(progress.announce)(video)

    assert (await socket.receive_json_from(timeout=5))["status"] == "failed"
    await socket.disconnect()


async def test_who_is_locked_out_or_loses_a_role_hears_nothing_more(video: Video) -> None:
    admin, moderator = [await sync_to_async(UserFactory)(is_superuser=True) for _ in range(2)]
    sockets = [await listening(video, user) for user in (video.channel.owner, moderator)]

    await sync_to_async(moderation.decide_about)(video.channel.owner, by=admin, action="ban")
    await sync_to_async(User.objects.filter(pk=moderator.pk).update)(is_superuser=False)
    await sync_to_async(progress.announce)(video)

    closed = {"type": "websocket.close", "code": 4004}
    assert [await socket.receive_output(timeout=5) for socket in sockets] == [closed, closed]
