"""Downloads: the original file as it is, or an MP4 that a worker joins on demand."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.http import content_disposition_header

from accounts.viewers import Viewer
from common import storage
from videos import estimates, joining, queue
from videos.models import Job, Video
from videos.publishing import Encode
from videos.services.errors import Mp4TooLarge, NoDownload, TooManyMp4s
from videos.services.uploads import check_disk

if TYPE_CHECKING:
    from django.db.models import QuerySet

MAX_WAITING_MP4S = 200
MAX_NAME = 100  # characters
URL_LIFETIME = timedelta(hours=6)  # a slow line, and a browser that resumes
# Not allowed in file names of one system or another.
_FORBIDDEN = re.compile(r'[\\/:*?"<>|%]')
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}")


def download_state(video: Video, viewer: Viewer) -> str:
    """Return ``ready``, ``preparing``, ``absent`` or ``off``: the download for ``viewer``."""
    kind = video.download_for(viewer)
    if kind == Video.Downloads.OFF:
        return "off"
    if kind == Video.Downloads.SOURCE or _has_mp4(video):
        return "ready"
    return "preparing" if _unfinished(video).exists() else "absent"


def mp4_estimate_s(video: Video) -> int | None:
    """Return the seconds until the MP4 under way is ready; None if that is unknown."""
    job = _unfinished(video).first()
    return estimates.of_step(job, video.duration_s or 0.0) if job else None


def request_mp4(video: Video, viewer: Viewer) -> None:
    """Have a worker join the MP4, unless it exists or is being made.

    Raises NoDownload, Mp4TooLarge, StorageFull and TooManyMp4s.
    """
    state = download_state(video, viewer)
    if state == "off":
        raise NoDownload
    if state != "absent":
        return
    encode = Encode.of(video)
    renditions = joining.renditions_of(encode)
    if not renditions:
        raise Mp4TooLarge
    check_disk(joining.size_bytes(encode, renditions))
    with transaction.atomic():
        # One request at a time for a video, so that two do not make the file twice.
        Video.objects.select_for_update().get(pk=video.pk)
        if _unfinished(video).exists():
            return
        waiting = Job.objects.filter(kind=Job.Kind.MP4, status__in=_UNFINISHED)
        if waiting.count() >= MAX_WAITING_MP4S:
            raise TooManyMp4s
        earlier = Job.objects.filter(video=video, encode_key=video.encode_key, kind=Job.Kind.MP4)
        last = earlier.aggregate(last=Max("position"))["last"]
        Job.objects.create(
            video=video,
            encode_key=video.encode_key,
            kind=Job.Kind.MP4,
            position=0 if last is None else last + 1,
            lane=Job.Lane.BULK,
        )
        transaction.on_commit(lambda: queue.wake(Job.Lane.BULK))


def download_url(video: Video, viewer: Viewer) -> str | None:
    """Return a presigned URL that saves the file under the video's title, or None until it is ready.

    Raises NoDownload.
    """
    state = download_state(video, viewer)
    if state == "off":
        raise NoDownload
    if state != "ready":
        return None
    is_source = video.download_for(viewer) == Video.Downloads.SOURCE
    extension = _EXTENSION.fullmatch(Path(video.source_filename).suffix) if is_source else None
    name = file_name(video.title, extension[0].lower() if extension else "" if is_source else ".mp4")
    return storage.download_url(
        video.source_key if is_source else video.mp4_key,
        disposition=content_disposition_header(as_attachment=True, filename=name) or "attachment",
        expires=URL_LIFETIME,
    )


def file_name(title: str, extension: str) -> str:
    """Return a file name for any system, of the words of ``title``."""
    plain = unicodedata.normalize("NFC", title)
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in plain)
    words = " ".join(_FORBIDDEN.sub(" ", plain).split())[:MAX_NAME].strip(" .")
    return f"{words or 'video'}{extension}"


_UNFINISHED = (Job.Status.WAITING, Job.Status.RUNNING)


def _unfinished(video: Video) -> QuerySet[Job]:
    return Job.objects.filter(
        video=video, encode_key=video.encode_key, kind=Job.Kind.MP4, status__in=_UNFINISHED
    )


def _has_mp4(video: Video) -> bool:
    """Return whether the MP4 of this encode exists for as long as its URL lives."""
    is_current = video.mp4_key.startswith(video.encode_prefix)
    expires_at = video.mp4_expires_at
    return is_current and expires_at is not None and expires_at > timezone.now() + URL_LIFETIME
