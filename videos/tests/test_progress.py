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
from videos.ends import fail_video
from videos.models import Video
from videos.routing import websocket_urlpatterns
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import LimitsExceeded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis]


async def listening(video: Video, user: User) -> WebsocketCommunicator:
    """Return a connected socket after its first state was read."""
    router: Any = URLRouter(websocket_urlpatterns)
    socket = WebsocketCommunicator(router, f"/ws/videos/{video.public_id}/progress/")
    socket.scope["user"] = user
    await socket.connect()
    assert (await socket.receive_json_from(timeout=5))["status"] == "processing"
    return socket


@pytest.fixture
def video() -> Video:
    return VideoFactory(encoded=False, status=Video.Status.PROCESSING)


async def test_owner_is_sent_changed_states_only(video: Video) -> None:
    socket = await listening(video, video.channel.owner)

    await sync_to_async(progress.publish)(video)
    assert await socket.receive_nothing(timeout=1.5)
    await sync_to_async(Video.objects.filter(pk=video.pk).update)(status=Video.Status.FAILED)
    await sync_to_async(progress.publish)(video)

    assert (await socket.receive_json_from(timeout=5))["status"] == "failed"
    await socket.disconnect()


async def test_socket_closes_for_a_banned_owner_and_a_former_moderator(video: Video) -> None:
    admin, moderator = [await sync_to_async(UserFactory)(is_superuser=True) for _ in range(2)]
    sockets = [await listening(video, user) for user in (video.channel.owner, moderator)]

    await sync_to_async(moderation.decide_about)(video.channel.owner, by=admin, action="ban")
    await sync_to_async(User.objects.filter(pk=moderator.pk).update)(is_superuser=False)
    await sync_to_async(progress.publish)(video)

    closed = [await socket.receive_output(timeout=5) for socket in sockets]
    assert [one["code"] for one in closed] == [1012, 4004]


async def test_failure_is_sent_in_the_language_of_the_page(video: Video) -> None:
    await sync_to_async(fail_video)(video, LimitsExceeded(limit="duration_s", most=12 * 3600))
    headers = [(b"accept-language", b"zh-hans")]
    router: Any = URLRouter(websocket_urlpatterns)
    socket = WebsocketCommunicator(router, f"/ws/videos/{video.public_id}/progress/", headers)
    socket.scope["user"] = video.channel.owner
    await socket.connect()

    state = await socket.receive_json_from(timeout=5)

    assert state["failure"]["detail"] == "视频超过 12 小时，请剪成几段分别上传。"
    await socket.disconnect()
