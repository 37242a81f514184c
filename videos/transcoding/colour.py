"""Filters that bring any source's colours to BT.709 in limited range, which every rendition declares.

Players ignore other tags or read them differently, so a video is converted once,
at the encode.  ``scale`` converts matrix and range; other primaries and HDR need
``zscale``.
"""

from __future__ import annotations

from .source import VideoStream

# FFmpeg's names in frames, and zscale's names for the same.
_MATRICES = {
    "bt709": "709",
    "bt470bg": "470bg",
    "smpte170m": "170m",
    "fcc": "fcc",
    "smpte240m": "240m",
    "bt2020nc": "2020_ncl",
}
_PRIMARIES = {
    "bt470m": "470m", "bt470bg": "470bg", "smpte170m": "170m", "smpte240m": "240m", "film": "film",
    "bt2020": "2020", "smpte431": "smpte431", "smpte432": "smpte432",
}  # fmt: skip
# swscale's names that differ from the frames'.
_SCALE_MATRICES = {"bt470bg": "bt470", "bt2020nc": "bt2020", "bt2020c": "bt2020"}
_SCALE_KNOWS = frozenset({"bt709", "fcc", "bt601", "bt470", "smpte170m", "smpte240m", "bt2020"})
# Browsers take untagged video below this height for BT.601, above for BT.709.
_HD_HEIGHT_PX = 720
# Diffuse white of HDR video in cd/m² (ITU-R BT.2408): it becomes the white of SDR.
_WHITE_NITS = 203

TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
"""The last filter of each rendition: encoders write what frames say."""


def is_rgb(video: VideoStream) -> bool:
    """Return whether the frames hold red, green and blue instead of luma and chroma."""
    rgb = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
    return video.matrix in {"gbr", "rgb"} or video.pix_fmt.startswith(rgb)


def matrix_of(video: VideoStream) -> str:
    """Return FFmpeg's name of the frames' matrix; without a tag, a guess by size."""
    if is_rgb(video):
        return "gbr"
    return video.matrix or guessed_matrix(*video.stored_size_px)


def guessed_matrix(width_px: int, height_px: int) -> str:
    """Return FFmpeg's name of the matrix that browsers assume for untagged video of this size."""
    return "bt709" if height_px >= _HD_HEIGHT_PX or width_px >= 1280 else "smpte170m"


def scale_options(video: VideoStream, *, is_converted: bool) -> str:
    """Return the options of a ``scale`` that give BT.709 in limited range.

    ``is_converted`` says that :func:`to_bt709` has been applied before.
    """
    matrix = "bt709" if is_converted else matrix_of(video)
    name = _SCALE_MATRICES.get(matrix, matrix)
    # The quick conversion is off by five of 255.
    flags = "" if matrix == "bt709" else "+accurate_rnd+full_chroma_int"
    given = f":in_color_matrix={name}" if name in _SCALE_KNOWS else ""
    return f":flags=bicubic{flags}{given}:out_color_matrix=bt709:out_range=tv"


def needs_conversion(video: VideoStream) -> bool:
    """Return whether more than matrix and range differ from BT.709."""
    return video.is_hdr or video.primaries in _PRIMARIES


def to_bt709(video: VideoStream, size: tuple[int, int]) -> list[str]:
    """Return filters that bring HDR, and other primaries, to BT.709 at ``size``; none if not needed."""
    if not needs_conversion(video):
        return []
    width, height = size
    full = "full" if video.color_range == "pc" or is_rgb(video) else "limited"
    if video.is_hdr:
        return [
            (
                f"zscale=w={width}:h={height}:tin={video.transfer}:min=2020_ncl:pin=2020:rin={full}"
                f":t=linear:npl={_WHITE_NITS}"
            ),
            "format=gbrpf32le",
            "zscale=p=709",
            # Values up to white stay; highlights are compressed into the rest.
            "tonemap=tonemap=mobius:param=0.65:desat=0",
            "zscale=t=709:m=709:r=tv",
            "format=yuv420p",
        ]
    matrix = "gbr" if is_rgb(video) else _MATRICES.get(matrix_of(video), "709")
    return [
        (
            f"zscale=w={width}:h={height}:min={matrix}:pin={_PRIMARIES[video.primaries]}:tin=709:rin={full}"
            ":m=709:p=709:t=709:r=limited"
        ),
        "format=yuv420p",
    ]
