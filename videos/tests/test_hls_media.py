from __future__ import annotations

import pytest

from videos.hls.media import MediaPlaylist, Segment


def test_a_finished_playlist_to_the_letter() -> None:
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


def test_a_growing_playlist_starts_at_zero_and_has_no_end() -> None:
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
        "#EXT-X-START:TIME-OFFSET=0\n"
        '#EXT-X-MAP:URI="a/init.mp4"\n'
        "#EXTINF:4,\n"
        "0.m4s\n"
        '#EXT-X-MAP:URI="b/init.mp4"\n'
        "#EXTINF:4,\n"
        "1.m4s\n"
    )


def test_a_discontinuity_stands_before_its_segment() -> None:
    segments = (Segment("0.m4s", 4.0, "init.mp4"), Segment("1.m4s", 4.0, "init.mp4", is_discontinuous=True))

    lines = MediaPlaylist(segments, target_duration_s=4).render().splitlines()

    assert lines[-4:] == ["#EXT-X-DISCONTINUITY", "#EXTINF:4,", "1.m4s", "#EXT-X-ENDLIST"]


@pytest.mark.parametrize(("duration_s", "fits"), [(4.004, True), (4.49, True), (4.5, False), (5.0, False)])
def test_a_segment_rounds_to_at_most_the_target_duration(duration_s: float, fits: bool) -> None:
    playlist = MediaPlaylist((Segment("0.m4s", duration_s, "init.mp4"),), target_duration_s=4)

    if fits:
        assert playlist.render()
    else:
        with pytest.raises(ValueError, match="longer than 4 s"):
            playlist.render()
