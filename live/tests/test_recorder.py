from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from live import edge
from live.edge import TailSegment
from live.ingest import recorder as recorder_module
from live.ingest import recovery
from live.ingest.pipeline import in_thread
from live.ingest.recorder import Joined, LiveSegment, Recorder, RecordingWriter, Shelf, join
from live.models import Broadcast
from live.tests.factories import BroadcastFactory
from videoplatform import storage
from videos.models import Job, Video
from videos.publishing import Encode, media_playlist
from videos.services import recordings
from videos.services.recordings import RecordedRendition, RecordingClosed

NAMES = ["r0", "r1"]
RENDITIONS = [RecordedRendition(name, 640, 360, 30.0, 800_000, "avc1.64001e,mp4a.40.2") for name in NAMES]


def live(msn: int, duration_s: float = 2.0, *, is_discontinuous: bool = False) -> LiveSegment:
    return LiveSegment(
        msn,
        duration_s,
        is_discontinuous,
        1_700_000_000.0 + 2 * msn,
        {name: f"init {name}".encode() for name in NAMES},
        {name: f"{name}:{msn};".encode() for name in NAMES},
    )


def msns(joined: Joined | None) -> list[int]:
    return [segment.msn for segment in joined.segments] if joined else []


# --- Joining --------------------------------------------------------------------------


def test_live_segments_are_joined_to_four_seconds() -> None:
    assert [msns(joined) for joined in join(live(msn) for msn in range(5))] == [[0, 1], [2, 3], [4]]


def test_nothing_is_joined_across_a_gap_or_into_another_timeline() -> None:
    segments = [live(0), live(2), live(3, is_discontinuous=True)]

    assert [msns(joined) for joined in join(segments)] == [[0], [2], [3]]


def test_no_recorded_segment_is_longer_than_its_playlist_allows() -> None:
    segments = [live(0, 3.9), live(1, 5.0), live(2, 30.0)]

    joined = list(join(segments))

    assert [msns(one) for one in joined] == [[0], [1], [2]]
    assert [one.duration_s for one in joined] == [3.9, 5.0, 8.4]


def feed(shelf: Shelf, msn: int, name: str, duration_s: float = 2.0) -> Joined | None:
    shelf.add_part(name, msn, f"{name}:{msn}.0;".encode())
    shelf.add_part(name, msn, f"{name}:{msn}.1;".encode())
    return shelf.end_segment(name, msn, duration_s)


def test_a_segment_counts_once_every_rendition_has_it() -> None:
    shelf = Shelf(NAMES)
    shelf.begin_epoch(1_700_000_000.0)
    made = [feed(shelf, msn, name) for msn in (0, 1) for name in NAMES]

    assert [msns(joined) for joined in made] == [[], [], [], [0, 1]]
    assert made[-1]
    assert made[-1].data("r1") == b"r1:0.0;r1:0.1;r1:1.0;r1:1.1;"
    assert [segment.is_discontinuous for segment in made[-1].segments] == [True, False]


def test_what_is_in_hand_when_a_timeline_ends_is_given_out() -> None:
    shelf = Shelf(NAMES)
    shelf.begin_epoch(1_700_000_000.0)
    for name in NAMES:
        feed(shelf, 0, name)
    feed(shelf, 1, "r0")

    assert msns(shelf.begin_epoch(1_700_000_000.0)) == [0]
    assert shelf.flush() is None


# --- Storing and listing ------------------------------------------------------------------


def begin() -> Broadcast:
    broadcast: Broadcast = BroadcastFactory(
        renditions_json=[
            {"name": r.name, "width_px": 640, "height_px": 360, "frame_rate": 30.0, "bitrate_bps": 800_000,
             "codecs": r.codecs}
            for r in RENDITIONS
        ]
    )  # fmt: skip
    broadcast.recording = recordings.start_recording(
        channel=broadcast.stream.channel, title="Live", category="gaming", visibility="public"
    )
    broadcast.save()
    return broadcast


def listed(broadcast: Broadcast, name: str = "r0") -> list[str]:
    """The body of a recording's playlist, without durations and dates."""
    encode = Encode.of(Video.objects.get(broadcast=broadcast))
    rendition = next(r for r in encode.rungs if r.name == name)
    lines = media_playlist(encode, rendition, str).splitlines()[6:]
    return [line for line in lines if not line.startswith(("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME"))]


def stored(broadcast: Broadcast, name: str) -> bytes:
    assert broadcast.recording
    return storage.read_range(f"{broadcast.recording.encode_prefix}{name}", 0, 1000)


@pytest.mark.storage
@pytest.mark.django_db
def test_what_is_stored_is_listed(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)

    for joined in join(live(msn, is_discontinuous=msn in (0, 4)) for msn in range(6)):
        writer.write(joined)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/1-1/1.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="r0/2-1/init.mp4"',
        "r0/2-1/2.m4s",
    ]
    assert stored(broadcast, "r1/1-1/1.m4s") == b"r1:2;r1:3;"
    assert stored(broadcast, "r1/2-1/init.mp4") == b"init r1"
    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 5


@pytest.mark.storage
@pytest.mark.django_db
def test_a_list_that_has_grown_long_is_followed_by_another(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "SEGMENTS_PER_JOB", 2)
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)

    for joined in join(live(msn, 4.0, is_discontinuous=msn == 0) for msn in range(5)):
        writer.write(joined)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/1-1/1.m4s",
        "r0/2-1/2.m4s",
        "r0/2-1/3.m4s",
        "r0/3-1/4.m4s",
    ]


@pytest.mark.storage
@pytest.mark.django_db
def test_two_writers_list_every_segment_once(bucket: str) -> None:
    broadcast = begin()
    slow, quick = RecordingWriter(broadcast, RENDITIONS), RecordingWriter(broadcast, RENDITIONS)
    slow.write(Joined([live(0, is_discontinuous=True), live(1)]))

    quick.write(Joined([live(0, is_discontinuous=True), live(1), live(2)]))
    slow.write(Joined([live(2), live(3)]))

    assert [name for name in listed(broadcast) if not name.startswith("#")] == [
        "r0/1-1/0.m4s",
        "r0/3-1/1.m4s",
        "r0/4-1/2.m4s",
    ]
    assert stored(broadcast, "r0/3-1/1.m4s") == b"r0:2;"
    assert stored(broadcast, "r0/4-1/2.m4s") == b"r0:3;"
    assert not any("DISCONTINUITY" in line for line in listed(broadcast))


@pytest.mark.storage
@pytest.mark.django_db
def test_a_writer_whose_connection_was_replaced_stops_at_the_first_conflict(bucket: str) -> None:
    broadcast = begin()
    old = RecordingWriter(broadcast, RENDITIONS)
    old.write(Joined([live(0, is_discontinuous=True)]))
    Broadcast.objects.update(connection_id="newer")
    broadcast.refresh_from_db()
    RecordingWriter(broadcast, RENDITIONS).write(Joined([live(1)]))

    with pytest.raises(RecordingClosed):
        old.write(Joined([live(1), live(2)]))


@pytest.mark.storage
@pytest.mark.django_db
def test_nothing_is_added_to_a_video_that_was_deleted(bucket: str) -> None:
    broadcast = begin()
    writer = RecordingWriter(broadcast, RENDITIONS)
    Video.objects.all().delete()

    with pytest.raises(RecordingClosed):
        writer.write(Joined([live(0)]))


# --- The queue in front of it ---------------------------------------------------------------


class Writer:
    """Keeps what it is given; fails as long as it is told to."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.fails = False
        self.tries = 0

    def write(self, joined: Joined) -> None:
        self.tries += 1
        if self.fails:
            raise EndpointConnectionError(endpoint_url="s3")
        self.written.append(msns(joined))


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def recorder_of(writer: Any, executor: Executor) -> Recorder:
    recorder = Recorder(lambda: writer, executor)
    recorder.start()
    return recorder


@pytest.mark.django_db(transaction=True)
async def test_segments_wait_while_storage_does_not_answer(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.01,))
    writer = Writer()
    writer.fails = True
    recorder = recorder_of(writer, executor)
    for msn in range(3):
        recorder.add(Joined([live(msn)]))
    async with asyncio.timeout(10):
        while writer.tries < 3:  # noqa: ASYNC110 (counted in a thread)
            await asyncio.sleep(0.01)

    writer.fails = False

    assert await recorder.drain(10)
    assert writer.written == [[0], [1], [2]]


@pytest.mark.django_db(transaction=True)
async def test_the_oldest_are_given_up_when_too_much_waits(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MAX_WAITING_BYTES", 25)
    writer = Writer()
    recorder = Recorder(lambda: writer, executor)  # type: ignore[arg-type,return-value]
    for msn in range(5):
        recorder.add(Joined([live(msn)]))

    recorder.start()

    assert await recorder.drain(10)
    assert writer.written == [[3], [4]]


@pytest.mark.django_db(transaction=True)
async def test_a_bucket_that_never_answers_does_not_hold_the_end_up(executor: Executor) -> None:
    writer = Writer()
    writer.fails = True
    recorder = recorder_of(writer, executor)
    recorder.add(Joined([live(0)]))

    assert not await recorder.drain(0.05)


# --- What a dead ingest left ------------------------------------------------------------------


def tail_of(*segments: LiveSegment) -> list[TailSegment]:
    return [
        TailSegment(
            name, segment.msn, 0, segment.duration_s, segment.is_discontinuous, segment.starts_at,
            segment.inits[name], segment.data[name],
        )
        for segment in segments
        for name in NAMES
    ]  # fmt: skip


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch) -> list[TailSegment]:
    """What the edge holds; tests fill it."""
    held: list[TailSegment] = []
    monkeypatch.setattr(
        edge, "tail", lambda _broadcast, after_msn: [piece for piece in held if piece.msn > after_msn]
    )
    return held


@pytest.mark.storage
@pytest.mark.django_db
def test_the_tail_is_stored_behind_what_is_listed(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = begin()
    RecordingWriter(broadcast, RENDITIONS).write(Joined([live(0, is_discontinuous=True), live(1)]))
    tail += tail_of(live(0, is_discontinuous=True), live(1), live(2), live(3, 0.4))

    recovery.store_tail(broadcast)
    recovery.store_tail(broadcast)

    assert listed(broadcast) == [
        '#EXT-X-MAP:URI="r0/1-1/init.mp4"',
        "r0/1-1/0.m4s",
        "r0/2-1/1.m4s",
    ]
    assert [job.segments for job in Job.objects.order_by("position")] == [[], [4.0], [2.4]]
    assert stored(broadcast, "r1/2-1/1.m4s") == b"r1:2;r1:3;"


@pytest.mark.storage
@pytest.mark.django_db
def test_a_segment_that_one_rendition_lacks_is_left_out(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = begin()
    tail += tail_of(live(0, 4.0), live(1))[:-1]

    recovery.store_tail(broadcast)

    assert [name for name in listed(broadcast) if not name.startswith("#")] == ["r0/1-1/0.m4s"]


@pytest.mark.storage
@pytest.mark.django_db
def test_who_goes_on_with_a_broadcast_recovers_only_what_came_before(
    bucket: str, tail: list[TailSegment]
) -> None:
    broadcast = begin()
    tail += tail_of(live(0), live(1), live(2, is_discontinuous=True))

    recovery.recover(broadcast, before_msn=2)

    broadcast.refresh_from_db()
    assert broadcast.recorded_msn == 1


@pytest.mark.django_db
def test_a_broadcast_that_is_not_recorded_leaves_nothing(tail: list[TailSegment]) -> None:
    tail += tail_of(live(0))

    recovery.store_tail(BroadcastFactory())

    assert not Job.objects.exists()


@pytest.mark.storage
@pytest.mark.django_db(transaction=True)
async def test_recovering_twice_at_once_lists_once(bucket: str, tail: list[TailSegment]) -> None:
    broadcast = await in_thread(begin)
    tail += tail_of(*(live(msn) for msn in range(6)))

    await asyncio.gather(*(in_thread(recovery.store_tail, broadcast) for _ in range(3)))

    fresh = await in_thread(Broadcast.objects.get)
    jobs = await in_thread(lambda: list(Job.objects.values_list("segments", flat=True)))
    assert fresh.recorded_msn == 5
    assert sum(sum(segments) for segments in jobs) == 12.0
