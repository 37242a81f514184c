"""The choice and the description of streams, from rows as ffprobe writes them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from videos.transcoding import errors
from videos.transcoding.frames import FrameLook
from videos.transcoding.limits import SourceLimits
from videos.transcoding.packets import StreamPackets
from videos.transcoding.source import AudioStream, SourceInfo, VideoStream
from videos.transcoding.streams import Chosen, Timing, choose_streams, describe, number, rows

LIMITS = SourceLimits(media_tracks=5, all_tracks=7, pixels=1920 * 1080, side_px=2000)


def film(index: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a row of H.264 in 1280×720 at 25 frames per second."""
    row = {
        "index": index, "codec_type": "video", "codec_name": "h264", "width": 1280, "height": 720,
        "r_frame_rate": "25/1", "avg_frame_rate": "25/1", "pix_fmt": "yuv420p",
    }  # fmt: skip
    return row | fields


def sound(index: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a row of AAC in stereo."""
    return {"index": index, "codec_type": "audio", "codec_name": "aac", "channels": 2} | fields


def subtitles(index: int) -> dict[str, Any]:
    return {"index": index, "codec_type": "subtitle", "codec_name": "subrip"}


def packets(start_s: float = 0.0, count: int = 100, step_s: float = 0.04, gop: int = 25) -> StreamPackets:
    """Return packets at a constant rate, with a keyframe every ``gop``."""
    found = StreamPackets()
    for position in range(count):
        found.add(start_s + position * step_s, step_s, is_key=position % gop == 0)
    return found


def timing(
    streams: dict[int, StreamPackets] | None = None,
    *,
    start_s: float = 0.0,
    declared_s: float = 4.0,
    is_whole: bool = True,
) -> Timing:
    return Timing(start_s, declared_s, is_whole, {0: packets()} if streams is None else streams)


def described(
    *streams: dict[str, Any],
    look: FrameLook | None = None,
    when: Timing | None = None,
    container: str = "mov",
) -> SourceInfo:
    """Return the source of these streams."""
    chosen = choose_streams(list(streams), LIMITS)
    return describe(
        chosen, when or timing(), look or FrameLook(), container=container, size_bytes=1000, limits=LIMITS
    )


def described_video(*, look: FrameLook | None = None, **fields: Any) -> VideoStream:
    """Return the video track of a film with these fields."""
    video = described(film(**fields), look=look).video
    assert video is not None
    return video


def described_audio(**fields: Any) -> AudioStream:
    """Return the audio track of a sound with these fields."""
    (track,) = described(sound(0, **fields)).audio
    return track


def cropped(**sides: int) -> dict[str, Any]:
    return {"side_data_list": [{"side_data_type": "Frame Cropping"} | sides]}


def turned(rotation: object, matrix: str = "") -> dict[str, Any]:
    """Return the side data of a display matrix."""
    side = {"side_data_type": "Display Matrix", "rotation": rotation, "displaymatrix": matrix}
    return {"side_data_list": [{"side_data_type": "Stereo 3D"}, side]}


def test_first_film_and_all_audio_tracks_are_chosen() -> None:
    streams = [subtitles(0), sound(1), film(2), film(3), sound(4, codec_name="opus")]

    chosen = choose_streams(streams, LIMITS)

    assert chosen == Chosen(video=streams[2], audio=[streams[1], streams[4]], cover=None)


@pytest.mark.parametrize("flag", ["attached_pic", "timed_thumbnails", "still_image"])
def test_still_pictures_are_covers_and_no_films(flag: str) -> None:
    cover = film(0, codec_name="mjpeg", disposition={flag: 1})
    other = film(1, codec_name="png", disposition={flag: 1})

    assert choose_streams([cover, other, sound(2)], LIMITS) == Chosen(None, [sound(2)], cover)
    assert choose_streams([cover, film(1)], LIMITS).video == film(1)


def test_cover_in_another_codec_is_left_out() -> None:
    cover = film(0, codec_name="webp", disposition={"attached_pic": 1})

    assert choose_streams([cover, sound(1)], LIMITS).cover is None


def test_audio_in_an_unknown_codec_is_left_out_of_a_film() -> None:
    assert choose_streams([film(0), sound(1, codec_name="atrac9")], LIMITS).audio == []


@pytest.mark.parametrize(
    ("streams", "error"),
    [
        ([], errors.NoStreams),
        ([subtitles(0)], errors.NoStreams),
        ([film(0, codec_name="mjpeg", disposition={"attached_pic": 1})], errors.NoStreams),
        ([sound(0, codec_name="atrac9")], errors.UnsupportedCodec),
        ([film(0, codec_name="cinepak_of_mars"), sound(1)], errors.UnsupportedCodec),
        ([film(0), sound(1, tags={"enc_key_id": "x"})], errors.Encrypted),
        ([film(0, side_data_list=[{"side_data_type": "Encryption initialization data"}])], errors.Encrypted),
        ([film(n) for n in range(6)], errors.LimitsExceeded),
        ([film(0), *(subtitles(n) for n in range(1, 8))], errors.LimitsExceeded),
    ],
    ids=[
        "nothing", "subtitles", "a cover", "unknown audio", "unknown video", "encrypted Matroska",
        "encrypted MP4", "many media tracks", "many tracks",
    ],
)  # fmt: skip
def test_streams_that_cannot_be_encoded_are_refused(
    streams: list[dict[str, Any]], error: type[errors.TranscodeError]
) -> None:
    with pytest.raises(error):
        choose_streams(streams, LIMITS)


def test_tracks_at_the_limits_are_accepted() -> None:
    streams = [film(0), *(sound(n) for n in range(1, 5)), subtitles(5), subtitles(6)]

    assert len(choose_streams(streams, LIMITS).audio) == 4


def test_audio_of_other_programmes_is_left_out() -> None:
    streams = [film(0), sound(1), film(2), sound(3), sound(4)]
    programs = [
        {"streams": [film(2), sound(3)]},
        {"streams": [film(0), sound(1)]},
        {"streams": [film(0), sound(4)]},
    ]

    chosen = choose_streams(streams, LIMITS, programs)

    assert chosen.audio == [sound(1), sound(4)]
    assert chosen.own == {0, 1, 4}


def test_file_without_programmes_keeps_all_audio() -> None:
    chosen = choose_streams([film(0), sound(1)], LIMITS, [{"streams": [sound(1)]}, {}])

    assert chosen.audio == [sound(1)]
    assert chosen.own == frozenset()


def test_source_has_the_facts_of_header_and_packets() -> None:
    cover = film(2, codec_name="png", disposition={"attached_pic": 1})

    source = described(film(), sound(), cover, when=timing({0: packets(), 1: packets(0.5, 200, 0.02)}))

    assert source == SourceInfo(
        container="mov",
        duration_s=4.5,
        size_bytes=1000,
        video=VideoStream(
            0, "h264", 1280, 720, Fraction(25), duration_s=4.0, pix_fmt="yuv420p", stored_size_px=(1280, 720)
        ),
        audio=(AudioStream(1, "aac", 2, start_s=0.5),),
        is_measured=True,
        is_seekable=True,
        cover_index=2,
    )


def test_sampled_source_has_the_declared_duration() -> None:
    source = described(film(), when=timing(declared_s=3600.0, is_whole=False))

    assert source.duration_s == 3600.0
    assert source.video is not None
    assert source.video.duration_s == 3600.0
    assert source.is_measured is False


def test_times_count_from_the_start_of_the_container() -> None:
    source = described(film(), sound(), when=timing({0: packets(10.25), 1: packets(10.0)}, start_s=10.0))

    assert source.video is not None
    assert (source.video.start_s, source.video.duration_s) == (0.25, 4.25)
    assert source.audio[0].start_s == 0.0
    assert source.duration_s == 4.25


def test_start_without_packets_is_the_headers() -> None:
    when = timing({0: packets(10.0)}, start_s=10.0)

    (track,) = described(film(), sound(start_time="11.5"), when=when).audio
    assert track.start_s == 1.5
    (track,) = described(film(), sound(start_time="N/A"), when=when).audio
    assert track.start_s == 0.0
    (track,) = described(film(), sound(start_time="9.0"), when=when).audio
    assert track.start_s == 0.0


@pytest.mark.parametrize(
    ("container", "when", "is_seekable"),
    [
        ("mov", timing(), True),
        ("matroska", timing(), True),
        ("mpegts", timing(), False),
        ("mov", timing(declared_s=4.9), True),
        ("mov", timing(declared_s=5.1), False),
        ("mov", timing({0: packets(count=1000, gop=751)}, declared_s=40.0), False),
        ("mov", timing({0: packets(count=1000, gop=750)}, declared_s=40.0), True),
        ("mov", timing({}), False),
    ],
    ids=[
        "index", "index of Matroska", "no index", "nearly honest", "dishonest", "rare keyframes",
        "keyframes at the limit", "no packets",
    ],
)  # fmt: skip
def test_source_is_seekable_with_an_honest_index_and_near_keyframes(
    container: str, when: Timing, is_seekable: bool
) -> None:
    assert described(film(), container=container, when=when).is_seekable is is_seekable


def test_audio_alone_is_not_seekable() -> None:
    assert described(sound(0)).is_seekable is False


def test_single_frame_is_repeated_at_the_lowest_rate() -> None:
    source = described(film(), when=timing({0: packets(count=1)}, declared_s=0.04))

    assert source.video is not None
    assert source.video.frame_rate == 5


def test_interlaced_film_is_encoded_at_the_rate_of_its_frames() -> None:
    fields = packets(step_s=0.02)
    rates: dict[str, Any] = {"r_frame_rate": "50/1", "avg_frame_rate": "50/1"}

    for row, look in (
        (film(field_order="tt", **rates), FrameLook()),
        (film(**rates), FrameLook(is_interlaced=True)),
    ):
        video = described(row, look=look, when=timing({0: fields}, declared_s=2.0)).video
        assert video is not None
        assert (video.is_interlaced, video.frame_rate) == (True, Fraction(25))


def test_unknown_rates_are_no_claims() -> None:
    video = described_video(r_frame_rate="0/0", avg_frame_rate="nan")

    assert video.frame_rate == 25


def test_decoded_frames_are_believed_before_the_header() -> None:
    look = FrameLook(
        width_px=640, height_px=360, pix_fmt="yuv420p10le", color_range="pc", matrix="bt2020nc",
        primaries="bt2020", transfer="smpte2084",
    )  # fmt: skip
    declared: dict[str, Any] = {
        "color_range": "tv", "color_space": "bt709", "color_primaries": "bt709", "color_transfer": "bt709",
    }  # fmt: skip

    seen, read = described_video(look=look, **declared), described_video(**declared)

    assert (seen.width_px, seen.height_px, seen.pix_fmt) == (640, 360, "yuv420p10le")
    assert (seen.color_range, seen.matrix, seen.primaries, seen.transfer) == (
        "pc", "bt2020nc", "bt2020", "smpte2084",
    )  # fmt: skip
    assert (read.color_range, read.matrix, read.primaries, read.transfer) == ("tv", *["bt709"] * 3)
    assert (seen.is_hdr, read.is_hdr) == (True, False)


@pytest.mark.parametrize(
    ("fields", "shown", "stored"),
    [
        ({}, (1280, 720), (1280, 720)),
        (cropped(crop_left=10, crop_right=30, crop_top=8), (1240, 712), (1240, 712)),
        ({"sample_aspect_ratio": "4:3"}, (1707, 720), (1280, 720)),
        ({"sample_aspect_ratio": "1:2"}, (640, 720), (1280, 720)),
        ({"sample_aspect_ratio": "0:1"}, (1280, 720), (1280, 720)),
        ({"sample_aspect_ratio": "17:1"}, (1280, 720), (1280, 720)),
        ({"sample_aspect_ratio": "1:17"}, (1280, 720), (1280, 720)),
        ({"sample_aspect_ratio": "1:0"}, (1280, 720), (1280, 720)),
        ({"sample_aspect_ratio": "N/A"}, (1280, 720), (1280, 720)),
        (turned(-90), (720, 1280), (1280, 720)),
        (turned(180), (1280, 720), (1280, 720)),
        (turned(90) | {"sample_aspect_ratio": "1:2"}, (720, 640), (1280, 720)),
    ],
)
def test_size_is_upright_and_in_square_pixels(
    fields: dict[str, Any], shown: tuple[int, int], stored: tuple[int, int]
) -> None:
    video = described_video(**fields)

    assert (video.width_px, video.height_px) == shown
    assert video.stored_size_px == stored


@pytest.mark.parametrize(
    ("declared", "rotation"),
    [(-90, 90), (90, 270), (180, 180), (-180, 180), ("-90.00", 90), (3, 0), (-88, 90), (None, 0), ("x", 0)],
)
def test_rotation_is_clockwise_in_quarters(declared: object, rotation: int) -> None:
    video = described_video(**turned(declared))

    assert video.rotation == rotation
    assert video.has_display_matrix is True


def test_film_without_a_display_matrix_is_not_turned() -> None:
    assert described_video().has_display_matrix is False


def test_display_matrix_that_flattens_the_frames_is_refused() -> None:
    first, last = "\n00000000: 65536 0 0", "\n00000002: 0 0 1073741824\n"
    upright, flat = f"{first}\n00000001: 0 65536 0{last}", f"{first}\n00000001: 0 0 0{last}"

    assert described_video(**turned(0, upright)).rotation == 0
    with pytest.raises(errors.DecodeFailed, match="flattens"):
        described_video(**turned(0, flat))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"width": 0}, errors.DecodeFailed),
        ({"height": None}, errors.DecodeFailed),
        (cropped(crop_left=1280), errors.DecodeFailed),
        ({"width": 1921, "height": 1080}, errors.LimitsExceeded),
        ({"width": 2001, "height": 2}, errors.LimitsExceeded),
    ],
    ids=["no width", "no height", "cropped away", "too many pixels", "too wide"],
)
def test_size_that_cannot_be_encoded_is_refused(
    fields: dict[str, Any], error: type[errors.TranscodeError]
) -> None:
    with pytest.raises(error):
        described_video(**fields)


def test_largest_size_is_accepted() -> None:
    assert described_video(width=1920, height=1080).width_px == 1920


@pytest.mark.parametrize(
    ("declared", "language"),
    [
        ("en", "en"), ("eng", "eng"), ("zh-Hant", "zh-Hant"), ("und", ""), ("EN", ""), ("english", ""),
        ("e", ""), ("en_GB", ""), ("<b>", ""), ("", ""),
    ],
)  # fmt: skip
def test_language_of_a_track_is_a_tag_or_unknown(declared: str, language: str) -> None:
    assert described_audio(tags={"language": declared}).language == language


def test_title_of_a_track_is_printable_and_short() -> None:
    assert (
        described_audio(tags={"title": "Com\x00mentary\n\u202e" + "x" * 200}).title == "Commentary" + "x" * 90
    )


def test_track_has_channels_layout_and_default_flag() -> None:
    plain = described_audio(channels=None)
    surround = described_audio(channels=6, channel_layout="5.1", disposition={"default": 1})

    assert (plain.channels, plain.layout, plain.is_default) == (2, "", False)
    assert (surround.channels, surround.layout, surround.is_default) == (6, "5.1", True)


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), (2, 2.0), ("N/A", None), (None, None), ("", None)])
def test_number_of_ffprobe_is_known_or_none(text: object, value: float | None) -> None:
    assert number(text) == value


def test_missing_list_of_ffprobe_is_empty() -> None:
    assert rows({"streams": [{}]}, "streams") == [{}]
    assert rows({"streams": None}, "streams") == rows({}, "streams") == []
