"""The codecs that we decode, and the RFC 6381 names of our renditions.

FFmpeg has some five hundred decoders.  The rare ones are the least maintained, so
they are left out.
"""

from __future__ import annotations

from math import ceil

from common.media.boxes import BrokenBoxes, child
from common.media.tracks import entry_codec, sample_entries

from .errors import EncodeFailed

VIDEO_CODECS = frozenset(
    {
        "h264",
        "hevc",
        "vp8",
        "vp9",
        "av1",
        "mpeg4",
        "mpeg1video",
        "mpeg2video",
        "mjpeg",
        "prores",
        "dnxhd",
        "theora",
        "h263",
        "flv1",
        "msmpeg4v1",
        "msmpeg4v2",
        "msmpeg4v3",
        "wmv1",
        "wmv2",
        "wmv3",
        "vc1",
        "vp6",
        "vp6a",
        "vp6f",
        "svq1",
        "svq3",
        "cinepak",
        "gif",
        "rawvideo",
        "dvvideo",
        "huffyuv",
        "ffvhuff",
        "ffv1",
        "utvideo",
        "qtrle",
        "png",
        "cfhd",
        "apng",
        "fraps",
        "jpeg2000",
        "lagarith",
        "magicyuv",
        "v210",
    }
)
AUDIO_CODECS = frozenset(
    {
        "aac",
        "aac_latm",
        "mp1",
        "mp2",
        "mp3",
        "ac3",
        "eac3",
        "dts",
        "truehd",
        "opus",
        "vorbis",
        "flac",
        "alac",
        "amr_nb",
        "amr_wb",
        "speex",
        "nellymoser",
        "wmav1",
        "wmav2",
        "wmapro",
        "wmalossless",
        "adpcm_ima_wav",
        "adpcm_ima_qt",
        "adpcm_ms",
        "adpcm_swf",
        "adpcm_yamaha",
        "gsm_ms",
        "pcm_u8",
        "pcm_s8",
        "pcm_s16le",
        "pcm_s16be",
        "pcm_s24le",
        "pcm_s24be",
        "pcm_s32le",
        "pcm_s32be",
        "pcm_f32le",
        "pcm_f32be",
        "pcm_f64le",
        "pcm_f64be",
        "pcm_alaw",
        "pcm_mulaw",
        "pcm_dvd",
        "pcm_bluray",
        "qdm2",
    }
)
COVER_CODECS = frozenset({"mjpeg", "png"})

# Decoders with a name of their own, different from the codec's.
_DECODER_NAMES = frozenset(
    {
        "libdav1d",
        "libaom-av1",
        "libvpx",
        "libvpx-vp9",
        "vp6",
        "flv",
        "msmpeg4",
        "mp1float",
        "mp2float",
        "mp3float",
        "dca",
        "amrnb",
        "amrwb",
        "libopencore_amrnb",
        "libopencore_amrwb",
        "libspeex",
        "libopus",
        "libvorbis",
    }
)
DECODER_WHITELIST = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS | _DECODER_NAMES))
"""For ``-codec_whitelist``, on everything that opens a source."""

_OUTPUT_FORMATS = frozenset({b"avc1", b"mp4a"})


def codec_string(init_segment: bytes) -> str:
    """Return the RFC 6381 name of an init segment's one track, e.g. ``avc1.640028`` or ``mp4a.40.2``.

    Raises EncodeFailed for a track that is neither H.264 nor AAC.
    """
    try:
        kind, entry = next(sample_entries(child(init_segment, b"moov", b"trak")), (b"", b""))
        if kind in _OUTPUT_FORMATS:
            return entry_codec(kind, entry)
    except BrokenBoxes as error:
        raise EncodeFailed(f"init segment: {error}") from error
    raise EncodeFailed(f"init segment of {kind!r}")


# H.264, table A-1: most macroblocks in a second, in a frame and in the buffer of decoded
# frames, and the highest bitrate (kbit/s) of Main; High may have a quarter more.
_LEVELS = {
    10: (1485, 99, 396, 64),
    11: (3000, 396, 900, 192),
    12: (6000, 396, 2376, 384),
    13: (11_880, 396, 2376, 768),
    20: (11_880, 396, 2376, 2000),
    21: (19_800, 792, 4752, 4000),
    22: (20_250, 1620, 8100, 4000),
    30: (40_500, 1620, 8100, 10_000),
    31: (108_000, 3600, 18_000, 14_000),
    32: (216_000, 5120, 20_480, 20_000),
    40: (245_760, 8192, 32_768, 20_000),
    42: (522_240, 8704, 34_816, 50_000),
    50: (589_824, 22_080, 110_400, 135_000),
    51: (983_040, 36_864, 184_320, 240_000),
    52: (2_073_600, 36_864, 184_320, 240_000),
}
# Frames that a decoder holds for our encoder's B-frames.
_HELD_FRAMES = 2


def expected_codec(width_px: int, height_px: int, frame_rate: float, bitrate_bps: int) -> str:
    """Return the RFC 6381 name of a rung that is not encoded yet: High, at the level that x264 chooses."""
    blocks = ceil(width_px / 16) * ceil(height_px / 16)
    for level, (per_second, per_frame, held, kbps) in _LEVELS.items():
        is_enough = blocks <= per_frame and blocks * frame_rate <= per_second
        if is_enough and blocks * _HELD_FRAMES <= held and bitrate_bps <= kbps * 1250:
            return f"avc1.6400{level:02x}"
    return f"avc1.6400{max(_LEVELS):02x}"
