"""Import of a video by its address: a worker brings the file into storage, then the encode begins.

The address was named by a stranger: :mod:`common.safe_http` connects to public hosts
only.  If it leads to a page instead of a file, :mod:`videos.page_imports` fetches the video of
the page.  A killed worker begins anew, under a key of its own attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from time import monotonic
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from accounts.models import Channel
from common import deletion
from common.safe_http import Download, FetchError, fetch
from common.words import composed
from videos import archives, ends, import_extras, page_imports, progress, queue
from videos.imported_files import PART_BYTES, check_disk, check_quota, check_room, check_size, store
from videos.leases import LeaseKeeper, lease_kept
from videos.models import MAX_TITLE, Job, UploadCharge, Video
from videos.pages.reading import FetchedPage
from videos.publishing import LeaseLost
from videos.transcoding.errors import FetchFailed, FetchRefused

logger = logging.getLogger(__name__)

MAX_IMPORTS = 10  # unfinished ones of one person
MAX_FETCH_S = 6 * 3600.0
PROGRESS_EVERY_S = 0.5  # a piece may be a single byte
PERCENTS = 100.0  # the length of a fetch in "seconds", for the progress of its job
PAGE_TYPES = frozenset(
    {
        "text/html", "application/xhtml+xml", "application/rss+xml", "application/atom+xml",
        "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl",
        "application/dash+xml",
    }
)  # fmt: skip
"""Types of pages, feeds and playlists: not media, but the way to some."""
PAGE_SUFFIXES = frozenset({".html", ".htm", ".m3u8", ".mpd"})
# Answers of sites that send pages to browsers they know.
SHY_STATUSES = frozenset({401, 403, 406, 429})


def fetch_source(job: Job) -> None:
    """Bring the file of an import into storage and plan its encode."""
    video = job.video
    key = f"{video.prefix}source-{job.pk}-{job.attempt}"
    page: FetchedPage | None = None
    is_finished = False
    try:
        # The thread renews the lease while servers make us wait; a lost lease ends the fetch in _pieces.
        with lease_kept(job):
            size_bytes = _store_file(job, key)
            if size_bytes is None:
                size_bytes, page = page_imports.store_page(job, key, MAX_FETCH_S, _percents(job))
            import_extras.bring(video)
            charged_bytes = _charge(video.import_url, size_bytes)
        _finish(job, key, size_bytes, charged_bytes, page)
        is_finished = True
    finally:
        # The next attempt stores under a key of its own.
        if not is_finished:
            deletion.delete_later(key)
    progress.publish(video)


def _store_file(job: Job, key: str) -> int | None:
    """Store the file at the address and return its size; None if the address leads to a page.

    Raises FetchFailed, LeaseLost, LimitsExceeded and NoRoomToStore.
    """
    url = job.video.import_url
    try:
        if url.startswith(archives.SCHEME):
            return _store_part(job, key)
        with fetch(url, timeout_s=MAX_FETCH_S, allowed=settings.IMPORT_NETWORKS) as download:
            suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
            if download.content_type in PAGE_TYPES or suffix in PAGE_SUFFIXES:
                return None
            check_size(download.size_bytes or 0)
            check_disk(download.size_bytes or 0)
            check_quota(job.video, download.size_bytes or 0)
            return store(key, _pieces(job, download))
    except FetchError as error:
        if error.status in SHY_STATUSES and page_imports.is_possible():
            return None
        raise (FetchRefused if error.is_final else FetchFailed)(str(error)) from error


def _store_part(job: Job, key: str) -> int:
    """Store a part of an archive and return its size.  Raises FetchError and as ``_store_file`` does."""
    keep = _percents(job)
    with archives.open_part(job.video.import_url) as (size_bytes, pieces):
        check_room(job.video.channel, size_bytes)

        def parts() -> Iterator[bytes]:
            part, read_bytes = bytearray(), 0
            for piece in pieces:
                part += piece
                read_bytes += len(piece)
                if len(part) >= PART_BYTES:
                    keep(read_bytes / size_bytes)
                    check_disk(len(part))
                    yield bytes(part)
                    part.clear()
            yield bytes(part)

        return store(key, parts())


def _charge(url: str, size_bytes: int) -> int:
    """Return the bytes that count for the limit of a day; an archive was charged as it came."""
    if not url.startswith(archives.SCHEME):
        return size_bytes
    try:
        return archives.unpacked_bytes(url)
    except FetchError:
        return size_bytes  # it has expired since the part was stored


def _percents(job: Job) -> Callable[[float], None]:
    """Return the progress callback of a fetch, which takes the fetched share and renews the lease."""
    keep: Callable[[float], None] = LeaseKeeper(job)
    return lambda share: keep(PERCENTS * min(share, 0.99))


def _pieces(job: Job, download: Download) -> Iterator[bytes]:
    """Yield the file in parts, renewing the lease.

    Raises LeaseLost, FetchError, LimitsExceeded and NoRoomToStore.
    """
    keep = _percents(job)
    part, kept_at = bytearray(), float("-inf")
    for piece in download.pieces(256 * 1024):
        check_size(download.read_bytes)
        if monotonic() - kept_at > PROGRESS_EVERY_S:
            keep(download.read_bytes / download.size_bytes if download.size_bytes else 0.0)
            kept_at = monotonic()
        part += piece
        if len(part) >= PART_BYTES:
            check_disk(len(part))
            check_quota(job.video, download.read_bytes)
            yield bytes(part)
            part.clear()
    check_disk(len(part))
    check_quota(job.video, download.read_bytes)
    yield bytes(part)


@transaction.atomic
def _finish(job: Job, key: str, size_bytes: int, charged_bytes: int, page: FetchedPage | None) -> None:
    """Record the source, charge its owner and queue the plan.  Raises LeaseLost and NoRoomToStore."""
    video = job.video
    # One file of a person at a time, so that two imports at once cannot exceed the limits.
    Channel.objects.select_for_update().filter(pk=video.channel_id).first()
    check_quota(video, size_bytes)
    ends.finish_row(job)
    Job.objects.filter(pk=job.pk).update(length_s=0)  # the encode's progress begins at 0
    current = Video.objects.filter(pk=video.pk, encode_key=job.encode_key)
    if not current.update(source_key=key, source_size_bytes=size_bytes, import_url=""):
        raise LeaseLost
    if page:
        page_imports.describe(video, page, title_of(video.source_filename))
    if charged_bytes:
        UploadCharge.objects.create(channel=video.channel, size_bytes=charged_bytes)
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
    transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))


def title_of(filename: str) -> str:
    """Return the title of an import that nobody has named, from the name of its file."""
    return composed(PurePosixPath(filename).stem or "Video", MAX_TITLE)


def has_free_import(channel: Channel) -> bool:
    """Return whether a channel may begin another import; lock the channel before."""
    fetching = Video.objects.filter(channel=channel, status=Video.Status.PROCESSING)
    return fetching.exclude(import_url="").count() < MAX_IMPORTS


def queue_fetch(video: Video) -> None:
    """Have a worker fetch the file; inside a transaction."""
    Job.objects.create(
        video=video,
        encode_key=video.encode_key,
        kind=Job.Kind.FETCH,
        lane=Job.Lane.BULK,
        length_s=PERCENTS,
    )
    transaction.on_commit(lambda: queue.wake(Job.Lane.BULK))
