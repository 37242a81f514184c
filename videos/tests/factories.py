"""Factories of videos in any state; no encode runs."""

from __future__ import annotations

from typing import Any

import factory
from django.utils import timezone

from accounts.tests.factories import UserFactory
from common.ids import new_public_id
from videos.models import Job, Rendition, SegmentRun, Video


class VideoFactory(factory.django.DjangoModelFactory[Video]):
    """A public video that is ready, with two rungs, one audio track and 8 s in two chunks."""

    class Meta:
        model = Video
        skip_postgeneration_save = True

    public_id = factory.LazyFunction(new_public_id)
    channel = factory.LazyFunction(lambda: UserFactory().channel)
    title = factory.Sequence("Video {}".format)
    status = Video.Status.READY
    is_playable = True
    duration_s = 8.0
    width_px = 1280
    height_px = 720
    published_at = factory.LazyFunction(timezone.now)
    source_key = factory.LazyAttribute(lambda video: f"videos/{video.public_id}/source")

    @factory.post_generation
    def encoded(self, create: bool, extracted: bool | None, **_kwargs: Any) -> None:
        if create and extracted is not False:
            make_encode(self)


def make_encode(video: Video, status: str = Job.Status.DONE) -> None:
    """Create the rows of an encode as a worker leaves them."""
    common = {"video": video, "encode_key": video.encode_key}
    for position, (name, width, height, bitrate) in enumerate(
        [("720p", 1280, 720, 2_500_000), ("360p", 640, 360, 730_000)]
    ):
        Rendition.objects.create(
            **common,
            kind="video",
            position=position,
            name=name,
            width_px=width,
            height_px=height,
            frame_rate=30,
            bitrate_bps=bitrate,
            codecs="avc1.64001f",
        )
    Rendition.objects.create(
        **common,
        kind="audio",
        position=0,
        name="audio-0",
        bitrate_bps=128_000,
        codecs="mp4a.40.2",
        channels=2,
        language="en",
        label="en",
        is_default=True,
    )
    done = status == Job.Status.DONE
    for position in range(2):
        Job.objects.create(
            **common,
            kind=Job.Kind.VIDEO,
            position=position,
            status=status,
            attempt=int(done),
            lane=Job.Lane.BULK if position else Job.Lane.FIRST,
            start_s=4.0 * position,
            length_s=4.0,
            run=make_run(
                video,
                "video",
                [4.0] if done else [],
                position=position,
                first_segment=position,
                segment_count=1,
            ),
        )
    Job.objects.create(
        **common,
        kind=Job.Kind.AUDIO,
        status=status,
        attempt=int(done),
        lane=Job.Lane.FIRST,
        length_s=8.0,
        run=make_run(video, "audio", [4.010667, 3.989333] if done else []),
    )


def add_track(video: Video, name: str) -> Rendition:
    """Create the rows of an audio track that was added to an encoded video."""
    segments = {"segments": [4.010667, 3.989333], "attempt": 1, "is_open": False}
    common = {"video": video, "encode_key": video.encode_key, "kind": "audio", "position": 100}
    SegmentRun.objects.create(**common, renditions=[name], objects_key=f"of-{name}", **segments)
    return Rendition.objects.create(
        **common,
        name=name,
        bitrate_bps=128_000,
        codecs="mp4a.40.2",
        channels=2,
        language="fr",
        label="Français",
        role=Rendition.Role.DUB,
        is_added=True,
    )


def make_run(video: Video, kind: str, segments: list[float], **fields: Any) -> SegmentRun:
    """Create a run: closed and of the first attempt if it has segments, otherwise as it was planned."""
    return SegmentRun.objects.create(
        video=video,
        encode_key=video.encode_key,
        kind=kind,
        attempt=int(bool(segments)),
        is_open=not segments,
        segments=segments,
        **fields,
    )
