from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from live.models import Broadcast
from live.tests.factories import BroadcastFactory, ReplayedFactory
from videos.models import Video
from videos.services import recordings
from videos.services.recordings import RecordedRendition

pytestmark = pytest.mark.django_db

BEGAN_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
R0 = RecordedRendition("r0", 640, 360, 30.0, 800_000, "avc1.64001e,mp4a.40.2")


def recorded(*, segments: int = 2, visibility: str = "public") -> Broadcast:
    """Return a broadcast on air with ``segments`` recorded segments."""
    broadcast: Broadcast = BroadcastFactory(stream__visibility=visibility)
    video = recordings.start_recording(
        channel=broadcast.stream.channel, title="Live", category="gaming", visibility=visibility
    )
    recordings.record_renditions(video, [R0])
    run = recordings.open_run(video, is_continuous=False, began_at=BEGAN_AT)
    for _ in range(segments):
        recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    broadcast.recording = video
    broadcast.save()
    return broadcast


def status_of(client: Client, broadcast: Broadcast, access: str, name: str = "r0") -> int:
    return client.get(f"/live-dvr/{broadcast.public_id}/{access}/{name}.m3u8").status_code


def test_playlist_lists_every_recorded_segment(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    broadcast = recorded()

    with django_assert_num_queries(4):
        answer = client.get(f"/live-dvr/{broadcast.public_id}/open/r0.m3u8")
    with django_assert_num_queries(2):
        client.get(f"/live-dvr/{broadcast.public_id}/open/r0.m3u8")

    playlist = answer.content.decode()
    assert playlist.count("#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z\n") == 1
    assert playlist.count("#EXTINF:4,") == 2
    assert playlist.count("X-Amz-Signature") == 3
    assert "#EXT-X-ENDLIST" not in playlist
    assert (answer["Cache-Control"], answer["Access-Control-Allow-Origin"]) == ("private, no-cache", "*")


def test_broadcast_without_segments_is_not_found(client: Client) -> None:
    broadcast = recorded(segments=0)

    assert status_of(client, broadcast, "open", "multivariant") == 404
    assert status_of(client, broadcast, "open") == 404


def test_private_broadcast_requires_its_access_key(client: Client) -> None:
    broadcast = recorded(visibility="private")

    assert status_of(client, broadcast, broadcast.access_key) == 200
    assert status_of(client, broadcast, "open") == 404
    assert "Access-Control-Allow-Origin" not in client.get(
        f"/live-dvr/{broadcast.public_id}/{broadcast.access_key}/r0.m3u8"
    )


def test_suspended_stream_is_not_found(client: Client) -> None:
    broadcast = recorded()
    broadcast.stream.is_suspended = True
    broadcast.stream.save()

    assert status_of(client, broadcast, "open") == 404


def test_unrecorded_or_unknown_broadcast_is_not_found(client: Client) -> None:
    broadcast = BroadcastFactory()

    assert status_of(client, broadcast, "open") == 404
    assert client.get("/live-dvr/nonesuch/open/r0.m3u8").status_code == 404
    assert status_of(client, recorded(), "open", "r9") == 404


def test_access_to_ended_broadcast_follows_its_video(client: Client) -> None:
    broadcast = ReplayedFactory()
    assert status_of(client, broadcast, "open", "720p") == 200

    Video.objects.update(visibility="private")
    assert status_of(client, broadcast, "open", "720p") == 404

    client.force_login(broadcast.stream.channel.owner)
    assert status_of(client, broadcast, "open", "720p") == 200
