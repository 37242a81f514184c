"""The AudioSpecificConfig of AAC."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.aac import AacConfig, esds_codec, read_config
from common.media.bits import BrokenConfiguration


@pytest.mark.parametrize(
    ("data", "config"),
    [
        ("1190", AacConfig(2, 48_000, 2)),
        ("1588", AacConfig(2, 8_000, 1)),
        ("2b92 0800", AacConfig(5, 22_050, 2)),  # HE-AAC
        ("2f80 2ee0 1780 5dc0 08", AacConfig(5, 24_000, 2)),  # explicit rates of core and SBR
        ("1780 5dc0 10", AacConfig(2, 48_000, 2)),  # explicit sample rate
        ("1194", AacConfig(2, 48_000, 2, frame_samples=960)),
        ("11b0", AacConfig(2, 48_000, 6)),  # 5.1
        ("11b8 56e500", AacConfig(2, 48_000, 8)),  # 7.1
        ("1180 04c84400", AacConfig(2, 48_000, 0)),  # 5.1, described in the audio
        ("11e0", AacConfig(2, 48_000, 0)),  # 7.1 of another layout
        ("f946 40", AacConfig(42, 48_000, 2)),  # 11 bits of object type
    ],
)
def test_configuration_gives_the_audio_format(data: str, config: AacConfig) -> None:
    assert read_config(bytes.fromhex(data)) == config


@pytest.mark.parametrize(
    "data",
    ["", "11", "16ff", "1680", "1780 0000 10", "17ff ffff 90", "2b92"],
    ids=["empty", "cut", "rate 13, cut", "rate 13", "0 Hz", "16 MHz", "SBR cut"],
)
def test_configuration_that_no_decoder_reads_is_broken(data: str) -> None:
    with pytest.raises(BrokenConfiguration):
        read_config(bytes.fromhex(data))


def test_name_for_players_holds_the_object_type() -> None:
    assert AacConfig(29, 48_000, 2).codecs == "mp4a.40.29"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (AacConfig(1, 48_000, 2), ""),
        (AacConfig(2, 48_000, 2), ""),
        (AacConfig(5, 24_000, 2), ""),
        (AacConfig(29, 24_000, 1), ""),
        (AacConfig(23, 48_000, 2), "AAC-LD"),
        (AacConfig(42, 48_000, 2), "xHE-AAC"),
        (AacConfig(9, 48_000, 2), "an AAC profile that browsers do not support"),
        (AacConfig(2, 48_000, 0), "a channel layout that browsers do not support"),
    ],
)
def test_aac_that_browsers_do_not_play_has_a_display_name(config: AacConfig, name: str) -> None:
    assert config.unplayable_as == name


def test_descriptor_size_has_at_most_four_bytes() -> None:
    specific = b"\x05\x02\x11\x90"
    decoder = bytes([0x04, 13 + len(specific), 0x40]) + bytes(12) + specific
    content = bytes(3) + decoder
    padded = {count: b"\x03" + b"\x80" * (count - 1) + bytes([len(content)]) + content for count in (1, 4, 5)}

    assert [esds_codec(padded[count]) for count in (1, 4)] == ["mp4a.40.2"] * 2
    with pytest.raises(BrokenConfiguration, match="more than 4 bytes"):
        esds_codec(padded[5])


@given(st.binary(max_size=40))
def test_any_bytes_are_a_configuration_or_broken(data: bytes) -> None:
    for read in (read_config, esds_codec):
        with contextlib.suppress(BrokenConfiguration):
            read(data)
