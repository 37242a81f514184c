import io
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from PIL import Image

from accounts import avatars, decoding


def file(width_px: int = 800, height_px: int = 600, kind: str = "JPEG", **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (width_px, height_px), "teal").save(out, kind, **options)
    out.seek(0)
    return out


def test_picture_becomes_a_small_square_without_metadata_or_payload() -> None:
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
def test_common_formats_are_read(kind: str) -> None:
    assert Image.open(io.BytesIO(avatars.to_square_webp(file(kind=kind)))).size == (512, 512)


def test_sideways_photo_is_rotated() -> None:
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
def test_incomplete_or_unreadable_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValidationError, match="Cannot read this image"):
        avatars.to_square_webp(io.BytesIO(data))


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValidationError, match="Cannot read this image"):
        avatars.to_square_webp(file(kind="TIFF"))


def test_too_long_side_is_refused_before_decoding() -> None:
    with pytest.raises(ValidationError, match="4096 × 4096"):
        avatars.to_square_webp(file(4097, 10, "PNG"))


def test_too_large_file_is_refused() -> None:
    with pytest.raises(ValidationError, match="5 MB"):
        avatars.to_square_webp(io.BytesIO(file().getvalue() + b"\0" * avatars.MAX_BYTES))


# Its orientation tag asks for a rotation, and another tag has a type that Pillow cannot write back.
BAD_EXIF = (
    b"Exif\0\0MM\0*\0\0\0\x08\0\x02"
    b"\x01\0\0\x02\0\0\0\x06\0\0\0&"
    b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    b"\0\0\0\0hello\0"
)


@pytest.mark.parametrize("kind", ["WEBP", "JPEG"])
def test_crafted_picture_with_unexpected_decoder_error_is_refused(kind: str) -> None:
    """Pillow raises ``struct.error`` here, which a list of its exceptions would miss."""
    with pytest.raises(ValidationError, match="Cannot read this image"):
        avatars.to_square_webp(file(kind=kind, exif=BAD_EXIF))


def test_decoder_above_the_memory_limit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    greedy = tmp_path / "greedy.py"
    bounds = Path(decoding.__file__).read_text().partition("def main()")[0]
    greedy.write_text(f"{bounds}\nbound()\nbytearray(2 * MEMORY_BYTES)\n")
    monkeypatch.setattr(decoding, "__file__", str(greedy))

    with pytest.raises(ValidationError, match="Cannot read this image"):
        avatars.to_square_webp(file())


def test_slow_decoder_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("while True: pass")
    monkeypatch.setattr(decoding, "__file__", str(endless))
    monkeypatch.setattr(avatars, "TIMEOUT_S", 0.2)

    with pytest.raises(ValidationError, match="Cannot read this image"):
        avatars.to_square_webp(file())


def test_decoder_has_an_empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    curious = tmp_path / "curious.py"
    curious.write_text("import os, sys; sys.stdout.write(repr(dict(os.environ)))")
    monkeypatch.setattr(decoding, "__file__", str(curious))
    monkeypatch.setenv("SECRET_KEY_OF_THIS_TEST", "seen")

    assert b"SECRET" not in avatars.to_square_webp(file())
