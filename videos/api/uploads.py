"""The answer of an upload that has begun, of a new video or of a file that replaces another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import status
from rest_framework.response import Response

from videos import services

if TYPE_CHECKING:
    from videos.models import Upload

PARTS_SIGNED_AT_ONCE = 100


def created_answer(upload: Upload) -> Response:
    """Return the id of the upload's video, and the addresses of its first parts."""
    signed = services.presign_parts(upload, range(1, PARTS_SIGNED_AT_ONCE + 1))
    answer = {
        "id": upload.video.public_id,
        "status": upload.video.status,
        "upload": {
            "part_size_bytes": upload.part_size_bytes,
            "part_count": upload.part_count,
            "parts": signed,
            "expires_at": upload.expires_at,
        },
    }
    return Response(answer, status=status.HTTP_201_CREATED)
