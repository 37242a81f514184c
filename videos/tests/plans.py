"""Helper for tests: a video with a plan, of which only the first segments are encoded."""

from __future__ import annotations

from typing import Any

from videos.models import Job, SegmentPlan, Video
from videos.tests.factories import VideoFactory, make_run

SEGMENTS = 12


def planned_video(**fields: Any) -> Video:
    """Return a playable video of 47 s: two segments in the lower rung, one of audio, and waiting jobs.

    Chunk 0 is the first segment in the lower rung, 1 the same one in the other, 2 the rest.
    """
    video = VideoFactory(**{"status": Video.Status.PROCESSING, "encoded": True, "duration_s": 47.0, **fields})
    video.jobs.all().delete()
    video.runs.all().delete()
    common = {"video": video, "encode_key": video.encode_key}
    for kind in ("video", "audio"):
        starts_s = [4.0 * number for number in range(SEGMENTS)]
        SegmentPlan.objects.create(**common, kind=kind, starts_s=starts_s, end_s=47.0, is_trusted=True)
    parts = [(0, 1, ["360p"], [4.0]), (0, 1, ["720p"], []), (1, None, ["720p", "360p"], [])]
    for position, (first, count, renditions, segments) in enumerate(parts):
        Job.objects.create(
            **common,
            kind=Job.Kind.VIDEO,
            position=position,
            lane=Job.Lane.FIRST if position < 2 else Job.Lane.BULK,
            status=Job.Status.DONE if segments else Job.Status.WAITING,
            attempt=int(bool(segments)),
            start_s=4.0 * first,
            length_s=4.0 if count else 43.0,
            run=make_run(
                video,
                "video",
                segments,
                position=position,
                first_segment=first,
                segment_count=count,
                renditions=renditions,
            ),
        )
    sound = make_run(video, "audio", [4.010667], renditions=["audio-0"])
    sound.is_open = True
    sound.save()
    Job.objects.create(
        **common, kind=Job.Kind.AUDIO, status=Job.Status.RUNNING, attempt=1, length_s=47.0, run=sound
    )
    return Video.objects.select_related("channel__owner").get(pk=video.pk)
