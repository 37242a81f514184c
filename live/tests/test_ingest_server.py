"""Tests of the RTMP server's conversation with an encoder."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from live.ingest.server import BROKEN, NOT_UNDERSTOOD, Publisher, RtmpServer
from live.rtmp import chunks
from live.rtmp.session import REJECTED, MediaTag
from live.tests import rtmp_client
from live.tests.doorkeeping import Doorkeeper, RecordingSink, listening
from live.tests.rtmp_client import RtmpEncoder


async def test_obs_publishes_and_its_tags_arrive_in_order(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        status = await obs.publish("good?session=1")
        await obs.send(obs.speech.metadata() + obs.speech.some_media(seconds=3))
        await obs.goodbye("good")

        assert await door.recorder.ending() is True
        assert (await obs.status())["code"] == "NetStream.Unpublish.Success"

    recorder = door.recorder
    assert status["code"] == "NetStream.Publish.Start"
    assert recorder.values == rtmp_client.METADATA
    assert len(recorder.tags) == 2 + 3 * 60
    assert [tag.timestamp_ms for tag in recorder.tags] == sorted(tag.timestamp_ms for tag in recorder.tags)
    assert recorder.publisher.address.startswith("127.0.0.1:")
    assert len(recorder.publisher.connection_id) == 16


async def test_goodbye_is_passed_on_before_the_socket_closes(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.goodbye("good")

        assert await door.recorder.ending() is True
        assert not obs.reader.at_eof()


async def test_vanished_publisher_has_not_unpublished(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.some_media(seconds=1))
        obs.writer.close()

        assert await door.recorder.ending() is False
        assert len(door.recorder.tags) == 62


async def test_reset_connection_has_not_unpublished(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        obs.writer.transport.abort()

        assert await door.recorder.ending() is False


async def test_wrong_key_is_refused_with_a_sentence(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        status = await obs.publish("wrong")

        assert status == {"level": "error", "code": REJECTED, "description": "This stream key is invalid."}
        await obs.end_of_file()
    assert door.recorders == []


async def test_refusal_arrives_despite_unread_media(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.connect()
        await obs.send(obs.speech.prepare("wrong") + obs.speech.publish("wrong"))
        await obs.send(obs.speech.some_media(seconds=10))
        for _ in range(3):
            await obs.answer("_result")

        assert (await obs.status())["code"] == REJECTED
        await obs.end_of_file()


async def test_another_app_is_refused_with_a_sentence(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        status = await obs.publish("good", app="stream")

        assert status["description"] == ("Wrong address: the address of this server ends in /live.")


async def test_app_name_may_end_in_a_slash(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        assert (await obs.publish("good", app="live/"))["code"] == "NetStream.Publish.Start"


async def test_key_may_be_part_of_the_url(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        assert (await obs.publish("", app="live/good"))["code"] == "NetStream.Publish.Start"


async def test_another_codec_ends_the_broadcast_with_a_sentence(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.media("video", 0, b"\x90hvc1" + bytes(50)))

        assert "Use H.264" in (await obs.status())["description"]
        assert await door.recorder.ending() is False


async def test_stream_keys_stay_out_of_the_logs(
    server: RtmpServer, door: Doorkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    for key in ("good", "wrong-key"):
        async with await RtmpEncoder.open(server.port) as obs:
            await obs.publish(key)
    await door.recorder.ending()

    records = [record for record in caplog.records if record.name == "live.ingest.server"]
    assert {record.getMessage() for record in records} >= {"Publishing", "Publisher refused"}
    assert not any(key in repr(vars(record)) for record in records for key in ("'good'", "wrong-key"))


async def test_busy_sink_holds_the_publisher_back(server: RtmpServer, door: Doorkeeper) -> None:
    """The encoder sends more than kernel and server may buffer; nothing is lost."""
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        recorder = door.recorder
        recorder.may_take.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await obs.send(obs.speech.some_media(seconds=20, picture_bytes=50_000))
        assert recorder.tags == []

        recorder.may_take.set()
        await obs.goodbye("good")

        assert await recorder.ending() is True
    assert len(recorder.tags) == 2 + 20 * 60


async def test_sink_can_close_its_publisher(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.some_media(seconds=1))

        door.recorder.publisher.close("NetStream.Publish.Rejected", "Somebody else publishes here now.")
        door.recorder.publisher.close()

        assert (await obs.status())["description"] == "Somebody else publishes here now."
        assert await door.recorder.ending() is False
        await obs.end_of_file()


async def test_publisher_can_be_closed_from_inside_a_tag(server: RtmpServer, door: Doorkeeper) -> None:
    class Fussy(RecordingSink):
        async def on_tag(self, tag: MediaTag) -> None:
            await super().on_tag(tag)
            self.publisher.close("", "One is enough.")

    door.makes = Fussy
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.some_media(seconds=1))

        assert (await obs.status())["description"] == "One is enough."
        assert await door.recorder.ending() is False
    assert len(door.recorder.tags) == 1


async def test_publisher_closed_during_admission_never_starts(server: RtmpServer, door: Doorkeeper) -> None:
    async def replace_it(publisher: Publisher) -> None:
        publisher.close("", "Too late.")

    door.before = replace_it
    async with await RtmpEncoder.open(server.port) as obs:
        assert (await obs.publish("good"))["description"] == "Too late."
        assert await door.recorder.ending() is False


async def test_failing_sink_closes_only_its_publisher(
    server: RtmpServer, door: Doorkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(RecordingSink):
        async def on_tag(self, tag: MediaTag) -> None:
            raise ValueError("no room")

    door.makes = Broken
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.some_media(seconds=1))

        assert (await obs.status())["description"] == BROKEN
        assert await door.recorder.ending() is False
        await obs.end_of_file_or_reset()
    door.makes = RecordingSink
    async with await RtmpEncoder.open(server.port) as obs:
        assert (await obs.publish("good"))["code"] == "NetStream.Publish.Start"
    assert "no room" in caplog.text


async def test_failed_admission_is_reported_to_the_encoder(server: RtmpServer, door: Doorkeeper) -> None:
    async def fail(publisher: Publisher) -> None:
        raise ValueError("unexpected")

    door.before = fail
    async with await RtmpEncoder.open(server.port) as obs:
        assert (await obs.publish("good"))["description"] == BROKEN
        await obs.end_of_file_or_reset()
    door.before = None


async def test_protocol_error_is_reported_to_the_encoder(server: RtmpServer, door: Doorkeeper) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.publish("good")
        await obs.send(obs.speech.writer.control(chunks.SET_CHUNK_SIZE, (0).to_bytes(4)))

        status = await obs.status()
        assert status["code"] == REJECTED
        assert status["description"] == NOT_UNDERSTOOD.format(code="bad_chunk_size")
        assert await door.recorder.ending() is False


async def test_command_before_connect_is_answered_with_a_status(server: RtmpServer) -> None:
    async with await RtmpEncoder.open(server.port) as obs:
        await obs.shake_hands()
        await obs.send(obs.speech.command("createStream", None))

        assert (await obs.status())["code"] == "NetConnection.Connect.Rejected"


@pytest.mark.parametrize(
    "scenario",
    [
        test_obs_publishes_and_its_tags_arrive_in_order,
        test_vanished_publisher_has_not_unpublished,
        test_reset_connection_has_not_unpublished,
        test_wrong_key_is_refused_with_a_sentence,
        test_busy_sink_holds_the_publisher_back,
        test_sink_can_close_its_publisher,
        test_publisher_can_be_closed_from_inside_a_tag,
        test_publisher_closed_during_admission_never_starts,
    ],
)
def test_scenario_passes_under_uvloop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        door = Doorkeeper()
        async with listening(door) as server:
            await scenario(server, door)

    uvloop.run(play())
