"""Decoder of pictures, a separate process: ``python -I decoding.py square < file > square.webp``.

``poster`` instead of ``square`` keeps the proportions and writes a JPEG.

Picture decoders have raised nearly every exception and have overrun memory.  This
process knows no secrets, has bounded memory and time, and ends with one of three
codes.  It imports nothing of the site.
"""

from __future__ import annotations

import io
import resource
import sys

MAX_SIDE_PX = 4096
SIDE_PX = 512
POSTER_SIDE_PX = 1280
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# A picture of 4096 × 4096 pixels takes 64 MiB, and its copies about four times that.
MEMORY_BYTES = 1024**3
PROCESSOR_S = 10

DONE, UNREADABLE, TOO_LARGE = 0, 1, 3  # Python ends with 1 after any exception


def bound() -> None:
    """Limit memory, time, new files and core dumps to the needs of decoding."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def main() -> int:
    """Decode standard input, and write it in the shape of the first argument to standard output."""
    from PIL import Image, ImageOps

    bound()
    Image.MAX_IMAGE_PIXELS = MAX_SIDE_PX**2
    # Reads only the header: the size is known before a pixel is decoded.
    image = Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS)
    if max(image.size) > MAX_SIDE_PX:
        return TOO_LARGE
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    out = io.BytesIO()
    if sys.argv[1:] == ["poster"]:
        upright.thumbnail((POSTER_SIDE_PX, POSTER_SIDE_PX), Image.Resampling.LANCZOS)
        # JPEG knows no transparency: black shows through, as around the frames of a player.
        opaque = Image.new("RGB", upright.size)
        opaque.paste(upright, mask=upright.getchannel("A"))
        opaque.save(out, "JPEG", quality=88, optimize=True)
    else:
        square = ImageOps.fit(upright, (SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        square.save(out, "WEBP", quality=85, method=4)
    sys.stdout.buffer.write(out.getvalue())
    return DONE


if __name__ == "__main__":
    sys.exit(main())
