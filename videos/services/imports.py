"""Imports by address: checked here by their form only, fetched by a worker."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from django.db import transaction

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import Channel
from common import safe_http
from common.words import composed
from videos.importing import queue_fetch
from videos.models import MAX_TITLE, Video
from videos.services.errors import BadUrl, MayNotUpload, NoRoomLeft, TooManyImports
from videos.services.uploads import keeps_enough, neutral_filename

MAX_IMPORTS = 10  # unfinished ones of one person


def import_video(*, channel: Channel, url: str, title: str = "") -> Video:
    """Queue the import of the file at ``url`` as a private video of ``channel``.

    Raises BadUrl, MayNotUpload, EmailNotConfirmed, NoRoomLeft and TooManyImports.
    """
    if not moderation.may_speak(channel.owner):
        raise MayNotUpload
    if not sign_up.may_take_part(channel.owner):
        raise EmailNotConfirmed
    try:
        safe_http.parse(url)
    except safe_http.FetchError:
        raise BadUrl from None
    filename = neutral_filename(unquote(PurePosixPath(urlsplit(url).path).name))
    video = Video(
        channel=channel,
        title=composed(title.strip() or PurePosixPath(filename).stem or "Video", MAX_TITLE),
        visibility=Video.Visibility.PRIVATE,
        status=Video.Status.PROCESSING,
        source_filename=filename,
        import_url=url,
    )
    video.source_key = f"{video.prefix}source"
    with transaction.atomic():
        # One import of a person at a time, so that two at once cannot exceed the limits.
        Channel.objects.select_for_update().get(pk=channel.pk)
        fetching = Video.objects.filter(channel=channel, status=Video.Status.PROCESSING)
        if fetching.exclude(import_url="").count() >= MAX_IMPORTS:
            raise TooManyImports
        if keeps_enough(channel):
            raise NoRoomLeft
        video.save()
        queue_fetch(video)
    return video
