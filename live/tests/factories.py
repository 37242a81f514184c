"""Factories of streams and broadcasts in any state, without publishing media."""

from __future__ import annotations

from typing import Any

import factory
import factory.django
from django.utils import timezone

from accounts.tests.factories import UserFactory
from common.ids import new_public_id
from live.models import Broadcast, ChatMessage, Stream
from live.services import digest_of
from videos.models import Video
from videos.tests.factories import VideoFactory


class StreamFactory(factory.django.DjangoModelFactory[Stream]):
    """Public stream of a new person; ``key="…"`` sets its stream key."""

    class Meta:
        model = Stream

    channel = factory.LazyFunction(lambda: UserFactory().channel)
    title = factory.Sequence("Stream {}".format)

    @classmethod
    def _create(cls, model_class: type[Stream], *_args: Any, **fields: Any) -> Stream:
        if key := fields.pop("key", None):
            fields |= {"key_digest": digest_of(key), "key_created_at": timezone.now()}
        stream: Stream = super()._create(model_class, **fields)
        return stream


class BroadcastFactory(factory.django.DjangoModelFactory[Broadcast]):
    """Broadcast on air, without a recording."""

    class Meta:
        model = Broadcast

    stream = factory.SubFactory(StreamFactory)
    started_at = factory.LazyFunction(timezone.now)
    connection_id = factory.Sequence("connection-{}".format)


class ReplayedFactory(BroadcastFactory):
    """Ended broadcast with a replay."""

    status = Broadcast.Status.ENDED
    ending = Broadcast.Ending.UNPUBLISHED
    ended_at = factory.LazyFunction(timezone.now)

    @factory.lazy_attribute
    def recording(self) -> Video:
        video: Video = VideoFactory(channel=self.stream.channel)
        return video


class ChatMessageFactory(factory.django.DjangoModelFactory[ChatMessage]):
    class Meta:
        model = ChatMessage

    public_id = factory.LazyFunction(new_public_id)
    stream = factory.SubFactory(StreamFactory)
    user = factory.SubFactory(UserFactory)
    seq = factory.Sequence(lambda number: number + 1)
    text = factory.Sequence("Message {}".format)
    sent_at = factory.LazyFunction(timezone.now)
