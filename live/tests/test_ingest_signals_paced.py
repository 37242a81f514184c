"""Tests from an encoder's first byte to the replay, with real FFmpeg, Redis, S3 and RTMP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, cycle, groupby, islice, pairwise
from pathlib import Path

import pytest
from django.test import AsyncClient

from live import ingest_presence
from live.ingest import publisher_session as session_module
from live.ingest.broadcast_session import NO_KEYFRAME
from live.ingest.publisher_session import in_thread
from live.models import Broadcast
from live.rtmp.session import MediaTag
from live.tests.ingesting import (
    IN_REAL_TIME,
    KEY,
    FakePublisher,
    broadcast_in,
    durations,
    ingesting,
    later,
    make_stream,
    publishing,
    ready_video,
    recorded,
    replay_of,
    replay_of_publishing,
    replay_of_tags,
    tags_of,
    timelines,
    until,
    window_of,
)
from live.tests.rtmp_client import RtmpEncoder
from videos.models import Rendition, Video

pytestmark = IN_REAL_TIME


async def test_recording_has_every_frame_of_the_broadcast(bucket: str, tmp_path: Path) -> None:
    replay = await replay_of_publishing(tmp_path, seconds=8)

    assert replay.names == ["r0", "r1"]
    assert [replay.size(name) for name in replay.names] == [(640, 360), (320, 180)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [240, 240]
    assert [round(sum(durations(replay, name)), 1) for name in replay.names] == [8.0, 8.0]
    assert timelines(replay) == 1
    broadcast, video = await broadcast_in("ended"), await ready_video()
    assert broadcast.ending == Broadcast.Ending.UNPUBLISHED
    assert [rendition["name"] for rendition in broadcast.renditions_json] == ["r0", "r1"]
    assert (broadcast.source_json or {})["frame_rate"] == 30.0
    assert video.poster_key.startswith(video.encode_prefix)
    assert replay.file(video.poster_key)[:3] == b"\xff\xd8\xff"


async def test_parts_of_every_rendition_keep_the_part_target(bucket: str) -> None:
    await make_stream(record=False)

    async with ingesting() as ingest, publishing(ingest.url, seconds=5) as encoder:
        await encoder.wait()
        broadcast = await broadcast_in("ended")

    for name in ("r0", "r1"):
        segments = window_of(broadcast, name).segments
        inner = [part.duration_s for segment in segments for part in segment.parts[:-1]]
        target_s = window_of(broadcast, name).shape.part_target_s
        assert target_s == 0.202
        assert len(segments) == 5
        assert all(0.85 * target_s <= duration_s <= target_s for duration_s in inner)
        assert all(segment.parts[0].is_independent for segment in segments if segment.parts)
    assert not await in_thread(Video.objects.exists)


@pytest.mark.parametrize(
    "steps_ms", [(125,), (67,), (20, 50, 35, 28, 44)], ids=["8 fps", "15 fps", "wandering"]
)
async def test_parts_keep_the_part_target_at_rates_that_the_header_does_not_declare(
    steps_ms: tuple[int, ...], bucket: str, tmp_path: Path
) -> None:
    encoded = tags_of("-g", "8", seconds=3, size="640x360")
    pictures = [tag for tag in encoded if tag.kind == "video" and not tag.header.is_config]
    times = [*accumulate(islice(cycle(steps_ms), len(pictures) - 1), initial=0)]
    length_s = times[-1] / 1000
    sounds = [tag for tag in tags_of(seconds=length_s) if tag.kind == "audio"]
    shown = [replace(tag, timestamp_ms=time) for tag, time in zip(pictures, times, strict=True)]
    headers = [tag for tag in encoded if tag.header.is_config]
    media = [*shown, *(tag for tag in sounds if not tag.header.is_config)]

    replay = await replay_of_tags(tmp_path, [*headers, *sorted(media, key=lambda tag: tag.timestamp_ms)])

    broadcast = await broadcast_in("ended")
    for name in replay.names:
        window = window_of(broadcast, name)
        inner = [part.duration_s for segment in window.segments for part in segment.parts[:-1]]
        assert all(duration_s >= 0.85 * window.shape.part_target_s for duration_s in inner)
        (shown_s,) = replay.shown_at(name)
        assert shown_s == pytest.approx([time / 1000 for time in times], abs=0.0011)


async def test_source_with_b_frames_is_copied_completely(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with (
        ingesting() as ingest,
        publishing(ingest.url, seconds=6, x264=("-bf", "2", "-preset", "veryfast")) as encoder,
    ):
        broadcast = await recorded(1)
        health = await until(lambda: in_thread(ingest_presence.health_of, broadcast.public_id))
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert [replay.decoded_pictures(name) for name in replay.names] == [180, 180]
    assert "b_frames" in health["advice"]
    copied, encoded = (replay.shown_at(name)[0] for name in replay.names)
    assert encoded == pytest.approx(copied, abs=0.0011)


async def test_source_with_rare_keyframes_is_encoded(bucket: str, tmp_path: Path) -> None:
    replay = await replay_of_publishing(tmp_path, seconds=7, gop=300)

    assert [replay.decoded_pictures(name) for name in replay.names] == [210, 210]
    broadcast = await broadcast_in("ended")
    window = window_of(broadcast)
    assert {round(segment.length_s, 1) for segment in window.segments} == {1.0}


async def test_portrait_source_without_audio_gets_silence(bucket: str, tmp_path: Path) -> None:
    replay = await replay_of_publishing(tmp_path, seconds=5, size="360x640", has_sound=False)

    assert [replay.size(name) for name in replay.names] == [(360, 640), (180, 320)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [150, 150]
    assert replay.has_sound()


async def test_changed_frame_size_begins_a_new_timeline(bucket: str, tmp_path: Path) -> None:
    tags = [*tags_of(seconds=2), *later(tags_of(seconds=2, size="640x360"), 2000)]

    replay = await replay_of_tags(tmp_path, tags)

    assert timelines(replay) == 2
    assert replay.decoded_pictures() == 120
    assert replay.names == ["r0"]
    before, after = replay.shown_at()
    assert after[0] - before[-1] == pytest.approx(1 / 30, abs=0.01)
    listed = await in_thread(Rendition.objects.get)
    assert (listed.width_px, listed.height_px, listed.frame_rate) == (640, 360, 30.0)


async def test_intermittent_audio_is_filled_with_silence(bucket: str, tmp_path: Path) -> None:
    silent, sounding = tags_of(seconds=3, has_sound=False), tags_of(seconds=3)

    blind = [tag for tag in tags_of(seconds=6) if tag.kind == "audio" or not 1500 < tag.timestamp_ms < 4500]

    tags = [*silent, *later(sounding, 3000), *later(silent, 6000), *later(blind, 9000)]
    replay = await replay_of_tags(tmp_path, tags)

    # The publisher's audio has another configuration than our silence, so a new timeline
    # begins at a keyframe.
    assert timelines(replay) == 2
    sounds, pictures = replay.length_s("soun"), replay.length_s("vide")
    assert pictures == pytest.approx(15, abs=0.1)
    assert sounds == pytest.approx(pictures, abs=0.2)


async def test_late_and_wandering_audio_keeps_its_time(bucket: str, tmp_path: Path) -> None:
    """Audio pauses on its way for 2 s, then arrives 0.8 s late, and then its times wander as well."""
    # No two audio frames are equal.
    tags = tags_of("-af", "volume=0.1+t/20:eval=frame", seconds=9, size="640x360")
    wandering = cycle((0, 9, -6, 3, -9, 6))
    sent: list[tuple[float, MediaTag]] = []  # in the order of arrival
    for tag in tags:
        at_s = tag.timestamp_ms / 1000
        if tag.kind == "audio" and not tag.header.is_config:
            off_ms = next(wandering) if at_s > 6 else 0
            late_s = 4 - at_s if 2 <= at_s < 4 else 0.8 if at_s >= 5 else 0
            sent.append((at_s + late_s, replace(tag, timestamp_ms=tag.timestamp_ms + off_ms)))
        else:
            sent.append((at_s, tag))
    sent.sort(key=lambda arrival: arrival[0])
    await make_stream()

    async with ingesting() as ingest, await RtmpEncoder.open(ingest.server.port) as encoder:
        await encoder.publish(KEY)
        began_at = asyncio.get_running_loop().time()
        for due_s, tag in sent:
            await asyncio.sleep(began_at + due_s - asyncio.get_running_loop().time())
            await encoder.send(encoder.speech.media(tag.kind, tag.timestamp_ms, tag.payload))
        await encoder.goodbye(KEY)
        replay = await replay_of(await ready_video(), tmp_path)

    began_ms = next(tag.timestamp_ms for _, tag in sent if tag.header.is_keyframe)
    wanted_s = {
        tag.payload[2:]: (tag.timestamp_ms - began_ms) / 1000 for _, tag in sent if tag.kind == "audio"
    }
    assert replay.names == ["r0", "r1"]
    for name in replay.names:
        sounds = replay.sounds_at(name)
        off_s = [at_s - wanted_s[data] for at_s, data in sounds if data in wanted_s]
        assert len(off_s) > 250
        assert max(map(abs, off_s)) < 0.0021
        # Silence fills the time in which no audio arrived.
        assert max(after[0] - before[0] for before, after in pairwise(sounds)) < 0.065


async def test_jumping_clock_continues_the_timeline(bucket: str, tmp_path: Path) -> None:
    after = later(tags_of(seconds=2), 4_000_000)

    replay = await replay_of_tags(tmp_path, tags_of(seconds=2), after)

    assert timelines(replay) == 1
    assert replay.decoded_pictures() == 120
    assert sum(durations(replay)) == pytest.approx(4, abs=0.1)


async def test_small_steps_back_keep_the_timeline(bucket: str, tmp_path: Path) -> None:
    tags = tags_of(seconds=6)
    pictures = [tag for tag in tags if tag.kind == "video"]
    late = {id(tag) for tag in pictures[91::30]}
    stepping = [replace(tag, timestamp_ms=tag.timestamp_ms - 48 * (id(tag) in late)) for tag in tags]

    replay = await replay_of_tags(tmp_path, stepping)

    assert timelines(replay) == 1
    assert replay.decoded_pictures() == 180


async def test_source_is_encoded_once_its_keyframes_become_rare(bucket: str, tmp_path: Path) -> None:
    tags = [*tags_of(seconds=2), *later(tags_of("-g", "300", seconds=5), 2000)]

    replay = await replay_of_tags(tmp_path, tags)

    assert timelines(replay) == 2
    # The long GOP is encoded from its beginning.
    assert 210 <= replay.decoded_pictures() <= 210 + 50


async def test_still_screen_of_few_frames_is_recorded_whole(bucket: str, tmp_path: Path) -> None:
    # Keyframes 10 s apart, one frame every 2 s between them.
    still = tags_of("-r", "0.5", "-g", "5", seconds=16)

    replay = await replay_of_tags(tmp_path, [*tags_of(seconds=4), *later(still, 4000)])

    assert sum(durations(replay)) == pytest.approx(20, abs=0.3)
    assert replay.length_s("soun") == pytest.approx(20, abs=0.6)


async def test_phone_that_is_turned_again_and_again_stays_on_air(bucket: str, tmp_path: Path) -> None:
    turns = [tags_of(seconds=2, size=size) for size in ("426x240", "240x426")] * 4
    tags = [tag for number, turn in enumerate(turns) for tag in later(turn, 2000 * number)]

    replay = await replay_of_tags(tmp_path, tags)

    assert timelines(replay) == 8
    assert replay.decoded_pictures() == 480


OPEN_GOPS = ("-x264-params", "open-gop=1:keyint=30:min-keyint=30:bframes=3:scenecut=0")


async def test_anamorphic_fields_in_open_gops_become_plain_frames(bucket: str, tmp_path: Path) -> None:
    fields = ("-vf", "scroll=horizontal=0.02,tinterlace=interleave_top,setsar=64/45")
    tags = tags_of(
        *OPEN_GOPS, *fields, "-flags", "+ilme+ildct", "-tune", "animation", seconds=6, size="320x240"
    )

    replay = await replay_of_tags(tmp_path, tags)

    assert timelines(replay) == 1
    assert [replay.size(name) for name in replay.names] == [(456, 240), (342, 180)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [90, 90]
    assert [replay.pixel_shapes(name) for name in replay.names] == [{"1:1"}, {"1:1"}]
    assert [replay.combed_pictures(name) for name in replay.names] == [0, 0]


async def test_source_is_encoded_once_viewers_cannot_join_at_a_keyframe(bucket: str, tmp_path: Path) -> None:
    open_gops = tags_of(*OPEN_GOPS, "-tune", "animation", seconds=4)

    replay = await replay_of_tags(tmp_path, [*tags_of(seconds=2), *later(open_gops, 2000)])

    assert timelines(replay) == 3  # copied, copied up to the open GOP, encoded
    assert replay.decoded_pictures() >= 180 - 3  # the frames before an open GOP's keyframe
    assert all(replay.opens_with_idr())


async def test_first_keyframe_is_awaited_behind_audio_and_undecodable_frames(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A relay that joins in the middle of a GOP of 10 s, and a camera that is slower than its microphone.
    tags = [
        tag
        for tag in tags_of("-g", "300", seconds=17)
        if tag.kind == "audio" or tag.timestamp_ms > 5000 or tag.header.is_config
    ]

    awaited: list[str] = []
    monkeypatch.setattr(session_module, "AWAITED_EVERY_S", 0.5)
    monkeypatch.setattr(ingest_presence, "record_awaited", lambda _stream, kind: awaited.append(kind))
    replay = await replay_of_tags(tmp_path, tags)

    # Audio alone for 5 s, then frames that no decoder can begin with until 10 s.
    assert [kind for kind, _ in groupby(awaited)] == ["video", "keyframe"]
    assert timelines(replay) == 1
    assert replay.decoded_pictures() == 7 * 30
    assert replay.length_s("soun") == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("is_sent", "reason"),
    [
        (lambda tag: tag.kind == "audio", session_module.NO_PICTURE),
        (lambda tag: not tag.header.is_keyframe, NO_KEYFRAME),
    ],
    ids=["no video", "no keyframe"],
)
async def test_signal_without_a_decodable_frame_is_refused_with_its_reason(
    is_sent: Callable[[MediaTag], bool], reason: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "PICTURE_WITHIN_S", 0.2)
    await make_stream()
    publisher = FakePublisher()

    async with ingesting() as ingest:
        session = await ingest.admit(publisher)
        for tag in filter(is_sent, tags_of(seconds=1)):
            await session.on_tag(tag)
        assert await session.wait(5)

    assert publisher.closed_with[0] == reason
    assert not await in_thread(Broadcast.objects.exists)


async def test_running_broadcast_can_be_rewound(bucket: str) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url):
        broadcast = await recorded(4)
        client = AsyncClient()
        multivariant = await client.get(f"/live-dvr/{broadcast.public_id}/open/multivariant.m3u8")
        media = await client.get(f"/live-dvr/{broadcast.public_id}/open/r1.m3u8")
        refused = await client.get(f"/live-dvr/{broadcast.public_id}/guessed/r1.m3u8")

    assert "r1.m3u8" in multivariant.content.decode()
    assert multivariant["Access-Control-Allow-Origin"] == "*"
    lines = media.content.decode().splitlines()
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in lines
    assert "X-Amz-Signature" in lines[-1]
    assert refused.status_code == 404
