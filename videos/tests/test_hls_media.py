from __future__ import annotations

import pytest

from videos.hls.media import MediaPlaylist, Segment


def test_text_of_a_finished_playlist() -> None:
    playlist = MediaPlaylist(
        segments=(Segment("0.m4s", 4.0, "init.mp4"), Segment("1.m4s", 2.936267, "init.mp4")),
        target_duration_s=4,
    )

    assert playlist.render() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4"\n'
        "#EXTINF:4,\n"
        "0.m4s\n"
        "#EXTINF:2.936267,\n"
        "1.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_growing_playlist_starts_at_zero_and_has_no_end() -> None:
    playlist = MediaPlaylist(
        segments=(Segment("0.m4s", 4.0, "a/init.mp4"), Segment("1.m4s", 4.0, "b/init.mp4")),
        target_duration_s=5,
        is_complete=False,
    )

    assert playlist.render() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:5\n"
        "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=30\n"
        "#EXT-X-START:TIME-OFFSET=0\n"
        '#EXT-X-MAP:URI="a/init.mp4"\n'
        "#EXTINF:4,\n"
        "0.m4s\n"
        '#EXT-X-MAP:URI="b/init.mp4"\n'
        "#EXTINF:4,\n"
        "1.m4s\n"
    )


def test_discontinuity_tag_precedes_its_segment() -> None:
    segments = (Segment("0.m4s", 4.0, "init.mp4"), Segment("1.m4s", 4.0, "init.mp4", is_discontinuous=True))

    lines = MediaPlaylist(segments, target_duration_s=4).render().splitlines()

    assert lines[-4:] == ["#EXT-X-DISCONTINUITY", "#EXTINF:4,", "1.m4s", "#EXT-X-ENDLIST"]


@pytest.mark.parametrize(("duration_s", "fits"), [(4.004, True), (4.49, True), (4.5, False), (5.0, False)])
def test_segment_longer_than_the_target_duration_is_refused(duration_s: float, fits: bool) -> None:
    playlist = MediaPlaylist((Segment("0.m4s", duration_s, "init.mp4"),), target_duration_s=4)

    if fits:
        assert playlist.render()
    else:
        with pytest.raises(ValueError, match="longer than 4 s"):
            playlist.render()


def test_text_of_a_delta_update() -> None:
    segments = tuple(Segment(f"{number}.m4s", 4.0, "init.mp4") for number in range(9))
    playlist = MediaPlaylist(segments, target_duration_s=4, is_complete=False)

    assert playlist.render(is_delta=True) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=24\n"
        "#EXT-X-START:TIME-OFFSET=0\n"
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"
        '#EXT-X-MAP:URI="init.mp4"\n' + "".join(f"#EXTINF:4,\n{number}.m4s\n" for number in range(3, 9))
    )


@pytest.mark.parametrize(("count", "is_complete"), [(6, False), (9, True)], ids=["short", "complete"])
def test_playlist_with_nothing_to_skip_is_sent_whole(count: int, is_complete: bool) -> None:
    segments = tuple(Segment(f"{number}.m4s", 4.0, "init.mp4") for number in range(count))
    playlist = MediaPlaylist(segments, target_duration_s=4, is_complete=is_complete)

    assert playlist.render(is_delta=True) == playlist.render()
