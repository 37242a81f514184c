"""Helpers for tests: live segments, and a broadcast with its recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from botocore.exceptions import EndpointConnectionError

from common import storage
from live.models import Broadcast
from live.recording.assembler import LiveSegment, RecordedSegment
from live.tests.factories import BroadcastFactory
from videos.models import Video
from videos.publishing import Encode, media_playlist
from videos.services import recordings
from videos.services.recordings import RecordedRendition

NAMES = ["r0", "r1"]
RENDITIONS = [RecordedRendition(name, 640, 360, 30.0, 800_000, "avc1.64001e,mp4a.40.2") for name in NAMES]


def live(msn: int, duration_s: float = 2.0, *, is_discontinuous: bool = False) -> LiveSegment:
    return LiveSegment(
        msn,
        duration_s,
        is_discontinuous,
        1_700_000_000.0 + 2 * msn,
        {name: f"init {name}".encode() for name in NAMES},
        {name: f"{name}:{msn};".encode() for name in NAMES},
    )


def begin() -> Broadcast:
    broadcast: Broadcast = BroadcastFactory(
        renditions_json=[
            {"name": r.name, "width_px": 640, "height_px": 360, "frame_rate": 30.0, "bitrate_bps": 800_000,
             "codecs": r.codecs}
            for r in RENDITIONS
        ]
    )  # fmt: skip
    broadcast.recording = recordings.start_recording(
        channel=broadcast.stream.channel, title="Live", category="gaming", visibility="public"
    )
    broadcast.save()
    return broadcast


@contextmanager
def storage_away() -> Iterator[None]:
    """Let every write to the storage fail."""
    with mock.patch.object(storage, "put_bytes", side_effect=EndpointConnectionError(endpoint_url="s3")):
        yield


def listed(broadcast: Broadcast, name: str = "r0") -> list[str]:
    """Return the body of a recording's playlist, without durations and dates."""
    encode = Encode.of(Video.objects.get(broadcast=broadcast))
    rendition = next(r for r in encode.rungs if r.name == name)
    lines = media_playlist(encode, rendition, str).render().splitlines()[7:]
    return [line for line in lines if not line.startswith(("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME"))]


def stored(broadcast: Broadcast, name: str) -> bytes:
    assert broadcast.recording
    return storage.read_range(f"{broadcast.recording.encode_prefix}{name}", 0, 1000)


def msns(joined: RecordedSegment | None) -> list[int]:
    return [segment.msn for segment in joined.segments] if joined else []
