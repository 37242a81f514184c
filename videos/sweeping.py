"""The sweep of encodes: it takes over the jobs of dead processes and completes half-done work.

An error in one row does not stop the others (``accounts.sweeps``).  After a sweep,
each video in *processing* is complete, failed, or has a job that waits or runs:

===================================== =============================================
state found                           action of the sweep
===================================== =============================================
job running, its lease over           claimable again; too many losses fail it
job waiting, no worker awake          wakes workers
all runs closed, no job waits or runs completes it
a job failed, video not failed        fails the video with the job's reason
no job at all, source in storage      plans it anew
===================================== =============================================
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts import sweeps
from videos import ends, publishing, queue
from videos.models import Job, Rendition, SegmentRun, Video, VideoText
from videos.transcoding.errors import EncodeFailed, error_for

AT_ONCE = 20
# Each asks storage for the sizes of all its objects.
MEASURED_AT_ONCE = 100
TEXTS_AT_ONCE = 1_000


def sweep() -> None:
    """Take over the work of dead processes, and wake workers for waiting jobs."""
    lost = Job.objects.claimable().filter(status=Job.Status.RUNNING, losses__gte=queue.MAX_LOSSES)
    lost = lost.select_related("video__channel__owner", "run").order_by("pk")
    sweeps.each("give up jobs", lost, _give_up, at_most=AT_ONCE)
    for lane in Job.Lane:
        queue.wake(lane, Job.objects.claimable().filter(lane=lane)[:AT_ONCE].count())
    processing = Video.objects.filter(status=Video.Status.PROCESSING).order_by("pk")
    jobs = Job.objects.filter(video=OuterRef("pk"), encode_key=OuterRef("encode_key"))
    has_jobs, is_failed = Exists(jobs), Exists(jobs.filter(status=Job.Status.FAILED))
    is_busy = Exists(jobs.needed().exclude(status=Job.Status.DONE))
    sweeps.each("fail videos", processing.filter(is_failed), _fail_with_job, at_most=AT_ONCE)
    runs = SegmentRun.objects.filter(video=OuterRef("pk"), encode_key=OuterRef("encode_key"))
    done = processing.filter(Exists(runs)).exclude(Exists(runs.filter(is_open=True))).exclude(is_busy)
    sweeps.each("complete videos", done, lambda video: ends.complete(video.pk), at_most=AT_ONCE)
    unplanned = processing.exclude(has_jobs).exclude(source_key="")
    sweeps.each("plan videos", unplanned, _plan_anew, at_most=AT_ONCE)


def measure_old_encodes() -> None:
    """Measure the bitrates of complete encodes from before bitrates were measured."""
    is_current = Rendition.objects.filter(video=OuterRef("pk"), encode_key=OuterRef("encode_key"))
    unmeasured = Video.objects.filter(Exists(is_current.filter(peak_bps=None)), status=Video.Status.READY)
    sweeps.each("measure encodes", unmeasured.order_by("pk"), _measure, at_most=MEASURED_AT_ONCE)


def store_missing_texts() -> None:
    """Store the searched text of videos that an older process created during a rolling deploy."""
    missing = Video.objects.filter(searched=None, edition_of=None).order_by("pk")
    sweeps.each("store texts", missing, _store_text, at_most=TEXTS_AT_ONCE)


def _store_text(video: Video) -> None:
    fields = VideoText.fields_of(video.title, video.description)
    VideoText.objects.get_or_create(video=video, defaults=fields)


def _measure(video: Video) -> None:
    encode = publishing.Encode.of(video)
    publishing.measure(encode)
    publishing.write_multivariant_playlist(encode)


def _give_up(job: Job) -> None:
    if queue.take(job, queue.this_worker()):
        ends.fail(job, ends.GaveUp("its workers ended without a word, again and again"))


def _fail_with_job(video: Video) -> None:
    failed = Job.objects.filter(video=video, encode_key=video.encode_key, status=Job.Status.FAILED)
    code = failed.exclude(error_code="").values_list("error_code", flat=True).first()
    ends.fail_video(video, error_for(code) if code else EncodeFailed("a job failed"))


@transaction.atomic
def _plan_anew(video: Video) -> None:
    Job.objects.create(video=video, encode_key=video.encode_key, kind=Job.Kind.PLAN, lane=Job.Lane.FIRST)
    transaction.on_commit(lambda: queue.wake(Job.Lane.FIRST))
