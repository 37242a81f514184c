"""The queue of channel imports: a worker reads the list of another site and stores its videos as items.

A killed worker begins anew: items are known by the site's own names.  ``videos.services.channel_imports``
begins the imports of chosen items.
"""

from __future__ import annotations

import logging
from time import monotonic
from types import ModuleType

from django.conf import settings
from django.db import transaction

from accounts import sweeps
from common.safe_http import FetchError
from common.wakeups import Wakeup
from videos.leases import lease_kept
from videos.models import ChannelImport, ImportItem
from videos.publishing import LeaseLost
from videos.queue import WAKE_EXPIRES_S, claim_fairest, this_worker
from videos.sites import mediacms, peertube
from videos.sites.asking import asker
from videos.sites.found import FoundVideo

logger = logging.getLogger(__name__)

QUEUE = "encode"
MAX_ITEMS = 500
MAX_LISTING_S = 1800.0
MAX_LISTING_FAILURES = 4
MAX_LISTING_LOSSES = 4
FIRST_WAIT_S = 5.0
WOKEN_AT_ONCE = 4
GIVEN_UP_AT_ONCE = 20
READERS: dict[str, ModuleType] = {
    ChannelImport.Kind.PEERTUBE: peertube,
    ChannelImport.Kind.MEDIACMS: mediacms,
}

# Injected: the task calls ``work``.
listing_wakeup = Wakeup()


def kind_of(address: str) -> ChannelImport.Kind | None:
    """Return the kind of site that an address names, None if it names no channel."""
    return next(
        (ChannelImport.Kind(kind) for kind, site in READERS.items() if site.list_address(address)), None
    )


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
    except FetchError as error:
        _fail(row, error)
    else:
        ChannelImport.objects.end(row, ChannelImport.Status.DONE, error_code="", error_detail="")
        logger.info("Channel listed", extra={"import": row.public_id, "videos": row.found_count})
    return True


def _oldest() -> ChannelImport | None:
    waiting = ChannelImport.objects.claimable().filter(losses__lt=MAX_LISTING_LOSSES)
    return waiting.order_by("claimed_at", "created_at", "pk").first()


def _read(row: ChannelImport) -> None:
    """Store the videos of the list.  Raises FetchError and LeaseLost."""
    site, deadline = READERS[row.kind], monotonic() + MAX_LISTING_S
    ask = asker(settings.IMPORT_NETWORKS)
    for position, (video, total) in enumerate(
        site.list_videos(site.list_address(row.address), ask, MAX_ITEMS)
    ):
        with transaction.atomic():
            if not row.renew_lease(found_count=position + 1, total_count=total):
                raise LeaseLost
            _store(row, position, video)
        row.found_count = position + 1
        if monotonic() > deadline:
            raise FetchError("the list took too long", is_final=True)
    if not row.found_count:
        raise FetchError("no videos", is_final=True)


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


def _fail(row: ChannelImport, error: FetchError) -> None:
    """Queue the list for another attempt, or end it."""
    failures = row.failures + 1
    logger.info("Channel not listed", extra={"import": row.public_id, "reason": str(error)})
    if error.is_final or failures >= MAX_LISTING_FAILURES:
        code = "site_refused" if error.status else "no_videos" if str(error) == "no videos" else "site_failed"
        ended = {"error_code": code, "error_detail": str(error)[:200], "failures": failures}
        ChannelImport.objects.end(row, ChannelImport.Status.FAILED, **ended)
        return
    pause_s = FIRST_WAIT_S * 4**failures
    ChannelImport.objects.queue_again(row, pause_s=pause_s, failures=failures, error_detail=str(error)[:200])


def sweep() -> None:
    """Give up lists that killed their workers, and wake workers for waiting ones."""
    lost = ChannelImport.objects.claimable().filter(losses__gte=MAX_LISTING_LOSSES).order_by("pk")
    sweeps.each("give up channel imports", lost, _give_up, at_most=GIVEN_UP_AT_ONCE)
    if waiting := ChannelImport.objects.claimable()[:WOKEN_AT_ONCE].count():
        wake(waiting)


def _give_up(row: ChannelImport) -> None:
    if ChannelImport.objects.take(row, this_worker()):
        ChannelImport.objects.end(row, ChannelImport.Status.FAILED, error_code="site_failed")
