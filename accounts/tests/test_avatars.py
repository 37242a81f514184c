import io
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from PIL import Image

from accounts import avatars


def file(width_px: int = 800, height_px: int = 600, kind: str = "JPEG", **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (width_px, height_px), "teal").save(out, kind, **options)
    out.seek(0)
    return out


def test_a_picture_comes_out_as_a_small_square_without_metadata_or_payload() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at 52.52 N"  # ImageDescription
    original = file(exif=exif)
    hostile = io.BytesIO(original.getvalue() + b"<script>payload</script>")

    data = avatars.to_square_webp(hostile)

    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size, dict(image.getexif())) == ("WEBP", (512, 512), {})
    assert b"taken at" not in data
    assert b"payload" not in data


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_the_usual_formats_are_read(kind: str) -> None:
    assert Image.open(io.BytesIO(avatars.to_square_webp(file(kind=kind)))).size == (512, 512)


def test_a_sideways_photo_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90° to see it
    image = Image.new("RGB", (600, 600), "white")
    image.paste("black", (0, 0, 600, 300))
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)

    data = avatars.to_square_webp(io.BytesIO(out.getvalue()))

    row = Image.open(io.BytesIO(data)).convert("L").crop((0, 256, 512, 257)).tobytes()
    assert (row[20] > 128, row[490] > 128) == (True, False)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"not a picture", file().getvalue()[:400], file(kind="PNG").getvalue()[:60]],
    ids=["empty", "header only", "text", "cut JPEG", "cut PNG"],
)
def test_what_cannot_be_read_whole_is_refused(data: bytes) -> None:
    with pytest.raises(ValidationError, match="cannot read this picture"):
        avatars.to_square_webp(io.BytesIO(data))


def test_formats_for_other_purposes_are_refused() -> None:
    with pytest.raises(ValidationError, match="cannot read this picture"):
        avatars.to_square_webp(file(kind="TIFF"))


def test_a_side_too_long_is_refused_before_decoding() -> None:
    with pytest.raises(ValidationError, match="4096 × 4096"):
        avatars.to_square_webp(file(4097, 10, "PNG"))


def test_a_file_too_large_is_refused() -> None:
    with pytest.raises(ValidationError, match="5 MB"):
        avatars.to_square_webp(io.BytesIO(file().getvalue() + b"\0" * avatars.MAX_BYTES))
