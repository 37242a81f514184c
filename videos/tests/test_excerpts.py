"""Excerpts: the segments, the in point and the playlists of a section of a video."""

from __future__ import annotations

import pytest

from videos.hls.captions import section
from videos.models import SegmentPlan, SegmentRun, Video
from videos.publishing import Encode, Excerpt, NothingPublished, multivariant_playlist
from videos.tests.factories import VideoFactory, make_run

pytestmark = pytest.mark.django_db


def long_video(*, segments: int = 10, **fields: object) -> Video:
    """Return a video with two rungs and an audio track, of segments of four seconds."""
    video: Video = VideoFactory(duration_s=4.0 * segments, **fields)
    SegmentRun.objects.filter(video=video).delete()
    make_run(video, "video", [4.0] * segments, segment_count=segments)
    make_run(video, "audio", [4.010667, *[4.0] * (segments - 2), 3.989333], segment_count=segments)
    return video


def names(excerpt: Excerpt, rendition: str) -> list[str]:
    return [placed.name.rpartition("/")[2] for placed in excerpt.segments[rendition]]


def test_excerpt_begins_with_the_segment_that_holds_its_start() -> None:
    excerpt = Excerpt.of(Encode.of(long_video()), 9.5, 18.0)

    assert (excerpt.begins_s, excerpt.in_s, excerpt.out_s) == (8.0, 1.5, 10.0)
    assert {rendition: names(excerpt, rendition) for rendition in excerpt.segments} == {
        "720p": ["2.m4s", "3.m4s", "4.m4s"],
        "360p": ["2.m4s", "3.m4s", "4.m4s"],
        "audio-0": ["2.m4s", "3.m4s", "4.m4s"],
    }


def test_section_on_the_cuts_needs_no_segment_beside_it() -> None:
    excerpt = Excerpt.of(Encode.of(long_video()), 8.0, 16.0)

    assert (excerpt.in_s, names(excerpt, "720p"), names(excerpt, "audio-0")) == (
        0.0,
        ["2.m4s", "3.m4s"],
        ["2.m4s", "3.m4s"],
    )


def test_media_playlist_names_the_in_point_exactly() -> None:
    excerpt = Excerpt.of(Encode.of(long_video()), 9.5, 15.0)
    rung = excerpt.encode.rungs[0]

    assert excerpt.media_playlist(rung, "https://s3/{}".format).render() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-START:TIME-OFFSET=1.5,PRECISE=YES\n"
        '#EXT-X-MAP:URI="https://s3/720p/0-1/init.mp4"\n'
        "#EXTINF:4,\n"
        "https://s3/720p/0-1/2.m4s\n"
        "#EXTINF:4,\n"
        "https://s3/720p/0-1/3.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_section_behind_the_stored_segments_is_refused() -> None:
    video = long_video(status="processing")
    SegmentRun.objects.filter(video=video, kind="video").update(segments=[4.0] * 4, is_open=True)

    assert Excerpt.of(Encode.of(video), 2.0, 15.9).out_s == 15.9
    with pytest.raises(NothingPublished):
        Excerpt.of(Encode.of(video), 12.0, 18.0)


def test_rungs_that_lack_the_section_are_left_out_while_a_plan_is_encoded() -> None:
    """The lowest rung has the section around a jump; the best one has its first chunk only."""
    video = long_video(status="processing")
    SegmentRun.objects.filter(video=video, kind="video").delete()
    for kind in ("video", "audio"):
        starts_s = [4.0 * number for number in range(10)]
        SegmentPlan.objects.create(
            video=video,
            encode_key=video.encode_key,
            kind=kind,
            starts_s=starts_s,
            end_s=40.0,
            is_trusted=True,
        )
    make_run(video, "video", [4.0] * 2, position=1, renditions=["720p"], segment_count=10)
    make_run(video, "video", [4.0], position=2, renditions=["360p"], segment_count=1)
    make_run(video, "video", [4.0] * 3, position=3, renditions=["360p"], first_segment=5, segment_count=5)
    SegmentRun.objects.filter(video=video, kind="video").update(is_open=True)

    excerpt = Excerpt.of(Encode.of(video), 21.0, 30.0)

    assert (excerpt.in_s, sorted(excerpt.segments)) == (1.0, ["360p", "audio-0"])
    assert names(excerpt, "360p") == ["5.m4s", "6.m4s", "7.m4s"]
    assert "720p" not in multivariant_playlist(excerpt.encode, "{}.m3u8".format)


def test_track_without_the_section_refuses_it() -> None:
    video = long_video(status="processing")
    SegmentRun.objects.filter(video=video, kind="audio").update(segments=[4.010667, 4.0])

    with pytest.raises(NothingPublished):
        Excerpt.of(Encode.of(video), 9.0, 15.0)


def test_recording_with_another_timeline_keeps_its_discontinuity_inside() -> None:
    video = long_video(source_key="")
    video.renditions.filter(kind="audio").delete()
    video.renditions.filter(name="360p").delete()
    SegmentRun.objects.filter(video=video).delete()
    make_run(video, "video", [4.0] * 3, position=0)
    make_run(video, "video", [4.0] * 3, position=1, is_discontinuous=True)

    inside = Excerpt.of(Encode.of(video), 9.0, 16.0)
    behind = Excerpt.of(Encode.of(video), 12.5, 18.0)

    assert [placed.is_discontinuous for placed in inside.segments["720p"]] == [False, True]
    text = behind.media_playlist(behind.encode.rungs[0], str).render()
    assert "DISCONTINUITY" not in text
    assert '#EXT-X-MAP:URI="720p/1-1/init.mp4"' in text


CAPTIONS = """WEBVTT
X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

00:00:01.000 --> 00:00:02.000
Before

00:00:08.500 --> 00:00:10.000 line:0
Across
the start

00:59:59.999 --> 01:00:00.500
Behind
"""


def test_captions_of_a_section_count_from_its_first_segment() -> None:
    assert section(CAPTIONS, begins_s=8.0, start_s=9.5, end_s=20.0) == (
        "WEBVTT\n"
        "X-TIMESTAMP-MAP=MPEGTS:720000,LOCAL:00:00:00.000\n"
        "\n"
        "00:00:00.500 --> 00:00:02.000 line:0\n"
        "Across\n"
        "the start\n"
    )


def test_section_without_captions_is_an_empty_file() -> None:
    assert section(CAPTIONS, begins_s=100.0, start_s=101.0, end_s=110.0) == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:9000000,LOCAL:00:00:00.000\n"
    )
