"""The queue of transcriptions: requests, fair claims, ends and estimates.

``videos.transcribing`` does the work.  A Celery message means only "there is work".
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Sum
from django.utils import timezone

from accounts import sweeps
from common.wakeups import Wakeup
from videos.models import TranscribedChunk, Transcription, Video
from videos.models.leased_work import MAX_DETAIL_CHARS
from videos.queue import WAKE_EXPIRES_S, claim_fairest, this_worker, workers_here
from videos.transcription.languages import tag_of

logger = logging.getLogger(__name__)

QUEUE = "captions"
MAX_CHUNK_FAILURES = 3
MAX_CHUNK_LOSSES = 4
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 600.0
WOKEN_AT_ONCE = 4
GIVEN_UP_AT_ONCE = 20
# Ended transcriptions that an estimate learns the speed from.
LEARNED_FROM = 20

# Injected: the task calls ``transcribing.work``, which claims from this queue.
transcription_wakeup = Wakeup()


def is_on() -> bool:
    return bool(settings.CAPTIONS_MODEL)


def wake(count: int = 1) -> None:
    """Wake the workers of captions, where a site has them."""
    if is_on():
        transcription_wakeup.send(queue=QUEUE, count=count, expires_s=WAKE_EXPIRES_S)


@transaction.atomic
def request(video: Video, language: str = "") -> bool:
    """Queue the transcription of ``video``; return False if one waits or runs already.

    ``language`` is a tag, empty to find the language.
    """
    fresh = {
        "encode_key": "",
        "language": language,
        "found_language": "",
        "status": Transcription.Status.WAITING,
        "heard_s": 0,
        "work_s": 0,
        "failures": 0,
        "losses": 0,
        "waits": 0,
        "waits_for": "",
        "not_before": timezone.now(),
        "created_at": timezone.now(),
        "finished_at": None,
        "lease_until": None,
        "error_code": "",
        "error_detail": "",
    }
    row, is_new = Transcription.objects.get_or_create(video=video, defaults=fresh)
    if not is_new:
        # The attempt never decreases: it fences a worker of the request before.
        again = Transcription.objects.filter(pk=row.pk).exclude(status__in=Transcription.ACTIVE)
        if not again.update(**fresh, attempt=F("attempt") + 1):
            return False
        row.chunks.all().delete()
    transaction.on_commit(wake)
    return True


def request_for_upload(video: Video) -> None:
    """Queue the transcription of a new upload where the site wants one; it waits for the encode."""
    if is_on() and settings.CAPTIONS_AUTOMATIC:
        request(video)


@transaction.atomic
def cancel(video: Video) -> bool:
    """End an active transcription; its worker loses the lease.  Return False if none was active."""
    active = Transcription.objects.active().filter(video=video)
    ended = {"status": Transcription.Status.CANCELLED, "lease_until": None, "finished_at": timezone.now()}
    if not active.update(**ended, waits_for="", attempt=F("attempt") + 1):
        return False
    TranscribedChunk.objects.filter(transcription__video=video).delete()
    return True


def claim(worker: str = "") -> Transcription | None:
    """Claim one chunk of the fairest row; return None if none waits."""
    return claim_fairest(_fairest, Transcription.objects.take, worker)


def _fairest() -> Transcription | None:
    """Return the oldest row of the channel that was served longest ago."""
    waiting = Transcription.objects.claimable().filter(losses__lt=MAX_CHUNK_LOSSES)
    channels = set(waiting.values_list("video__channel_id", flat=True).distinct().order_by())
    if not channels:
        return None
    served = Transcription.objects.filter(video__channel_id__in=channels, claimed_at__isnull=False)
    last = dict(served.values_list("video__channel_id").annotate(last=Max("claimed_at")).order_by())
    never = timezone.now() - timedelta(days=36_500)
    channel = min(channels, key=lambda one: (last.get(one, never), one))
    rows = waiting.filter(video__channel_id=channel).select_related("video__channel__owner")
    return rows.order_by("created_at", "pk").first()


def release(pids: Collection[int]) -> int:
    """Queue the running rows of this host's processes again, without a loss; return their number."""
    return Transcription.objects.release(workers_here(pids))


def end(row: Transcription, outcome: Transcription.Outcome, detail: str = "") -> None:
    """End a held row without new captions."""
    is_kept = outcome in (Transcription.Outcome.KEPT_YOURS, Transcription.Outcome.NO_SPEECH)
    status = Transcription.Status.DONE if is_kept else Transcription.Status.FAILED
    with transaction.atomic():
        why = {"error_code": outcome, "error_detail": detail[:MAX_DETAIL_CHARS]}
        if Transcription.objects.end(row, status, **why):
            row.chunks.all().delete()
    logger.info("Transcription ended", extra={"transcription": row.pk, "code": str(outcome)})


def put_off(row: Transcription, reason: Transcription.WaitsFor, error: Exception) -> None:
    """Let a held row wait for a part of the platform, longer each time, without counting a failure."""
    Transcription.objects.put_off(row, reason, error, first_s=FIRST_WAIT_S, longest_s=LONGEST_WAIT_S)


def fail(row: Transcription, error: Exception) -> None:
    """Queue the chunk for another attempt, or end the row after ``MAX_CHUNK_FAILURES``."""
    failures = row.failures + 1
    detail = f"{type(error).__name__}: {error}"[:MAX_DETAIL_CHARS]
    if failures >= MAX_CHUNK_FAILURES:
        end(row, Transcription.Outcome.RECOGNITION_FAILED, detail)
        return
    Transcription.objects.queue_again(
        row, pause_s=FIRST_WAIT_S * 2**failures, failures=failures, error_detail=detail
    )


def sweep() -> None:
    """Give up rows that killed their workers, and wake workers for waiting ones."""
    lost = Transcription.objects.claimable().filter(losses__gte=MAX_CHUNK_LOSSES).order_by("pk")
    sweeps.each("give up transcriptions", lost, _give_up, at_most=GIVEN_UP_AT_ONCE)
    if is_on():
        wake(Transcription.objects.claimable()[:WOKEN_AT_ONCE].count())


def _give_up(row: Transcription) -> None:
    if Transcription.objects.take(row, this_worker()):
        end(row, Transcription.Outcome.RECOGNITION_FAILED, "its workers ended without a word")


def state(row: Transcription) -> dict[str, Any]:
    """Return the state that the owner's page and the API show."""
    length_s = row.video.duration_s or 0.0
    share = min(1.0, row.heard_s / length_s) if length_s else 0.0
    is_done = row.status == Transcription.Status.DONE
    found = tag_of(row.found_language) if row.found_language else None
    return {
        "status": row.status,
        "language": row.language or found,
        "progress_percent": 100 if is_done else min(99, int(100 * share)),
        "estimate_s": estimate_s(row) if row.is_active else None,
        "waiting_for": (row.waits_for or None) if row.is_active else None,
        "outcome": {"code": row.error_code, "detail": row.get_error_code_display()}
        if row.error_code
        else None,
    }


def estimate_s(row: Transcription) -> int | None:
    """Return the seconds until the end: the own rest and that of older rows.

    None during the encode, and before this site has heard anything.
    """
    speed = _work_per_second(row)
    if row.video.status != Video.Status.READY or speed is None:
        return None
    ahead = Transcription.objects.active().filter(
        created_at__lt=row.created_at, video__status=Video.Status.READY
    )
    totals = ahead.aggregate(length=Sum("video__duration_s"), heard=Sum("heard_s"))
    ahead_s = max(0.0, (totals["length"] or 0.0) - (totals["heard"] or 0.0))
    own_s = max(0.0, (row.video.duration_s or 0.0) - row.heard_s)
    return round((ahead_s + own_s) * speed)


def _work_per_second(row: Transcription) -> float | None:
    """Return the time of work for a second of sound: of this row, or else of recent ones."""
    if row.heard_s and row.work_s:
        return float(row.work_s / row.heard_s)
    recent = Transcription.objects.filter(status=Transcription.Status.DONE, heard_s__gt=0)
    done = recent.order_by("-finished_at").values_list("work_s", "heard_s")[:LEARNED_FROM]
    if not done:
        return None
    work_s, heard_s = map(sum, zip(*done, strict=True))
    return float(work_s) / float(heard_s)
