import pytest

from live.rtmp import flv
from live.rtmp.flv import AacConfig
from live.tests import rtmp_client


@pytest.mark.parametrize(
    ("header", "config"),
    [
        ("af00 1190", AacConfig("mp4a.40.2", 48_000, 2)),
        ("af00 1588", AacConfig("mp4a.40.2", 8_000, 1)),
        ("af00 2b92 0800", AacConfig("mp4a.40.5", 22_050, 2)),  # HE-AAC
        ("af00 1780 5dc0 10", AacConfig("mp4a.40.2", 48_000, 2)),  # explicit sample rate
        ("af00 11b0", AacConfig("mp4a.40.2", 48_000, 6)),  # 5.1
        ("af00 11b8 56e500", AacConfig("mp4a.40.2", 48_000, 8)),  # 7.1
        ("af00 1180 04c84400", AacConfig("mp4a.40.2", 48_000, 0)),  # 5.1, described in the audio
        ("af00 11e0", AacConfig("mp4a.40.2", 48_000, 0)),  # 7.1 of another layout
    ],
)
def test_aac_sequence_header_gives_the_audio_format(header: str, config: AacConfig) -> None:
    assert flv.aac_config(bytes.fromhex(header)) == config


def test_tag_is_written_in_flv_format() -> None:
    assert flv.file_header().hex(" ") == "46 4c 56 01 05 00 00 00 09 00 00 00 00"
    assert flv.tag("video", 0x01020304, b"\x17\x01").hex(" ") == (
        "09 00 00 02 02 03 04 01 00 00 00 17 01 00 00 00 0d"
    )
    assert flv.tag("audio", 0, b"").hex(" ") == "08 00 00 00 00 00 00 00 00 00 00 00 00 00 0b"


def test_time_of_a_tag_wraps_after_32_bits() -> None:
    assert flv.tag("audio", 2**32 + 5, b"") == flv.tag("audio", 5, b"")


def test_keyframes_and_sequence_headers_are_distinguished() -> None:
    assert flv.is_keyframe(rtmp_client.picture(is_keyframe=True))
    assert not flv.is_keyframe(rtmp_client.picture())
    assert not flv.is_keyframe(rtmp_client.AVC_HEADER)
    assert not flv.is_keyframe(b"")
    assert flv.is_sequence_header("video", rtmp_client.AVC_HEADER)
    assert flv.is_sequence_header("audio", rtmp_client.AAC_HEADER)
    assert not flv.is_sequence_header("video", rtmp_client.picture())
    assert not flv.is_sequence_header("audio", rtmp_client.sound())
