"""AAC: the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), and the ``esds`` box that carries it.

FLV carries it behind two bytes of its own, MP4 in the descriptors of ISO/IEC 14496-1, 7.2.6.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.media.bits import BitReader, BrokenConfiguration

# Main, LC, HE and HE version 2, which browsers play (14496-3, table 1.17).
_PLAYED_OBJECT_TYPES = {1, 2, 5, 29}
_UNPLAYED_NAMES = {3: "AAC-SSR", 4: "AAC-LTP", 23: "AAC-LD", 39: "AAC-ELD", 42: "xHE-AAC"}
_WITH_SBR = {5, 29}
_SAMPLE_RATES_HZ = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip
# By channelConfiguration (table 1.19).  With 0 the audio itself describes its channels;
# browsers play neither that nor the layouts above 7.
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_EXPLICIT_RATE = 15
_MPEG4_AUDIO = 0x40  # objectTypeIndication (14496-1, table 5)
# Of a descriptor (14496-1, 8.3.3).
_MAX_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True)
class AacConfig:
    """Audio object type, core sample rate, channels and frame length of an AAC track.

    ``channels`` is 0 if only the audio itself has it, or for a layout that browsers do not play.
    """

    object_type: int
    sample_rate_hz: int
    channels: int
    frame_samples: int = 1024

    @property
    def codecs(self) -> str:
        """Return the RFC 6381 name, e.g. ``mp4a.40.2``."""
        return f"mp4a.40.{self.object_type}"

    @property
    def unplayable_as(self) -> str:
        """Return a display name for AAC that browsers do not play; empty if they play it."""
        if self.object_type not in _PLAYED_OBJECT_TYPES:
            return _UNPLAYED_NAMES.get(self.object_type, "an AAC profile that browsers do not support")
        return "" if self.channels else "a channel layout that browsers do not support"


def read_config(data: bytes) -> AacConfig:
    """Return the values of an AudioSpecificConfig.  Raises BrokenConfiguration."""
    bits = BitReader(data)
    object_type = _object_type(bits)
    index = bits.take(4)
    if index == _EXPLICIT_RATE:
        rate_hz = bits.take(24)
    elif index < len(_SAMPLE_RATES_HZ):
        rate_hz = _SAMPLE_RATES_HZ[index]
    else:
        raise BrokenConfiguration(f"sample rate number {index}")
    if not _SAMPLE_RATES_HZ[-1] <= rate_hz <= _SAMPLE_RATES_HZ[0]:
        raise BrokenConfiguration(f"a sample rate of {rate_hz} Hz")
    layout = bits.take(4)
    channels = _CHANNELS[layout] if layout < len(_CHANNELS) else 0
    if object_type in _WITH_SBR:
        # The rate of SBR follows, then the object type of the core.
        if bits.take(4) == _EXPLICIT_RATE:
            bits.take(24)
        _object_type(bits)
    return AacConfig(object_type, rate_hz, channels, frame_samples=960 if bits.take(1) else 1024)


def esds_codec(descriptors: bytes) -> str:
    """Return the RFC 6381 name in an ``esds`` box after its version and flags, e.g. ``mp4a.40.2``.

    Raises BrokenConfiguration.
    """
    kind, specific = _decoder(descriptors)
    return f"mp4a.{kind:x}.{_object_type(BitReader(specific))}"


def read_specific(descriptors: bytes) -> AacConfig:
    """Return the configuration in an ``esds`` box after version and flags.  Raises BrokenConfiguration."""
    kind, specific = _decoder(descriptors)
    if kind != _MPEG4_AUDIO:
        raise BrokenConfiguration(f"audio of kind {kind:x}")
    return read_config(specific)


def _decoder(descriptors: bytes) -> tuple[int, bytes]:
    """Return the object type and the specific configuration of the decoder in an ``esds`` box."""
    try:
        elementary = _descriptor(descriptors, 0x03)
        flags = elementary[2]
        # Optional fields: the id of another stream, a URL, the id of a clock.
        start = 3 + (2 if flags & 0x80 else 0)
        start += 1 + elementary[start] if flags & 0x40 else 0
        start += 2 if flags & 0x20 else 0
        decoder = _descriptor(elementary[start:], 0x04)
        kind, specific = decoder[0], _descriptor(decoder[13:], 0x05)
    except IndexError as error:
        raise BrokenConfiguration("incomplete descriptors") from error
    return kind, specific


def object_type_of(codecs: str) -> int:
    """Return the audio object type in ``mp4a.40.N`` (ISO/IEC 14496-3, table 1.17); 0 without one."""
    number = codecs.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _object_type(bits: BitReader) -> int:
    """Return an audio object type, of 5 bits or 11."""
    object_type = bits.take(5)
    return 32 + bits.take(6) if object_type == 31 else object_type


def _descriptor(data: bytes, tag: int) -> bytes:
    """Return the content of descriptor ``tag`` in ``data``; sizes take 7 bits of each byte.

    Raises BrokenConfiguration, or IndexError at the end of ``data``.
    """
    at = 0
    while at < len(data):
        found, size, at = data[at], 0, at + 1
        for _ in range(_MAX_SIZE_BYTES):
            size, more, at = size << 7 | data[at] & 0x7F, data[at] & 0x80, at + 1
            if not more:
                break
        else:
            raise BrokenConfiguration(f"the size of descriptor {found} has more than {_MAX_SIZE_BYTES} bytes")
        if found == tag:
            return data[at : at + size]
        at += size
    raise BrokenConfiguration(f"no descriptor {tag}")
