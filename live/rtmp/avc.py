"""H.264 in FLV: the decoder configuration and the kind of a keyframe; :mod:`common.media.avc` reads both."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from common.media.avc import IDR_SLICE, SLICES, UNSPECIFIED, nal_units, read_configuration, read_parameter_set
from common.media.bits import BrokenConfiguration
from live.rtmp.errors import ProtocolError

_TAG_HEADER = 5  # codec, packet type and composition time


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """Decoder configuration; ``codecs`` is as in a playlist: ``avc1.PPCCLL``.

    The size counts stored pixels, and ``pixel_shape`` is the width of one over its
    height.  ``may_be_interlaced`` means that frames may consist of two fields.
    ``has_matrix`` means that it names the matrix of its colours.
    """

    codecs: str
    profile: int
    level: int
    width_px: int
    height_px: int
    pixel_shape: Fraction = Fraction(1)
    may_be_interlaced: bool = False
    has_matrix: bool = False
    nal_length_bytes: int = 4


def avc_config(payload: bytes) -> AvcConfig:
    """Return the configuration in a video sequence header.  Raises ProtocolError."""
    try:
        configuration = read_configuration(payload[_TAG_HEADER:])
        sps = configuration.sequence_sets[0]
        picture = read_parameter_set(sps)
    except BrokenConfiguration as error:
        raise ProtocolError("bad_avc_config") from error
    return AvcConfig(
        codecs=f"avc1.{sps[1:4].hex()}",
        profile=picture.profile,
        level=picture.level,
        width_px=picture.width_px,
        height_px=picture.height_px,
        pixel_shape=picture.pixel_shape,
        may_be_interlaced=picture.may_be_interlaced,
        has_matrix=picture.colours.matrix != UNSPECIFIED,
        nal_length_bytes=configuration.nal_length_bytes,
    )


def lacks_idr(payload: bytes, nal_length_bytes: int) -> bool:
    """Return whether the frame of a video payload is no IDR picture.

    Frames behind an I-frame that is no IDR picture may refer to frames before it, as in
    an open GOP, so a decoder cannot begin there.
    """
    types = (payload[start] & 0x1F for start, _ in nal_units(payload, nal_length_bytes, _TAG_HEADER))
    first_slice = next((kind for kind in types if kind in SLICES), IDR_SLICE)
    return first_slice != IDR_SLICE
