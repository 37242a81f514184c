"""From an encoder's first byte to a replay, with real FFmpeg, Redis, S3 and RTMP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from live.models import Broadcast
from live.tests.ingesting import (
    broadcast_in,
    ingesting,
    make_stream,
    publishing,
    ready_video,
    replay_of,
)

pytestmark = [
    pytest.mark.ffmpeg,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def one_rung_below(settings: Any) -> None:
    settings.LIVE_RUNGS = [180]
    settings.LIVE_PRESET = "ultrafast"


def durations(playlist: str) -> list[float]:
    return [float(found) for found in re.findall(r"#EXTINF:([\d.]+)", playlist)]


async def test_a_broadcast_becomes_a_video_with_every_picture(bucket: str, tmp_path: Path) -> None:
    await make_stream()

    async with ingesting() as ingest, publishing(ingest.url, seconds=8) as encoder:
        await encoder.wait()
        video = await ready_video()

    replay = await replay_of(video, tmp_path)
    assert replay.names == ["r0", "r1"]
    assert [replay.size(name) for name in replay.names] == [(640, 360), (320, 180)]
    assert [replay.decoded_pictures(name) for name in replay.names] == [240, 240]
    assert [round(sum(durations(replay.playlist(name))), 1) for name in replay.names] == [8.0, 8.0]
    assert replay.playlist().count("#EXT-X-DISCONTINUITY") == 0
    broadcast = await broadcast_in("ended")
    assert broadcast.ending == Broadcast.Ending.UNPUBLISHED
    assert [rendition["name"] for rendition in broadcast.renditions_json] == ["r0", "r1"]
    assert broadcast.source_json["encoder"].startswith("Lavf")
    assert video.poster_key.startswith(video.encode_prefix)
