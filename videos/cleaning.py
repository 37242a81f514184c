"""Removal of abandoned uploads, folders of deleted videos, old charges and old jobs.

Each row is handled in a transaction of its own, and one that raises does not stop the
others (``accounts.sweeps``).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, IntegerField, Q, Value
from django.db.models.functions import Cast, Ceil
from django.utils import timezone

from accounts import charts, sweeps
from common import deletion, storage
from videos import arrivals, progress
from videos.models import (
    Job,
    JobQuerySet,
    Rendition,
    RetiredEncode,
    SegmentPlan,
    SegmentRun,
    Upload,
    UploadCharge,
    Video,
    VideoFolder,
)

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 200
COMPLETED_WITHIN = timedelta(days=30)  # even if storage is away or refuses for longer
CHARGES_KEPT_FOR = timedelta(days=2)  # limits count one day
JOBS_KEPT_FOR = timedelta(days=charts.DAYS + 5)  # the charts count jobs
JOBS_AT_ONCE = 10_000
FAILED_EDITIONS_KEPT_FOR = timedelta(days=7)  # after their beginning
ENDED = (Video.Status.READY, Video.Status.FAILED)


@transaction.atomic
def delete_with_objects(video: Video) -> None:
    """Delete a video and, soon after, its objects and its unfinished upload.

    Of an edition, only its own objects are deleted.
    """
    if video.edition_of_id:
        _delete_edition(video)
        return
    deletion.delete_later(video.prefix)
    VideoFolder.objects.filter(video=video).delete()
    encode_key = video.encode_key
    video.delete()
    transaction.on_commit(lambda: arrivals.publish(encode_key))


def _delete_edition(edition: Video) -> None:
    """Delete an edition and its objects, unless it has taken over."""
    found = Video.objects.select_for_update(of=("self",)).select_related("edition_of")
    waiting = found.filter(pk=edition.pk).first()
    if waiting is None or waiting.edition_of is None:
        return
    deletion.delete_later(waiting.encode_prefix)
    if waiting.source_key not in ("", waiting.edition_of.source_key):
        deletion.delete_later(waiting.source_key)
    waiting.delete()
    transaction.on_commit(lambda: progress.publish(waiting))


def clean_up() -> None:
    """Remove everything that is due; to be run every few minutes."""
    abandon_expired_uploads()
    delete_orphaned_folders()
    delete_retired_renditions()
    delete_retired_encodes()
    delete_failed_editions()
    forget_old_charges()
    forget_old_jobs()
    delete_expired_mp4s()


def delete_expired_mp4s() -> None:
    """Delete the MP4 files that were made for downloads and have expired."""
    expired = Video.objects.filter(mp4_expires_at__lt=timezone.now()).order_by("mp4_expires_at")
    sweeps.each("delete downloads", expired, _delete_mp4, at_most=ROWS_AT_ONCE)


@transaction.atomic
def _delete_mp4(video: Video) -> None:
    unchanged = Video.objects.filter(pk=video.pk, mp4_key=video.mp4_key, mp4_expires_at__lt=timezone.now())
    if unchanged.update(mp4_key="", mp4_expires_at=None) and video.mp4_key:
        deletion.delete_later(video.mp4_key)


def abandon_expired_uploads() -> None:
    """Delete expired uploads; an upload with parts being joined has ``COMPLETED_WITHIN``."""
    now = timezone.now()
    is_left = Q(expires_at__lt=now, completing_at=None) | Q(created_at__lt=now - COMPLETED_WITHIN)
    left = Upload.objects.filter(is_left).select_related("video")
    sweeps.each("remove uploads", left, _abandon, at_most=ROWS_AT_ONCE)


@transaction.atomic
def _abandon(upload: Upload) -> None:
    # If the owner completes the upload at this moment, the video must stay.
    video = Video.objects.select_for_update().filter(pk=upload.video_id).first()
    if video is None or video.status != Video.Status.UPLOADING:
        return
    delete_with_objects(video)
    logger.info("Abandoned upload removed", extra={"video": upload.video.public_id})


def delete_orphaned_folders() -> None:
    """Delete the objects of videos that were deleted without :func:`delete_with_objects`."""
    orphaned = VideoFolder.objects.filter(video=None)
    sweeps.each("delete folders", orphaned, _delete_folder, at_most=ROWS_AT_ONCE)


@transaction.atomic
def _delete_folder(folder: VideoFolder) -> None:
    deletion.delete_later(folder.prefix)
    folder.delete()


def delete_retired_renditions() -> None:
    """Delete copies that encoded rungs replaced, once no player can hold their playlist."""
    now = timezone.now()
    # Long films that are not due must not fill each sweep: SQL knows each one's ``storage.lifetime``.
    whole_s = Cast(Ceil("video__duration_s"), IntegerField())  # SQLite multiplies no other durations
    twice = ExpressionWrapper(whole_s * Value(timedelta(seconds=2), DurationField()), DurationField())
    latest = ExpressionWrapper(Value(now - storage.SIGNING_WINDOW, DateTimeField()) - twice, DateTimeField())
    is_over = (
        Q(retired_at__lte=now - storage.MAX_LIFETIME) | Q(video__duration_s=None) | Q(retired_at__lte=latest)
    )
    due = is_over & Q(retired_at__lte=now - storage.MIN_LIFETIME - storage.SIGNING_WINDOW)
    retired = Rendition.objects.filter(due).select_related("video").order_by("retired_at")
    sweeps.each("delete retired renditions", retired, _delete_retired, at_most=ROWS_AT_ONCE)


@transaction.atomic
def _delete_retired(rendition: Rendition) -> None:
    """Delete a rendition and its runs now, and its objects after the last signed URL has ended."""
    video = Video.objects.select_for_update().get(pk=rendition.video_id)
    signed_for = storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW
    if rendition.retired_at is None or timezone.now() < rendition.retired_at + signed_for:
        return  # its viewers still watch it
    of_encode = SegmentRun.objects.filter(video=video, encode_key=rendition.encode_key)
    for run in of_encode.filter(kind=rendition.kind):
        if run.renditions == [rendition.name]:
            run.delete()
    folder = f"{video.prefix}{rendition.encode_key}/{rendition.name}"
    for path in (f"{folder}/", f"{folder}.m3u8"):
        deletion.delete_later(path, after=signed_for)
    rendition.delete()


def delete_retired_encodes() -> None:
    """Delete encodes that another one replaced, once no player can hold their playlists."""
    due = RetiredEncode.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    sweeps.each("delete retired encodes", due, _delete_encode, at_most=ROWS_AT_ONCE)


@transaction.atomic
def _delete_encode(retired: RetiredEncode) -> None:
    """Delete the rows of an encode now, and its objects after the last signed URL has ended."""
    for model in (Job, SegmentRun, SegmentPlan, Rendition):
        model.objects.filter(video=retired.video, encode_key=retired.encode_key).delete()
    deletion.delete_later(retired.prefix, after=retired.signed_for)
    if retired.source_key:
        deletion.delete_later(retired.source_key, after=retired.signed_for)
    retired.delete()


def delete_failed_editions() -> None:
    """Delete editions that failed and that their owner did not try again."""
    failed = Video.objects.filter(edition_of__isnull=False, status=Video.Status.FAILED)
    left = failed.filter(created_at__lt=timezone.now() - FAILED_EDITIONS_KEPT_FOR)
    sweeps.each("delete failed editions", left, delete_with_objects, at_most=ROWS_AT_ONCE)


def forget_old_charges() -> None:
    """Delete charges that the daily limit no longer counts."""
    UploadCharge.objects.filter(created_at__lt=timezone.now() - CHARGES_KEPT_FOR).delete()


def forget_old_jobs() -> None:
    """Delete the old jobs of encodes that ended; their segments stay in the runs.

    The queue keeps only the jobs of encodes that run or ended lately, so it stays small
    however many videos there are.
    """
    before = timezone.now() - JOBS_KEPT_FOR
    # One query for each index.
    for jobs in (claimed_before(before), stopped_before(before)):
        Job.objects.filter(pk__in=jobs.values("pk")[:JOBS_AT_ONCE]).delete()


def claimed_before(before: datetime) -> JobQuerySet:
    """Return the jobs of ended encodes that were claimed before ``before``, oldest first."""
    return Job.objects.filter(claimed_at__lt=before, video__status__in=ENDED).order_by("claimed_at")


def stopped_before(before: datetime) -> JobQuerySet:
    """Return the jobs that were stopped before a worker claimed them."""
    stopped = Job.objects.filter(status=Job.Status.FAILED, claimed_at=None, not_before__lt=before)
    return stopped.filter(video__status__in=ENDED).order_by()
