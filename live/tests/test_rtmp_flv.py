from typing import Any

import pytest

from common.media.aac import AacConfig
from live.rtmp import flv
from live.rtmp.errors import ProtocolError
from live.rtmp.flv import MediaHeader
from live.tests import rtmp_client


def test_tag_is_written_in_flv_format() -> None:
    assert flv.file_header().hex(" ") == "46 4c 56 01 05 00 00 00 09 00 00 00 00"
    assert flv.tag("video", 0x01020304, b"\x17\x01").hex(" ") == (
        "09 00 00 02 02 03 04 01 00 00 00 17 01 00 00 00 0d"
    )
    assert flv.tag("audio", 0, b"").hex(" ") == "08 00 00 00 00 00 00 00 00 00 00 00 00 00 0b"


def test_time_of_a_tag_wraps_after_32_bits() -> None:
    assert flv.tag("audio", 2**32 + 5, b"") == flv.tag("audio", 5, b"")


@pytest.mark.parametrize(
    ("kind", "payload", "header"),
    [
        ("video", "17 00 000000 01", MediaHeader(is_config=True)),
        ("video", "17 01 000042 ab", MediaHeader(False, True, 66)),
        ("video", "17 01 000000", MediaHeader(False, True, 0)),
        ("video", "27 01 ffffdf ab", MediaHeader(False, False, -33)),
        ("audio", "af 00 1190", MediaHeader(is_config=True)),
        ("audio", "af 01", MediaHeader(is_config=False)),
        ("audio", "af 01 ab", MediaHeader(is_config=False)),
    ],
)
def test_first_bytes_distinguish_configurations_keyframes_and_frames(
    kind: Any, payload: str, header: MediaHeader
) -> None:
    assert flv.media_header(kind, bytes.fromhex(payload)) == header


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("video", ""),
        ("video", "17"),
        ("video", "17 01 0000"),
        ("video", "17 00 000000"),  # an empty configuration
        ("video", "17 02 000000"),  # the end of the sequence
        ("video", "12 01 000000 ab"),  # Sorenson H.263
        ("video", "97 01 000000 ab"),  # Enhanced RTMP
        ("audio", ""),
        ("audio", "af"),
        ("audio", "af 00"),  # an empty configuration
        ("audio", "af 00 11"),
        ("audio", "2f 01 ab"),  # MP3
    ],
)
def test_payload_without_a_frame_or_a_configuration_has_no_header(kind: Any, payload: str) -> None:
    assert flv.media_header(kind, bytes.fromhex(payload)) is None


def test_audio_configuration_is_read_behind_two_bytes() -> None:
    assert flv.aac_config(rtmp_client.AAC_HEADER) == AacConfig(2, 48_000, 2)
    with pytest.raises(ProtocolError, match="bad_aac_config"):
        flv.aac_config(rtmp_client.AAC_HEADER[:3])
