"""Posters that owners choose: one of the offered stills, or a picture of their own."""

from __future__ import annotations

import secrets
from typing import IO

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import avatars
from common import deletion, storage
from common.errors import Refusal
from videos.models import Video
from videos.services.errors import (
    NoSuchPoster,
    PostersBusy,
    PosterTooLarge,
    PosterUnreadable,
    StorageUnavailable,
)

REFUSALS: dict[str, type[Refusal]] = {"too_large": PosterTooLarge, "busy": PostersBusy}
"""The refusals of a picture by the codes of ``accounts.avatars``; any other is unreadable."""


def choose_poster(video: Video, *, number: int) -> Video:
    """Make the offered still ``number`` (from 0) the poster of ``video``."""
    choices = video.poster_choices
    if not 0 <= number < len(choices):
        raise NoSuchPoster(attr="choice")
    # A copy under a name of its own: the stills are replaced when a recording goes on.
    key = f"{video.posters_prefix}{number}-{secrets.token_hex(8)}.jpg"
    try:
        storage.copy(choices[number][0], key)
    except storage.StorageError as error:
        raise StorageUnavailable from error
    return _set_poster(video, key)


def upload_poster(video: Video, *, file: IO[bytes]) -> Video:
    """Make a picture the poster of ``video``: encoded anew, without metadata, in the size of a poster."""
    try:
        data = avatars.to_poster_jpeg(file)
    except ValidationError as error:
        raise REFUSALS.get(error.code or "", PosterUnreadable)(error.messages[0], attr="file") from error
    key = f"{video.posters_prefix}own-{secrets.token_hex(8)}.jpg"
    try:
        storage.put_bytes(key, data)
    except storage.StorageError as error:
        raise StorageUnavailable from error
    return _set_poster(video, key)


@transaction.atomic
def _set_poster(video: Video, key: str) -> Video:
    """Store the key, and delete the poster that the owner set before."""
    found = Video.objects.select_for_update().get(pk=video.pk)
    if found.has_own_poster:
        deletion.delete_later(found.poster_key)
    video.poster_key = key
    video.save(update_fields=["poster_key"])
    return video


def chosen_number(video: Video) -> int | None:
    """Return the number of the offered still that is the poster, or None."""
    name = video.poster_key.rpartition("/")[2].partition("-")[0] if video.has_own_poster else ""
    return int(name) if name.isdecimal() else None
