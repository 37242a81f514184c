"""Pictures that people upload: every one is converted, to a small square WebP or a JPEG poster.

Decoding and encoding drop metadata, trailing payloads and the original size.  A
separate process does it (:mod:`accounts.decoding`); each of its failures becomes one
clear error here.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from threading import BoundedSemaphore
from typing import IO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import decoding

logger = logging.getLogger(__name__)

MAX_BYTES = 5 * 1024**2
TIMEOUT_S = 20
# Decoders of one web process that run side by side; other requests wait.
MAX_DECODERS = 2
_turns = BoundedSemaphore(MAX_DECODERS)


def to_square_webp(file: IO[bytes]) -> bytes:
    """Return ``file`` as a square WebP of 512 pixels; raise ``ValidationError`` if it is refused."""
    return _converted(file, "square")


def to_poster_jpeg(file: IO[bytes]) -> bytes:
    """Return ``file`` as a JPEG of at most 1280 pixels a side; raise ``ValidationError`` if it is refused."""
    return _converted(file, "poster")


def _converted(file: IO[bytes], shape: str) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValidationError(_("This image is larger than 5 MB. Choose a smaller one."), code="too_large")
    if not _turns.acquire(timeout=TIMEOUT_S):
        raise ValidationError(_("Too many image uploads right now. Try again in a minute."), code="busy")
    try:
        return _decode(data, shape)
    finally:
        _turns.release()


def _decode(data: bytes, shape: str) -> bytes:
    # -I ignores the environment and the working folder for imports.
    command = [sys.executable, "-I", decoding.__file__, shape]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=TIMEOUT_S, env={}, cwd="/", check=False
        )
    except subprocess.TimeoutExpired as error:
        raise unreadable() from error
    if done.returncode == decoding.TOO_LARGE:
        sentence = _("This image is larger than %(side)d × %(side)d pixels. Choose a smaller one.")
        raise ValidationError(sentence, code="too_large", params={"side": decoding.MAX_SIDE_PX})
    if done.returncode != decoding.DONE:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        logger.info("Image not decoded", extra={"code": done.returncode, "error": last[:200]})
        raise unreadable()
    return done.stdout


def unreadable() -> ValidationError:
    sentence = _("Cannot read this image. Save it as JPEG or PNG and try again.")
    return ValidationError(sentence, code="invalid_image")
