"""Tests that moderators act only on people below their rank, in every interface."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts import moderation, services
from accounts.errors import NotTheirs
from accounts.models import User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from live.chat import room_moderation as chat
from live.chat.errors import NotAllowedHere
from live.models import Broadcast, ChatMessage
from live.services import stream_of
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

ROLES = [Role.MODERATOR, Role.ADMINISTRATOR]


def with_role(role: Role | None) -> User:
    user = UserFactory()
    if role:
        services.grant_role(user=user, role=role)
    return user


@pytest.fixture
def moderator() -> User:
    return with_role(Role.MODERATOR)


def desk_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def things_of(owner: User) -> list[tuple[str, Any]]:
    """Return one reportable object of each kind by ``owner``."""
    video = VideoFactory(channel=owner.channel)
    comment = CommentFactory(target=VideoFactory(), author=owner)
    message = ChatMessageFactory(user=owner)
    return [("video", video), ("comment", comment), ("chat_message", message)]


@pytest.mark.parametrize("role", ROLES)
def test_moderator_cannot_remove_content_of_people_with_a_role(role: Role, moderator: User) -> None:
    for kind, thing in things_of(with_role(role)):
        with pytest.raises(NotTheirs):
            moderation.act(kind, thing.public_id, by=moderator, action="remove")


@pytest.mark.parametrize("role", ROLES)
def test_administrator_can_remove_content_of_people_with_a_role(role: Role) -> None:
    chief = with_role(Role.ADMINISTRATOR)

    for kind, thing in things_of(with_role(role)):
        moderation.act(kind, thing.public_id, by=chief, action="remove")


@pytest.mark.parametrize("role", ROLES)
def test_moderator_can_leave_content_of_people_with_a_role(role: Role, moderator: User) -> None:
    video = VideoFactory(channel=with_role(role).channel)

    moderation.act("video", video.public_id, by=moderator, action="leave")


def test_moderator_cannot_undo_decisions_about_people_with_a_role(moderator: User) -> None:
    chief = with_role(Role.ADMINISTRATOR)
    video = VideoFactory(channel=with_role(Role.MODERATOR).channel)
    decision = moderation.act("video", video.public_id, by=chief, action="hide")

    with pytest.raises(NotTheirs):
        moderation.undo(decision, by=moderator)


@pytest.mark.parametrize(("role", "name"), [(None, "new"), (Role.MODERATOR, ""), (Role.ADMINISTRATOR, "")])
def test_moderator_edits_only_channels_of_people_without_a_role(
    role: Role | None, name: str, moderator: User
) -> None:
    channel = with_role(role).channel

    page = reverse("admin:accounts_channel_change", args=[channel.pk])
    answer = desk_of(moderator).post(page, {"display_name": "new", "bio": ""})

    channel.refresh_from_db()
    assert (answer.status_code, channel.display_name) == (302 if name else 403, name)


def test_moderator_edits_their_own_channel(moderator: User) -> None:
    page = reverse("admin:accounts_channel_change", args=[moderator.channel.pk])

    assert desk_of(moderator).post(page, {"display_name": "new", "bio": ""}).status_code == 302


@pytest.mark.parametrize("action", ["revoke_keys", "suspend"])
@pytest.mark.parametrize(("role", "is_done"), [(None, True), (Role.ADMINISTRATOR, False)])
def test_moderator_acts_only_on_streams_of_people_without_a_role(
    role: Role | None, is_done: bool, action: str, moderator: User
) -> None:
    stream = StreamFactory(channel=with_role(role).channel)
    stream.key_digest = "digest"
    stream.save()
    chosen = {"action": action, "_selected_action": str(stream.pk)}

    desk_of(moderator).post(reverse("admin:live_stream_changelist"), chosen)

    stream.refresh_from_db()
    was_done = stream.key_digest is None if action == "revoke_keys" else stream.is_suspended
    assert was_done == is_done


@pytest.mark.parametrize(("role", "status"), [(None, 204), (Role.ADMINISTRATOR, 403)])
def test_moderator_ends_only_broadcasts_of_people_without_a_role(
    role: Role | None, status: int, moderator: User
) -> None:
    owner = with_role(role)
    BroadcastFactory(stream=stream_of(owner.channel))
    client = APIClient()
    client.force_authenticate(moderator)

    answer = client.post(f"/api/v1/live/{owner.username}/end/")

    assert answer.status_code == status
    assert Broadcast.objects.running().exists() == (status == 403)


def test_moderator_deletes_an_administrators_message_only_in_their_own_room(moderator: User) -> None:
    message = ChatMessageFactory(user=with_role(Role.ADMINISTRATOR))
    own = ChatMessageFactory(user=with_role(Role.ADMINISTRATOR), stream=stream_of(moderator.channel))

    with pytest.raises(NotAllowedHere):
        chat.delete_message(stream=message.stream, by=moderator, message_id=message.public_id)
    chat.delete_message(stream=own.stream, by=moderator, message_id=own.public_id)

    assert list(ChatMessage.objects.filter(deleted_at=None)) == [message]
