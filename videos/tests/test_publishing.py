from pathlib import Path

import pytest

from videos.models import Job, Rendition, Video
from videos.publishing import (
    Encode,
    LeaseLost,
    SegmentPublisher,
    media_playlist,
    multivariant_playlist,
    target_duration_s,
)
from videos.tests.factories import VideoFactory
from videos.transcoding.run import FinishedSegment

pytestmark = pytest.mark.django_db


def encode_of(video: Video) -> Encode:
    return Encode.of(Video.objects.get(pk=video.pk))


def rendition(encode: Encode, name: str) -> Rendition:
    return next(r for r in encode.renditions if r.name == name)


def lengths(encode: Encode, name: str) -> list[float]:
    return [segment.duration_s for segment in encode.segments(rendition(encode, name))]


def test_a_finished_encode_is_a_vod_playlist_that_ends() -> None:
    encode = encode_of(VideoFactory())

    playlist = media_playlist(encode, rendition(encode, "360p"), lambda name: f"https://s3/{name}?sig")

    assert playlist == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="https://s3/360p/0-1/init.mp4?sig"\n'
        "#EXTINF:4,\n"
        "https://s3/360p/0-1/0.m4s?sig\n"
        "#EXTINF:4,\n"
        "https://s3/360p/1-1/1.m4s?sig\n"
        "#EXT-X-ENDLIST\n"
    )


def test_the_multivariant_playlist_names_every_rung_and_the_sound() -> None:
    encode = encode_of(VideoFactory())

    assert multivariant_playlist(encode, "{}.m3u8".format) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio-0.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=2890800,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,'
        'FRAME-RATE=30.000,AUDIO="audio"\n'
        "720p.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=943800,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,'
        'FRAME-RATE=30.000,AUDIO="audio"\n'
        "360p.m3u8\n"
    )


def test_players_see_only_the_prefix_without_a_gap() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    Job.objects.filter(kind="video", position=0).update(status=Job.Status.RUNNING, segments=[])

    assert lengths(encode_of(video), "720p") == []


def test_the_picture_never_runs_ahead_of_the_sound() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    Job.objects.filter(kind="audio").update(status=Job.Status.RUNNING, segments=[4.010667])

    encode = encode_of(video)

    assert lengths(encode, "720p") == [4.0]
    assert not encode.is_complete


def test_an_encode_is_not_playable_before_every_rendition_has_a_beginning() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    Job.objects.filter(kind="audio").update(status=Job.Status.RUNNING, segments=[])

    assert not encode_of(video).is_playable


def test_a_sound_track_without_sound_is_left_out() -> None:
    video = VideoFactory()
    Job.objects.filter(kind="audio").update(segments=[])

    encode = encode_of(video)

    assert "AUDIO" not in multivariant_playlist(encode, str)
    assert lengths(encode, "720p") == [4.0, 4.0]


def test_a_chunk_that_ended_early_ends_the_video() -> None:
    video = VideoFactory()
    Job.objects.filter(kind="video", position=0).update(segment_count=3)

    assert lengths(encode_of(video), "720p") == [4.0]


def test_one_picture_a_second_gets_room_in_the_target_duration() -> None:
    video = VideoFactory()
    video.renditions.filter(kind="video").update(frame_rate=1)

    assert target_duration_s(encode_of(video)) == 5


@pytest.mark.storage
def test_a_segment_is_listed_only_when_every_rung_has_it(bucket: str, tmp_path: Path) -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    Job.objects.filter(kind="video", position=1).update(status=Job.Status.RUNNING, segments=[])
    job = Job.objects.get(kind="video", position=1)
    rungs = list(video.renditions.filter(kind="video"))
    publisher = SegmentPublisher(job, rungs, on_listed=lambda: None)
    init = tmp_path / "init.mp4"
    init.write_bytes(b"init")

    listed = []
    for output, number in [(0, 1), (0, 2), (1, 1), (1, 2)]:
        path = tmp_path / f"{output}-{number}.m4s"
        path.write_bytes(b"segment")
        publisher.add(FinishedSegment(output, number, path, 4.0), init)
        listed.append(Job.objects.get(pk=job.pk).segments)

    assert listed == [[], [], [4.0], [4.0, 4.0]]
    assert not list(tmp_path.glob("*.m4s"))


@pytest.mark.storage
def test_an_attempt_that_lost_its_lease_lists_nothing(bucket: str, tmp_path: Path) -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    Job.objects.filter(kind="audio").update(status=Job.Status.RUNNING, segments=[])
    late = Job.objects.get(kind="audio")
    Job.objects.filter(pk=late.pk).update(attempt=2)
    publisher = SegmentPublisher(late, list(video.renditions.filter(kind="audio")), on_listed=lambda: None)
    for name in ("init.mp4", "0.m4s"):
        (tmp_path / name).write_bytes(b"bytes")

    with pytest.raises(LeaseLost):
        publisher.add(FinishedSegment(0, 0, tmp_path / "0.m4s", 4.0), tmp_path / "init.mp4")

    assert Job.objects.get(pk=late.pk).segments == []
