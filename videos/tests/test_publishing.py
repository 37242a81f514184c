from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from common import storage
from videos import queue, sweeping
from videos.models import Job, Rendition, SegmentRun, Video
from videos.publishing import (
    PEAK_FACTOR,
    Encode,
    LeaseLost,
    SegmentPublisher,
    measure,
    media_playlist,
    multivariant_playlist,
    target_duration_s,
)
from videos.tests.factories import VideoFactory, make_run
from videos.transcoding.run import FinishedSegment

pytestmark = pytest.mark.django_db


def encode_of(video: Video) -> Encode:
    return Encode.of(Video.objects.get(pk=video.pk))


def rendition(encode: Encode, name: str) -> Rendition:
    return next(r for r in encode.renditions if r.name == name)


def running(kind: str, position: int = 0) -> tuple[Job, SegmentRun]:
    """Return a job that a worker runs, and its run, which is empty."""
    SegmentRun.objects.filter(kind=kind, position=position).update(is_open=True, segments=[])
    Job.objects.filter(kind=kind, position=position).update(status=Job.Status.RUNNING)
    return Job.objects.get(kind=kind, position=position), SegmentRun.objects.get(kind=kind, position=position)


def lengths(encode: Encode, name: str) -> list[float]:
    return [segment.duration_s for segment in encode.segments(rendition(encode, name))]


def test_playlist_of_a_finished_encode_is_vod_with_an_end() -> None:
    encode = encode_of(VideoFactory())

    playlist = media_playlist(
        encode, rendition(encode, "360p"), lambda name: f"https://s3/{name}?sig"
    ).render()

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


def test_multivariant_playlist_lists_every_rung_and_audio_track() -> None:
    encode = encode_of(VideoFactory())

    assert multivariant_playlist(encode, "{}.m3u8".format) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio-0.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=3350700,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,'
        'FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE\n'
        "720p.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1093950,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,'
        'FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE\n'
        "360p.m3u8\n"
    )


def test_language_is_written_as_its_shortest_tag() -> None:
    encode = encode_of(VideoFactory())
    (track,) = encode.tracks
    written = {}
    for language in ("eng", "ger", "zho", "und", "zxx", "pt-br", "x"):
        track.language = language
        lines = multivariant_playlist(encode, "{}.m3u8".format).splitlines()
        attributes = next(line for line in lines if "TYPE=AUDIO" in line).split(",")
        written[language] = [value for value in attributes if value.startswith("LANGUAGE")]

    assert written == {
        "eng": ['LANGUAGE="en"'], "ger": ['LANGUAGE="de"'], "zho": ['LANGUAGE="zh"'],
        "und": [], "zxx": [], "pt-br": ['LANGUAGE="pt-BR"'], "x": [],
    }  # fmt: skip


@pytest.mark.storage
def test_finished_encode_declares_the_measured_bandwidth(bucket: str) -> None:
    video = VideoFactory()
    sizes = {"720p": (1_000_000, 500_000), "360p": (100_000, 300_000), "audio-0": (64_000, 60_000)}
    for name, (first, second) in sizes.items():
        is_audio = name.startswith("audio")
        keys = (f"{name}/0-1/0.m4s", f"{name}/{0 if is_audio else 1}-1/1.m4s")
        for key, size in zip(keys, (first, second), strict=True):
            storage.put_bytes(f"{video.encode_prefix}{key}", bytes(size))

    measure(encode_of(video))

    lines = [
        line for line in multivariant_playlist(encode_of(video), str).splitlines() if "STREAM-INF" in line
    ]
    assert [line.split(",CODECS")[0] for line in lines] == [
        "#EXT-X-STREAM-INF:BANDWIDTH=2127660,AVERAGE-BANDWIDTH=1624000",
        "#EXT-X-STREAM-INF:BANDWIDTH=727660,AVERAGE-BANDWIDTH=524000",
    ]


@pytest.mark.storage
def test_encode_from_before_measuring_is_measured_once(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, incomplete = VideoFactory(), VideoFactory()
    for key in ("720p/0-1/0", "720p/1-1/1", "360p/0-1/0", "360p/1-1/1", "audio-0/0-1/0", "audio-0/0-1/1"):
        storage.put_bytes(f"{whole.encode_prefix}{key}.m4s", bytes(100_000))

    sweeping.measure_old_encodes()
    asked: list[str] = []
    monkeypatch.setattr(storage, "sizes_under", asked.append)
    sweeping.measure_old_encodes()

    assert asked == []
    measured = Rendition.objects.filter(video=whole)
    assert {each.peak_bps is not None and each.average_bps is not None for each in measured} == {True}
    text = multivariant_playlist(encode_of(whole), "{}.m3u8".format)
    assert storage.read_range(f"{whole.encode_prefix}multivariant.m3u8", 0, 10_000).decode() == text
    bounds = Rendition.objects.filter(video=incomplete)
    assert {(each.peak_bps, each.average_bps) for each in bounds} == {
        (round(each.bitrate_bps * PEAK_FACTOR), None) for each in bounds
    }


def test_recording_does_not_declare_closed_captions_none() -> None:
    encode = encode_of(VideoFactory(source_key=""))
    assert encode.video.is_recording
    assert "CLOSED-CAPTIONS" not in multivariant_playlist(encode, str)


def test_playlist_ends_before_the_first_gap() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    SegmentRun.objects.filter(kind="video", position=0).update(is_open=True, segments=[])

    assert lengths(encode_of(video), "720p") == []


def test_video_playlist_is_no_longer_than_the_audio() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    SegmentRun.objects.filter(kind="audio").update(is_open=True, segments=[4.010667])

    encode = encode_of(video)

    assert lengths(encode, "720p") == [4.0]
    assert not encode.is_complete


def test_encode_without_a_first_segment_of_each_rendition_is_not_playable() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    SegmentRun.objects.filter(kind="audio").update(is_open=True, segments=[])

    assert not encode_of(video).is_playable


def test_audio_track_without_segments_is_left_out() -> None:
    video = VideoFactory()
    SegmentRun.objects.filter(kind="audio").update(segments=[])

    encode = encode_of(video)

    assert "AUDIO" not in multivariant_playlist(encode, str)
    assert lengths(encode, "720p") == [4.0, 4.0]


def test_playlist_ends_after_a_short_chunk() -> None:
    video = VideoFactory()
    SegmentRun.objects.filter(kind="video", position=0).update(segment_count=3)

    assert lengths(encode_of(video), "720p") == [4.0]


def test_rendition_lists_the_segments_of_its_own_runs() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    SegmentRun.objects.filter(kind="video", position=0).update(renditions=["360p"], segments=[4.0])
    # Stored before the others, whose run comes later in the list and earlier in the video.
    make_run(video, "video", [], position=2, renditions=["720p"], first_segment=0, segment_count=1)

    encode = encode_of(video)

    assert (lengths(encode, "360p"), lengths(encode, "720p")) == ([4.0, 4.0], [])
    assert not encode.is_playable
    SegmentRun.objects.filter(position=2).update(segments=[4.0], attempt=3, is_open=False)
    assert [segment.name for segment in encode_of(video).segments(rendition(encode, "720p"))] == [
        "720p/2-3/0.m4s",
        "720p/1-1/1.m4s",
    ]


def test_gap_in_one_rendition_is_found() -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    SegmentRun.objects.filter(kind="video", position=0).update(renditions=["360p"])
    lost = make_run(video, "video", [], position=2, renditions=["720p"], first_segment=0, segment_count=1)
    SegmentRun.objects.filter(pk=lost.pk).update(is_open=False)

    encode = encode_of(video)

    assert encode.gap == lost
    assert not encode.is_complete


def test_target_duration_is_longer_at_one_frame_per_second() -> None:
    video = VideoFactory()
    video.renditions.filter(kind="video").update(frame_rate=1)

    assert target_duration_s(encode_of(video)) == 5


@pytest.mark.storage
def test_segment_is_listed_after_every_rung_has_it(bucket: str, tmp_path: Path) -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    job, run = running("video", position=1)
    rungs = list(video.renditions.filter(kind="video"))
    publisher = SegmentPublisher(job, run, rungs, on_listed=lambda: None)
    init = tmp_path / "init.mp4"
    init.write_bytes(b"init")

    listed = []
    for output, number in [(0, 1), (0, 2), (1, 1), (1, 2)]:
        path = tmp_path / f"{output}-{number}.m4s"
        path.write_bytes(b"segment")
        publisher.add(FinishedSegment(output, number, path, 4.0), init)
        listed.append(SegmentRun.objects.get(pk=run.pk).segments)

    assert listed == [[], [], [4.0], [4.0, 4.0]]
    assert not list(tmp_path.glob("*.m4s"))


@pytest.mark.storage
@pytest.mark.parametrize("lost", ["claimed", "failed", "closed"])
def test_attempt_with_a_lost_lease_lists_no_segment(bucket: str, tmp_path: Path, lost: str) -> None:
    video = VideoFactory(status=Video.Status.PROCESSING)
    late, run = running("audio")
    if lost == "claimed":
        Job.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert queue.take(Job.objects.get(pk=late.pk), "another:1")
    elif lost == "failed":
        Job.objects.filter(pk=late.pk).update(status=Job.Status.FAILED)
    else:
        SegmentRun.objects.filter(pk=run.pk).update(is_open=False)
    tracks = list(video.renditions.filter(kind="audio"))
    publisher = SegmentPublisher(late, run, tracks, on_listed=lambda: None)
    for name in ("init.mp4", "0.m4s"):
        (tmp_path / name).write_bytes(b"bytes")

    with pytest.raises(LeaseLost):
        publisher.add(FinishedSegment(0, 0, tmp_path / "0.m4s", 4.0), tmp_path / "init.mp4")

    assert SegmentRun.objects.get(pk=run.pk).segments == []
