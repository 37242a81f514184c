"""Channels as content that people can report."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import Channel
from accounts.moderation.registry import Kind, register
from accounts.viewers import Viewer


def find_channel(username: str, asker: Viewer) -> Channel | None:
    """Return a channel by its name; channels of locked accounts for moderators only."""
    channels = Channel.objects.all() if asker.is_moderator else Channel.objects.public()
    return channels.select_related("owner").with_follower_count().named(username).first()


def text_of(channel: Channel) -> str:
    return f"{channel.display_name}\n\n{channel.bio}".strip()


def context_of(channel: Channel) -> dict[str, Any]:
    return {"channel": channel}


def register_channel() -> None:
    """Register channels; they cannot be hidden, but their owners can be sanctioned."""
    register(
        Kind(
            name="channel",
            label=_("Channel"),
            preview="admin/previews/channel.html",
            find=find_channel,
            public_id=lambda channel: channel.username,
            author=lambda channel: channel.owner,
            title=lambda channel: f"@{channel.username}",
            text=text_of,
            url=lambda channel: channel.get_absolute_url(),
            context=context_of,
        )
    )
