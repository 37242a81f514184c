from __future__ import annotations

import pytest

from videos.hls.multivariant import AudioRendition, MultivariantPlaylist, Variant


def test_pictures_and_two_languages_to_the_letter() -> None:
    playlist = MultivariantPlaylist(
        audio=(
            AudioRendition("audio", "English", "audio-0.m3u8", "en", is_default=True),
            AudioRendition("audio", "中文", "audio-1.m3u8", "zh", channels=1),
        ),
        variants=(
            Variant(
                "720p.m3u8",
                bandwidth_bps=3_253_000,
                codecs="avc1.64001f,mp4a.40.2",
                average_bandwidth_bps=2_100_000,
                resolution=(1280, 720),
                frame_rate=30000 / 1001,
                audio_group="audio",
            ),
        ),
    )

    assert playlist.render() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio-0.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="中文",LANGUAGE="zh",DEFAULT=NO,AUTOSELECT=YES,'
        'CHANNELS="1",URI="audio-1.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=3253000,AVERAGE-BANDWIDTH=2100000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"\n'
        "720p.m3u8\n"
    )


def test_sound_alone_is_a_variant_of_its_own() -> None:
    playlist = MultivariantPlaylist((Variant("audio-0.m3u8", bandwidth_bps=160_000, codecs="mp4a.40.2"),))

    assert playlist.render() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=160000,CODECS="mp4a.40.2"\n'
        "audio-0.m3u8\n"
    )


def test_tracks_of_the_same_name_are_numbered() -> None:
    tracks = tuple(AudioRendition("audio", "English", f"audio-{number}.m3u8") for number in range(3))

    text = MultivariantPlaylist((), tracks).render()

    assert [line.split('NAME="')[1].split('"')[0] for line in text.splitlines() if "NAME" in line] == [
        "English",
        "English 2",
        "English 3",
    ]


def test_an_audio_group_without_tracks_is_refused() -> None:
    with pytest.raises(ValueError, match="without renditions"):
        MultivariantPlaylist((Variant("v.m3u8", 1, "avc1.64001f", audio_group="audio"),)).render()
