"""Helpers for tests: RTMP sessions after given bytes, with their events and answers."""

from collections.abc import Callable
from typing import Any

from live.rtmp import amf0, chunks
from live.rtmp.chunks import ChunkReader, Message
from live.rtmp.errors import ProtocolError
from live.rtmp.session import Event, MediaTag, PublishRequested, RtmpLimits, ServerSession
from live.tests.rtmp_client import Speech

SHAKEN = Speech().hello() + Speech().hello_answered()


class RtmpConversation:
    """Session that accepts every publisher, with its events and answers."""

    def __init__(self, limits: RtmpLimits | None = None) -> None:
        self.session = ServerSession(limits or RtmpLimits())
        self.events: list[Event] = []
        self.sent = b""
        self.failure = ""

    def hear(self, data: bytes) -> None:
        if self.failure:
            return
        try:
            for event in self.session.receive(data):
                self.events.append(event)
                if isinstance(event, PublishRequested):
                    self.session.accept_publish()
        except ProtocolError as error:
            self.failure = error.code
        self.sent += self.session.data_to_send()

    def answers(self) -> list[Message]:
        """Return the session's messages, after its part of the handshake."""
        reading = ChunkReader(max_message_bytes=65_536, max_chunk_streams=8)
        reading.feed(self.sent[1 + 2 * 1536 :])
        return list(iter(reading.next_message, None))

    def commands(self) -> list[list[Any]]:
        return [amf0.decode(answer.payload) for answer in self.answers() if answer.type_id == chunks.COMMAND]

    def statuses(self) -> list[tuple[str, str, str]]:
        sent = [command[3] for command in self.commands() if command[0] == "onStatus"]
        return [(status["level"], status["code"], status["description"]) for status in sent]


def heard(*sent: bytes, limits: RtmpLimits | None = None) -> RtmpConversation:
    conversation = RtmpConversation(limits)
    for data in sent:
        conversation.hear(data)
    return conversation


def published(*sent: Callable[[Speech], bytes], key: str = "live_key") -> RtmpConversation:
    """Return a conversation with a publisher that then sends ``sent``."""
    speech = Speech()
    before = [
        speech.hello(),
        speech.hello_answered(),
        speech.connect(),
        speech.prepare(key),
        speech.publish(key),
    ]
    return heard(*before, *(send(speech) for send in sent))


def tags(conversation: RtmpConversation) -> list[tuple[str, int, int]]:
    return [
        (event.kind, event.timestamp_ms, len(event.payload))
        for event in conversation.events
        if isinstance(event, MediaTag)
    ]
