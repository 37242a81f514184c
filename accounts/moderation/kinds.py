"""What this app itself lets people report: channels."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, User
from accounts.moderation.registry import Kind, register


def find_channel(username: str, asker: User) -> Channel | None:
    """A channel by its name; of people who are locked out, for moderators only."""
    channels = Channel.objects.all() if asker.is_moderator else Channel.objects.public()
    return channels.select_related("owner").with_follower_count().named(username).first()


def text_of(channel: Channel) -> str:
    return f"{channel.display_name}\n\n{channel.bio}".strip()


def context_of(channel: Channel) -> dict[str, Any]:
    return {"channel": channel}


def register_channel() -> None:
    """A channel is not hidden: it is its person who is timed out, suspended or banned."""
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
