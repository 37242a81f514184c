"""Captions, chapters and poster of a video that comes with a channel import.

They come after the file.  A site that refuses one of them costs the video no more than that.
"""

from __future__ import annotations

import io
import logging
import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import avatars
from common import deletion, storage
from common.safe_http import FetchError
from videos import archives
from videos.models import ImportItem, Video
from videos.page_imports import store_captions, with_chapters
from videos.sites import peertube
from videos.sites.asking import asker, read
from videos.transcoding.captions import MAX_BYTES

logger = logging.getLogger(__name__)


def bring(video: Video) -> None:
    """Store captions, chapters and picture from the site of a channel import; nothing for other videos."""
    item = ImportItem.objects.filter(video=video).first()
    if item is None:
        return
    details, ask = item.details, asker(settings.IMPORT_NETWORKS)
    captions, chapters = details["captions"], details["chapters"]
    for step in ("captions", "chapters", "thumbnail"):
        try:
            if step == "captions":
                if url := details["captions_url"]:
                    captions = peertube.captions_of(ask(url), url)
                _bring_captions(video, captions)
            elif step == "chapters":
                if url := details["chapters_url"]:
                    chapters = peertube.chapters_of(ask(url))
                _write_chapters(video, chapters)
            elif details["thumbnail_url"]:
                _bring_poster(video, details["thumbnail_url"])
        except FetchError as error:
            log = {"video": video.public_id, "step": step, "reason": str(error)}
            logger.info("Import without a part", extra=log)


def _file_at(address: str, most_bytes: int) -> bytes:
    """Return a file of the other site, or a part of its archive.  Raises FetchError."""
    if address.startswith(archives.SCHEME):
        return archives.read_part(address, most_bytes)
    return read(address, most_bytes, allowed=settings.IMPORT_NETWORKS)


def _bring_captions(video: Video, captions: list[tuple[str, str]]) -> None:
    for language, url in captions:
        try:
            data = _file_at(url, MAX_BYTES)
        except FetchError as error:
            logger.info("Import without captions", extra={"video": video.public_id, "reason": str(error)})
            continue
        store_captions(video, language, data)


@transaction.atomic
def _write_chapters(video: Video, chapters: list[tuple[float, str]]) -> None:
    found = Video.objects.select_for_update().get(pk=video.pk)
    text = with_chapters(found.description, chapters)
    if text != found.description:
        found.description = text
        found.save(update_fields=["description"])


def _bring_poster(video: Video, url: str) -> None:
    """Store a picture of the site as the poster, encoded anew, unless there is one."""
    data = _file_at(url, avatars.MAX_BYTES)
    try:
        jpeg = avatars.to_poster_jpeg(io.BytesIO(data))
    except ValidationError:
        logger.info("Import without its picture", extra={"video": video.public_id})
        return
    key = f"{video.posters_prefix}own-{secrets.token_hex(8)}.jpg"
    storage.put_bytes(key, jpeg)
    if not Video.objects.filter(pk=video.pk, poster_key="").update(poster_key=key):
        deletion.delete_later(key)
