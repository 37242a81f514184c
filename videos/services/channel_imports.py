"""Imports of channels: begun by an address, listed by a worker, chosen by the owner, begun as there is room.

A chosen item becomes a video with an import of its own, so that progress, retry, cancel and limits
are those of any import.  A person has ``MAX_IMPORTS`` unfinished ones; the sweep begins the next.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import sweeps
from accounts.models import Channel
from common.errors import Refusal
from common.words import composed
from videos import channel_listing
from videos.importing import MAX_IMPORTS, queue_fetch
from videos.models import MAX_TITLE, ChannelImport, ImportItem, Video, VideoDefaults
from videos.services.errors import ArchiveExpired, NothingChosen, NotListedYet, TooManyLists, UnknownSite
from videos.services.imports import check_import_quota, filename_of
from videos.services.uploads import check_may_upload
from videos.tagging import set_tags

logger = logging.getLogger(__name__)

MAX_CHANNEL_IMPORTS = 20  # kept lists of one person
CHANNELS_AT_ONCE = 50  # per sweep


def begin_channel_import(*, channel: Channel, address: str) -> ChannelImport:
    """Queue the reading of a channel of PeerTube or a user of MediaCMS.

    Raises UnknownSite, TooManyLists, MayNotUpload, EmailNotConfirmed and StorageFull.
    """
    check_may_upload(channel, 1)
    address = address.strip()
    kind = channel_listing.kind_of(address)
    if kind is None:
        raise UnknownSite
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        if channel.channel_imports.count() >= MAX_CHANNEL_IMPORTS:
            raise TooManyLists
        row = ChannelImport.objects.create(channel=channel, kind=kind, address=address)
        transaction.on_commit(channel_listing.wake)
    return row


@transaction.atomic
def retry_listing(row: ChannelImport) -> None:
    """Read the list of a site again; earlier choices stay."""
    ended = ChannelImport.objects.filter(pk=row.pk).exclude(status__in=ChannelImport.ACTIVE)
    fresh = {"failures": 0, "losses": 0, "error_code": "", "error_detail": "", "finished_at": None}
    if ended.update(status=ChannelImport.Status.WAITING, not_before=timezone.now(), **fresh):
        transaction.on_commit(channel_listing.wake)


@transaction.atomic
def choose_items(
    row: ChannelImport, *, items: Collection[int] | None = None, keeps_visibility: bool = False
) -> int:
    """Choose items of a list for import, all if ``items`` is None; return their number.

    Items that exist as a video of the channel are left out.  Raises NotListedYet,
    NothingChosen, and ArchiveExpired if the archive must be fetched again.
    """
    if row.has_expired:
        raise ArchiveExpired
    if row.status != ChannelImport.Status.DONE:
        raise NotListedYet
    is_free = Q(state__in=(ImportItem.State.FOUND, ImportItem.State.CANCELED))
    # A video that was deleted since may be imported again.
    is_free |= Q(state=ImportItem.State.BEGUN, video=None)
    found = ImportItem.objects.filter(is_free, channel_import=row)
    if items is not None:
        found = found.filter(pk__in=list(items)[: channel_listing.MAX_ITEMS])
    # With its visibility: a later choice of others changes nothing for those that wait.
    fields = {"state": ImportItem.State.CHOSEN, "keeps_visibility": keeps_visibility}
    chosen = found.exclude(source_id__in=imported_sources(row)).update(**fields)
    if not chosen:
        raise NothingChosen
    transaction.on_commit(lambda: begin_next(row.channel))
    return chosen


def imported_sources(row: ChannelImport) -> set[str]:
    """Return the names of the list's videos that the channel has already."""
    names = list(row.items.values_list("source_id", flat=True))
    videos = Video.objects.filter(channel=row.channel_id, import_source__in=names)
    return set(videos.values_list("import_source", flat=True))


def cancel_item(item: ImportItem) -> None:
    """Take back the choice of an item that has not begun."""
    chosen = ImportItem.objects.filter(pk=item.pk, state=ImportItem.State.CHOSEN)
    chosen.update(state=ImportItem.State.CANCELED, waits_for="")


def delete_channel_import(row: ChannelImport) -> None:
    """Delete a list and its choices; videos whose import has begun stay, and its archive until it expires."""
    row.delete()


def begin_chosen() -> None:
    """Begin the imports of chosen items for which there is room."""
    chosen = ImportItem.objects.filter(state=ImportItem.State.CHOSEN)
    waiting = Channel.objects.filter(channel_imports__items__in=chosen).select_related("owner")
    sweeps.each("begin imports", waiting.distinct().order_by("pk"), begin_next, at_most=CHANNELS_AT_ONCE)


def begin_next(channel: Channel) -> None:
    """Begin chosen items of a channel, in the order of their lists, until its limits are reached."""
    for _ in range(MAX_IMPORTS):
        if not _begin_one(channel):
            return


@transaction.atomic
def _begin_one(channel: Channel) -> bool:
    Channel.objects.select_for_update().get(pk=channel.pk)
    chosen = ImportItem.objects.filter(channel_import__channel=channel, state=ImportItem.State.CHOSEN)
    item = chosen.select_related("channel_import").order_by("channel_import_id", "position").first()
    if item is None:
        return False
    try:
        check_may_upload(channel, 1)
        check_import_quota(channel)
    except Refusal as refusal:
        chosen.update(waits_for=refusal.code[:32])
        return False
    # Another list, or another request, may have begun the same video.
    before = Video.objects.filter(channel=channel, import_source=item.source_id).first()
    if before:
        chosen.filter(pk=item.pk).update(state=ImportItem.State.FOUND, waits_for="")
        return True
    video = _begin(channel, item)
    chosen.filter(pk=item.pk).update(state=ImportItem.State.BEGUN, video=video, waits_for="")
    return True


def _begin(channel: Channel, item: ImportItem) -> Video:
    """Save the video of an item and queue the job that fetches its file."""
    details, defaults = item.details, VideoDefaults.of(channel)
    video = Video(
        channel=channel,
        title=composed(item.title, MAX_TITLE),
        description=details["description"],
        category=details["category"],
        visibility=item.visibility if item.keeps_visibility else Video.Visibility.PRIVATE,
        published_at=item.published_at,
        status=Video.Status.PROCESSING,
        source_filename=filename_of(details["media_url"].partition("#")[2] or details["media_url"]),
        import_url=details["media_url"],
        import_source=item.source_id,
        **defaults.audience,
    )
    video.source_key = f"{video.prefix}source"
    video.save()
    set_tags(video, details["tags"])
    queue_fetch(video)
    logger.info("Import of a channel's video begun", extra={"video": video.public_id})
    return video
