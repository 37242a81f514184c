"""Pictures of channels: whatever was uploaded comes out as a small square WebP.

Decoding and encoding anew leaves metadata, trailing payloads and the original's
size behind; what Pillow cannot read whole is refused.
"""

import io
import warnings
from typing import IO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

MAX_BYTES = 5 * 1024**2
MAX_SIDE_PX = 4096
SIDE_PX = 512
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")

# What Pillow's decoders raise for damaged or hostile files.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError)


def to_square_webp(file: IO[bytes]) -> bytes:
    """Return ``file`` as a square WebP of ``SIDE_PX``; ``ValidationError`` says what is wrong with it."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValidationError(_("This picture is larger than 5 MB. Choose a smaller one."), code="too_large")
    try:
        return _encode(_open(data))
    except DAMAGED as error:
        sentence = _("We cannot read this picture. Save it as JPEG or PNG and try again.")
        raise ValidationError(sentence, code="invalid_image") from error


def _open(data: bytes) -> Image.Image:
    """Read the header only: the size is known before a pixel is decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the sides are checked below
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    if max(image.size) > MAX_SIDE_PX:
        sentence = _("This picture is larger than %(side)d × %(side)d pixels. Choose a smaller one.")
        raise ValidationError(sentence, code="too_large", params={"side": MAX_SIDE_PX})
    return image


def _encode(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    square = ImageOps.fit(upright, (SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    square.save(out, "WEBP", quality=85, method=4)
    return out.getvalue()
