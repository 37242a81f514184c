"""Imports by address: checked here by their form only, fetched by a worker."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from django.db import transaction

from accounts.models import Channel
from common import safe_http
from common.words import composed
from videos import room
from videos.importing import has_free_import, queue_fetch, title_of
from videos.models import MAX_TITLE, Video, VideoDefaults
from videos.services.errors import BadUrl, EnoughForToday, NoRoomLeft, TooManyImports
from videos.services.uploads import check_may_upload, neutral_filename


def import_video(*, channel: Channel, url: str, title: str = "") -> Video:
    """Queue the import of the file or page at ``url`` as a private video of ``channel``.

    The size is known to the worker only, which checks again.  Raises BadUrl, MayNotUpload,
    EmailNotConfirmed, StorageFull, EnoughForToday, NoRoomLeft and TooManyImports.
    """
    check_may_import(channel, url)
    filename, defaults = filename_of(url), VideoDefaults.of(channel)
    video = Video(
        channel=channel,
        title=composed(title.strip(), MAX_TITLE) or title_of(filename),
        category=defaults.category,
        visibility=Video.Visibility.PRIVATE,
        status=Video.Status.PROCESSING,
        source_filename=filename,
        import_url=url,
        **defaults.audience,
    )
    video.source_key = f"{video.prefix}source"
    with transaction.atomic():
        # One import of a person at a time, so that two at once cannot exceed the limits.
        Channel.objects.select_for_update().get(pk=channel.pk)
        check_import_quota(channel)
        video.save()
        queue_fetch(video)
    return video


def check_may_import(channel: Channel, url: str) -> None:
    """Raise a refusal if the owner of a channel may not import, or for an address of the wrong form."""
    # The size is not known yet, but no file is smaller than a byte.
    check_may_upload(channel, 1)
    try:
        safe_http.parse(url)
    except safe_http.FetchError:
        raise BadUrl from None


def check_import_quota(channel: Channel) -> None:
    """Raise a refusal if nothing more may be imported into a channel now; lock the channel before."""
    if not has_free_import(channel):
        raise TooManyImports
    if not room.has_room_today(channel, 1):
        raise EnoughForToday
    if room.keeps_enough(channel):
        raise NoRoomLeft


def filename_of(url: str) -> str:
    """Return the name of the file at an address, as a label."""
    return neutral_filename(unquote(PurePosixPath(urlsplit(url).path).name))
