"""Channels with their live state."""

from __future__ import annotations

from accounts.api.channels import ChannelProfileSerializer, ChannelView
from accounts.models import Channel
from live.models import Stream


class LiveProfileSerializer(ChannelProfileSerializer):
    def get_live(self, channel: Channel) -> bool:
        return Stream.objects.on_air().filter(channel=channel).exists()


class LiveChannelView(ChannelView):
    """A channel, with a flag that is true while it is on air."""

    serializer_class = LiveProfileSerializer
