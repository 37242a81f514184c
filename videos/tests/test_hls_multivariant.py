from __future__ import annotations

import pytest

from videos.hls.multivariant import AudioRendition, MultivariantPlaylist, Variant


def test_text_of_a_video_with_two_languages() -> None:
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


def test_audio_without_video_is_a_variant() -> None:
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


def test_numbered_name_differs_from_the_name_of_another_track() -> None:
    named = ("English", "English", "English 2")
    tracks = tuple(AudioRendition("audio", name, f"audio-{number}.m3u8") for number, name in enumerate(named))

    assert [line.split('NAME="')[1].split('"')[0] for line in _media(tracks)] == [
        "English",
        "English 2",
        "English 2 2",
    ]


@pytest.mark.parametrize(
    ("languages", "default", "automatic"),
    [
        (["en", "en", "de"], 0, [0, 2]),
        (["en", "en", "de"], 1, [1, 2]),
        (["", "", ""], 2, [2]),
        (["", "en", ""], 1, [0, 1]),
    ],
)
def test_one_track_per_language_is_autoselected(
    languages: list[str], default: int, automatic: list[int]
) -> None:
    tracks = tuple(
        AudioRendition("audio", f"Track {number}", "a.m3u8", language, is_default=number == default)
        for number, language in enumerate(languages)
    )

    assert [number for number, line in enumerate(_media(tracks)) if "AUTOSELECT=YES" in line] == automatic


def _media(tracks: tuple[AudioRendition, ...]) -> list[str]:
    lines = MultivariantPlaylist((), tracks).render().splitlines()
    return [line for line in lines if line.startswith("#EXT-X-MEDIA")]


def test_audio_group_without_tracks_is_refused() -> None:
    with pytest.raises(ValueError, match="without renditions"):
        MultivariantPlaylist((Variant("v.m3u8", 1, "avc1.64001f", audio_group="audio"),)).render()
