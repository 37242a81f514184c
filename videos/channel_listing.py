"""The queue of channel imports: a worker reads the list of another site and stores its videos as items.

A killed worker begins anew: items are known by the site's own names.  ``videos.services.channel_imports``
begins the imports of chosen items.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath
from types import ModuleType
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import sweeps
from common import deletion, safe_http, storage
from common.safe_http import Download, FetchError, fetch
from common.wakeups import Wakeup
from videos import archives
from videos.imported_files import PART_BYTES, check_room, store
from videos.leases import lease_kept
from videos.models import ChannelImport, ImportItem, UploadCharge
from videos.publishing import LeaseLost
from videos.queue import WAKE_EXPIRES_S, claim_fairest, this_worker
from videos.sites import mediacms, peertube, peertube_export
from videos.sites.asking import asker
from videos.sites.found import FoundVideo
from videos.transcoding.errors import LimitsExceeded, NoRoomToStore

logger = logging.getLogger(__name__)

QUEUE = "encode"
MAX_ITEMS = 500
MAX_LISTING_S = 1800.0
MAX_LISTING_FAILURES = 4
MAX_LISTING_LOSSES = 4
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 600.0
ARCHIVES_KEPT_FOR = timedelta(days=8)
# Of these: items that are chosen last must still find it.
LEFT_FOR_IMPORTS = timedelta(days=1)
MAX_FETCH_S = 6 * 3600.0
WOKEN_AT_ONCE = 4
GIVEN_UP_AT_ONCE = 20
READERS: dict[str, ModuleType] = {
    ChannelImport.Kind.PEERTUBE: peertube,
    ChannelImport.Kind.MEDIACMS: mediacms,
}

# Injected: the task calls ``work``.
listing_wakeup = Wakeup()


def kind_of(address: str) -> ChannelImport.Kind | None:
    """Return the kind of site that an address names, None if it names neither channel nor archive."""
    if _names_archive(address):
        return ChannelImport.Kind.ARCHIVE
    return next(
        (ChannelImport.Kind(kind) for kind, site in READERS.items() if site.list_address(address)), None
    )


def _names_archive(address: str) -> bool:
    try:
        safe_http.parse(address)
    except FetchError:
        return False
    return PurePosixPath(urlsplit(address).path).suffix.lower() == ".zip"


def wake(count: int = 1) -> None:
    listing_wakeup.send(queue=QUEUE, count=count, expires_s=WAKE_EXPIRES_S)


def work() -> bool:
    """Read the list that waits longest; return False if none waits."""
    row = claim_fairest(_oldest, ChannelImport.objects.take, "")
    if row is None:
        return False
    try:
        with lease_kept(row):
            _read(row)
    except LeaseLost:
        logger.warning("Channel import lost its lease", extra={"import": row.public_id})
    except (FetchError, LimitsExceeded, NoRoomToStore) as error:
        _fail(row, error)
    except storage.StorageError as error:
        waits = {"first_s": FIRST_WAIT_S, "longest_s": LONGEST_WAIT_S}
        ChannelImport.objects.put_off(row, "storage", error, **waits)
    else:
        ChannelImport.objects.end(row, ChannelImport.Status.DONE, error_code="", error_detail="")
        logger.info("Channel listed", extra={"import": row.public_id, "videos": row.found_count})
    if _oldest():  # perhaps the next list of this person, which waited for this one
        wake()
    return True


def _oldest() -> ChannelImport | None:
    waiting = ChannelImport.objects.claimable().filter(losses__lt=MAX_LISTING_LOSSES)
    # One list of a person at a time: slow sites of one person hold one worker.
    reading = ChannelImport.objects.filter(
        status=ChannelImport.Status.RUNNING, lease_until__gt=timezone.now()
    )
    waiting = waiting.exclude(channel__in=reading.values("channel"))
    return waiting.order_by("claimed_at", "created_at", "pk").first()


def _read(row: ChannelImport) -> None:
    """Store the videos of the list.  Raises FetchError, TranscodeError, LeaseLost and errors of storage."""
    for position, (video, total) in enumerate(_listed(row)):
        with transaction.atomic():
            if not row.renew_lease(found_count=position + 1, total_count=total):
                raise LeaseLost
            _store(row, position, video)
        row.found_count = position + 1
    if not row.found_count:
        raise FetchError("no videos", is_final=True)


def _listed(row: ChannelImport) -> Iterator[tuple[FoundVideo, int]]:
    if row.kind == ChannelImport.Kind.ARCHIVE:
        return _in_archive(row)
    site, ask = READERS[row.kind], asker(settings.IMPORT_NETWORKS, within_s=MAX_LISTING_S)
    found: Iterator[tuple[FoundVideo, int]] = site.list_videos(site.list_address(row.address), ask, MAX_ITEMS)
    return found


def _in_archive(row: ChannelImport) -> Iterator[tuple[FoundVideo, int]]:
    """Yield the videos of an archive, which is fetched first unless it is here."""
    if not row.archive_key or row.has_expired or storage.size_of(row.archive_key) is None:
        _fetch_archive(row)
    with archives.opened(row.archive_key) as archive:

        def size_of(name: str) -> int | None:
            try:
                return archives.part_of(archive, name).file_size
            except FetchError:
                return None

        def address_of(name: str) -> str:
            return archives.address_of(row.archive_key, name)

        answer = archives.read_text(archive, peertube_export.LIST_NAME)
        yield from peertube_export.videos_of(answer, size_of, address_of, MAX_ITEMS)


def _fetch_archive(row: ChannelImport) -> None:
    """Store the archive, which expires ``ARCHIVES_KEPT_FOR`` from now, whatever becomes of its row."""
    key = f"{row.archive_prefix}{row.attempt}.zip"
    # Written first: a worker that is killed leaves parts of an upload behind. It names this
    # attempt's archive alone, since a later one expires later.
    deletion.delete_later(key, after=ARCHIVES_KEPT_FOR)
    expires_at = timezone.now() + ARCHIVES_KEPT_FOR - LEFT_FOR_IMPORTS
    with fetch(row.address, timeout_s=MAX_FETCH_S, allowed=settings.IMPORT_NETWORKS) as download:
        size_bytes = store(key, _pieces(row, download))
    with transaction.atomic():
        if not row.renew_lease(archive_key=key, archive_expires_at=expires_at):
            raise LeaseLost
        UploadCharge.objects.create(channel=row.channel, size_bytes=size_bytes)
    row.archive_key, row.archive_expires_at = key, expires_at


def _pieces(row: ChannelImport, download: Download) -> Iterator[bytes]:
    """Yield the archive in parts, within the limits of an upload."""
    part = bytearray()
    check_room(row.channel, download.size_bytes or 0)
    for piece in download.pieces(256 * 1024):
        part += piece
        if len(part) >= PART_BYTES:
            check_room(row.channel, download.read_bytes)
            yield bytes(part)
            part.clear()
            if not row.renew_lease():
                raise LeaseLost
    check_room(row.channel, download.read_bytes)
    yield bytes(part)


def _store(row: ChannelImport, position: int, video: FoundVideo) -> None:
    ImportItem.objects.update_or_create(
        channel_import=row,
        source_id=video.source_id,
        defaults={
            "position": position,
            "title": video.title or "Video",
            "duration_s": video.duration_s,
            "size_bytes": video.size_bytes,
            "published_at": video.published_at,
            "visibility": video.visibility,
            "details": {
                "media_url": video.media_url,
                "category": video.category,
                "description": video.description,
                "tags": video.tags,
                "thumbnail_url": video.thumbnail_url,
                "captions": video.captions,
                "chapters": video.chapters,
                "captions_url": video.captions_url,
                "chapters_url": video.chapters_url,
            },
        },
    )


def _fail(row: ChannelImport, error: Exception) -> None:
    """Queue the list for another attempt, or end it."""
    failures = row.failures + 1
    logger.info("Channel not listed", extra={"import": row.public_id, "reason": str(error)})
    if getattr(error, "is_final", True) or failures >= MAX_LISTING_FAILURES:
        code = _code_of(row, error)
        ended = {"error_code": code, "error_detail": str(error)[:200], "failures": failures}
        if code == "bad_archive":
            ended["archive_key"] = ""  # another attempt fetches it anew
        ChannelImport.objects.end(row, ChannelImport.Status.FAILED, **ended)
        return
    pause_s = FIRST_WAIT_S * 4**failures
    ChannelImport.objects.queue_again(row, pause_s=pause_s, failures=failures, error_detail=str(error)[:200])


def _code_of(row: ChannelImport, error: Exception) -> str:
    """Return the key of ``videos.channel_failures.SENTENCES`` for an error."""
    if not isinstance(error, FetchError):
        return "no_room"
    if error.status:
        return "site_refused"
    if str(error) == "no videos":
        return "no_videos"
    return "bad_archive" if row.archive_key else "site_failed"


def sweep() -> None:
    """Give up lists that killed their workers, and wake workers for waiting ones."""
    lost = ChannelImport.objects.claimable().filter(losses__gte=MAX_LISTING_LOSSES).order_by("pk")
    sweeps.each("give up channel imports", lost, _give_up, at_most=GIVEN_UP_AT_ONCE)
    if waiting := ChannelImport.objects.claimable()[:WOKEN_AT_ONCE].count():
        wake(waiting)


def _give_up(row: ChannelImport) -> None:
    if ChannelImport.objects.take(row, this_worker()):
        ChannelImport.objects.end(row, ChannelImport.Status.FAILED, error_code="site_failed")
