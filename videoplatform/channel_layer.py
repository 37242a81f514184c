"""A channel layer with a limit on the messages queued for one socket.

The library's queues grow without limit while a page does not read its messages.
"""

from __future__ import annotations

import asyncio
from typing import Any

from channels_redis.core import BoundedQueue
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer
from channels_redis.utils import _wrap_close

# A page that falls this far behind is closed, and reads SQL after it reconnects.
MAX_WAITING_MESSAGES = 100


class BoundedLoopLayer(RedisPubSubLoopLayer):
    """The channel layer of one event loop. A full queue drops its oldest message."""

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = BoundedQueue(MAX_WAITING_MESSAGES)
        await self._get_shard(channel).subscribe(channel)


class BoundedChannelLayer(RedisPubSubChannelLayer):
    """The channel layer of one process, named in ``CHANNEL_LAYERS``."""

    def _get_layer(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = BoundedLoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        return self._layers[loop]
