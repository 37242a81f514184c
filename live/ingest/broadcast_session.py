"""Broadcast on air: runs of FFmpeg, live edge, recording and poster of one publisher."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import Executor
from dataclasses import asdict, replace
from enum import Enum, auto
from time import time

from channels.db import database_sync_to_async
from django.conf import settings
from redis.asyncio import Redis

from live.edge import control
from live.edge.writer import EdgeWriter, Overtaken
from live.ingest.encoder import EncoderGone
from live.ingest.encoder_run import FINISH_WITHIN_S, EncoderRun
from live.ingest.fan_out import SegmentFanOut
from live.ingest.frames import Frame
from live.ingest.health import HealthMonitor
from live.ingest.inbox import Inbox
from live.ingest.keyframe_repeater import KeyframeRepeater
from live.ingest.poster import PosterMaker
from live.ingest.probe import (
    SignalProbe,
    UnusableSignal,
    is_same_sound,
    lacks_idr,
    picture_config,
    shape_of,
    sound_codecs,
)
from live.ingest.silence import SilenceFiller
from live.ingest.source import EncodePlan, Source, part_target_s, plan_outputs, target_duration_s
from live.ingest.timeline import LATE_S, Timeline, TimelineVerdict
from live.llhls.segments import Init, Shape
from live.models import Broadcast
from live.recording import recovery
from live.recording.recorder import Recorder
from live.recording.spool import Spool
from live.recording.writer import RecordingWriter
from videos.models import SegmentRun
from videos.services.recordings import RecordedRendition

logger = logging.getLogger(__name__)

DRAIN_WITHIN_S = 20.0
HURRIED_S = 1.0
# Time that segments of a gone publisher wait for a storage that does not answer.
STORE_WITHIN_S = 900.0
# A shorter run of FFmpeg counts as a crash; after SHORT_LIVES in a row, the publisher is refused.
SHORT_LIFE_S = 5.0
SHORT_LIVES = 5
# A GOP lasts 250 frames with x264's defaults; a longer wait may never end.
KEYFRAME_WITHIN_S = 20.0
# A signal may change at any time, as from a phone that is rotated; FFmpeg is restarted
# for it at most once in this time.
CHANGE_EVERY_S = 1.0
RESTART_PAUSE_S = (0.0, 0.5, 1.0, 2.0, 2.0)
MAX_GOP_BYTES = 8 * 1024**2
MAX_GOP_FRAMES = 3000

CLOCK_STANDS_STILL = "The timestamps of your frames do not advance. Restart your encoder."
NO_KEYFRAME = "No keyframe received. Set the keyframe interval of your encoder to 2 seconds."
FAILING = "This stream cannot be encoded. Restart your encoder with its default settings."


class RunOutcome(Enum):
    """Reason for the end of a run of FFmpeg."""

    ENDED = auto()  # the publisher has ended
    DIED = auto()  # FFmpeg has died: restart at the last keyframe
    CHANGED = auto()  # the signal has changed: restart at the next keyframe


class BroadcastSession:
    """Broadcast of one publisher: its frames go to viewers and to the recording."""

    def __init__(
        self, broadcast: Broadcast, source: Source, probe: SignalProbe, inbox: Inbox, monitor: HealthMonitor
    ) -> None:
        self.run: EncoderRun | None = None
        self.is_hurried = False
        self.is_storing = False  # encoding is over, only uploads remain
        self.recorder: Recorder | None = None
        self._broadcast = broadcast
        self._source = source
        self._headers = probe.headers
        self._inbox = inbox
        self._monitor = monitor
        self._again: deque[Frame] = deque(probe.take())
        # Frames since the last keyframe; None if they exceed the bounds.
        self._gop: list[Frame] | None = None
        self._gop_bytes = 0
        self._must_encode = False
        self._is_new_sound = False
        self._short_lives = 0
        self._has_inits = False
        self._describing: asyncio.Task[None] | None = None

    async def open(
        self, redis: Redis, executor: Executor, spool: Spool, *, predecessor: Recorder | None = None
    ) -> None:
        """Continue the broadcast at the position that SQL and Redis know, or begin it.

        Raises RedisError, DatabaseError, and Overtaken if a newer publisher has it.
        """
        access, first_msn, first_epoch = await database_sync_to_async(self._look_up, thread_sensitive=False)()
        self._count = len(self._broadcast.renditions_json) or None
        self._plan_anew()
        shape = Shape(part_target_s(self._source.frame_rate), target_duration_s(self._plan, self._source))
        names = [output.name for output in self._plan.outputs]
        self._count = len(names)
        self._edge = await EdgeWriter.open(
            redis,
            self._broadcast.public_id,
            shape,
            names,
            access,
            first_msn=first_msn,
            first_epoch=first_epoch,
            first_media_s=self._longest_media_s(),
            generation=self._broadcast.generation,
        )
        self._first_msn = self._edge.next_msn
        await database_sync_to_async(self._claim, thread_sensitive=False)()
        # A broadcast keeps its target duration with every publisher.
        if self._plan.is_copied and target_duration_s(self._plan, self._source) > self._target_s + LATE_S:
            self._must_encode = True
            self._plan_anew()
        has_recording = self._broadcast.recording_id is not None
        if has_recording:
            folder = spool.folder(self._broadcast.public_id)
            self.recorder = Recorder(self._open_writer, executor, folder, predecessor)
        self._poster = PosterMaker(self._broadcast, executor)
        self._fan_out = SegmentFanOut(self._edge, names, recorder=self.recorder, poster=self._poster)

    def _longest_media_s(self) -> float:
        """Return a media time that the broadcast cannot have reached: the seconds since it started."""
        has_begun = bool(self._broadcast.renditions_json)
        return max(0.0, time() - self._broadcast.started_at.timestamp()) if has_begun else 0.0

    async def encode(self) -> None:
        """Encode until the publisher ends.

        Raises UnusableSignal if that is impossible, and the error that ended the task that
        writes the edge (Overtaken for a newer publisher) or the recording.
        """
        while first := await self._next_keyframe():
            began_at = asyncio.get_running_loop().time()
            outcome = await self._run_encoder(first)
            if outcome is RunOutcome.ENDED:
                return
            if outcome is RunOutcome.DIED:
                self._again.extendleft(reversed(self._gop or []))
            self._edge.check()
            if self.recorder:
                self.recorder.check()
            lived_s = asyncio.get_running_loop().time() - began_at
            if outcome is RunOutcome.DIED:
                await self._back_off(lived_s=lived_s)
            elif lived_s < CHANGE_EVERY_S:
                await asyncio.sleep(CHANGE_EVERY_S - lived_s)
            self._plan_anew()

    async def _back_off(self, *, lived_s: float) -> None:
        """Pause before the next run, longer after each short one.  Raises UnusableSignal in the end."""
        self._short_lives = self._short_lives + 1 if lived_s < SHORT_LIFE_S else 1
        if self._short_lives > SHORT_LIVES:
            self._monitor.is_failing = True
            raise UnusableSignal(FAILING)
        await asyncio.sleep(RESTART_PAUSE_S[self._short_lives - 1])

    async def close(self) -> bool:
        """Close the edge and store the remaining segments; return False if storage does not answer."""
        await self._edge.close()
        self.is_storing = self.recorder is not None
        is_stored = self.recorder is None or await self.recorder.drain(self._drain_s)
        await self._poster.finish(within_s=self._drain_s)
        if self._describing:
            await asyncio.wait([self._describing], timeout=HURRIED_S)
        return is_stored

    async def store_rest(self) -> None:
        """Wait up to ``STORE_WITHIN_S`` for storage."""
        within_s = 0 if self.is_hurried else STORE_WITHIN_S
        if self.recorder and not await self.recorder.drain(within_s):
            logger.error("Recording incomplete", extra={"broadcast": self._broadcast.public_id})

    @property
    def _drain_s(self) -> float:
        return HURRIED_S if self.is_hurried else DRAIN_WITHIN_S

    @property
    def _target_s(self) -> int:
        return self._edge.shape.target_duration_s

    def _plan_anew(self) -> None:
        rungs = self._broadcast.rungs_json
        if rungs is None:  # the broadcast began before its rungs were recorded
            rungs = settings.LIVE_RUNGS
        self._plan: EncodePlan = plan_outputs(
            self._source, rungs, count=self._count, must_encode=self._must_encode
        )
        self._monitor.width_px, self._monitor.height_px = self._source.width_px, self._source.height_px
        self._monitor.obstacles = self._source.obstacles

    async def _run_encoder(self, first: Frame) -> RunOutcome:
        self.run = run = EncoderRun(
            self._plan,
            self._source,
            self._fan_out,
            on_inits=self._publish_renditions,
        )
        within_s = 0.0
        try:
            try:
                await run.start(self._headers, first=first, preset=settings.LIVE_PRESET)
                outcome = await self._feed(run, first)
            except (EncoderGone, OSError) as error:  # it ended or could not be started
                logger.warning(
                    "FFmpeg exited", extra={"broadcast": self._broadcast.public_id, "reason": str(error)}
                )
                outcome = RunOutcome.DIED
            self._inbox.begin_catching_up()
            within_s = HURRIED_S if outcome is RunOutcome.DIED or self.is_hurried else FINISH_WITHIN_S
            return outcome
        finally:
            await run.finish(within_s=within_s)

    async def _feed(self, run: EncoderRun, first: Frame) -> RunOutcome:
        """Write the frames of one signal to FFmpeg.  Raises EncoderGone."""
        timeline = Timeline(self._source.frame_rate, self._target_s if self._plan.is_copied else None)
        silence = SilenceFiller(self._headers["audio"], first.timestamp_ms)
        holding = KeyframeRepeater()
        self._picture = picture_config(self._headers["video"])
        self._is_new_sound = False
        frame: Frame | None = first
        while frame is not None:
            due = deque([frame] if frame.is_header else holding.around(frame))
            while due:
                shown = due.popleft()
                again = self._again_from(shown, timeline)
                if again is not None:
                    self._again.extendleft(reversed([*again, *due]))
                    return RunOutcome.CHANGED
                # Audio of a new configuration waits for the keyframe at which the new run begins.
                waits = shown.kind == "audio" and self._is_new_sound
                if not shown.is_header and not waits:
                    self._keep(shown)
                    for piece in silence.around(shown):
                        await run.write(piece)
            frame = await self._next()
        for held in holding.finish():
            await run.write(held)
        return RunOutcome.ENDED

    def _again_from(self, frame: Frame, timeline: Timeline) -> list[Frame] | None:
        """Return the frames to pass to a new run of FFmpeg; None if ``frame`` belongs to this one.

        Raises UnusableSignal.
        """
        if frame.is_header:
            return [] if self._store_header(frame) else None
        if frame.is_keyframe and self._is_new_sound:
            return [frame]
        if self._plan.is_copied and lacks_idr(frame, self._picture):
            logger.info("Open GOP: encoding", extra={"broadcast": self._broadcast.public_id})
            self._source = replace(self._source, has_open_gops=True)
            return [frame]
        match timeline.judge(frame):
            case TimelineVerdict.BEGINS_ANEW:
                return [frame]
            case TimelineVerdict.STANDS_STILL:
                raise UnusableSignal(CLOCK_STANDS_STILL)
            case TimelineVerdict.TOO_LONG:
                logger.info(
                    "Keyframes too far apart: re-encoding", extra={"broadcast": self._broadcast.public_id}
                )
                self._must_encode = True
                return [*(self._gop or []), frame]
        return None

    def _store_header(self, frame: Frame) -> bool:
        """Store a sequence header; return True if it changes the video.  Raises UnusableSignal."""
        known = self._headers.get(frame.kind)
        self._headers[frame.kind] = frame
        if known and known.payload == frame.payload:
            return False
        picture = picture_config(self._headers["video"])
        sound = sound_codecs(self._headers["audio"])
        self._source = replace(
            self._source,
            codecs=f"{picture.codecs},{sound}",
            has_audio=True,
            **shape_of(picture),
        )
        self._is_new_sound = frame.kind == "audio" and not (known and is_same_sound(known, frame))
        return frame.kind == "video"

    async def _next(self) -> Frame | None:
        if self._again:
            return self._again.popleft()
        self._inbox.check_caught_up()
        return await self._inbox.get()

    async def _next_keyframe(self) -> Frame | None:
        """Return the next keyframe; the frames before it are dropped.  Raises UnusableSignal."""
        waits_since: float | None = None
        while frame := await self._next():
            waits_since = waits_since or frame.arrived_at
            if frame.arrived_at - waits_since > KEYFRAME_WITHIN_S:
                raise UnusableSignal(NO_KEYFRAME)
            if frame.is_header:
                self._store_header(frame)
                self._plan_anew()
            elif frame.is_keyframe:
                return frame
        return None

    def _keep(self, frame: Frame) -> None:
        """Keep the frames since the last keyframe, in case FFmpeg has to be restarted."""
        if frame.is_keyframe:
            self._gop, self._gop_bytes = [], 0
        if self._gop is None:
            return
        self._gop.append(frame)
        self._gop_bytes += len(frame.payload)
        if self._gop_bytes > MAX_GOP_BYTES or len(self._gop) > MAX_GOP_FRAMES:
            self._gop = None

    def _publish_renditions(self, inits: dict[str, Init]) -> None:
        """Publish the renditions once, to the pages and the recording."""
        if self._has_inits:
            return
        self._has_inits = True
        self._renditions = [
            RecordedRendition(
                name=output.name,
                width_px=inits[output.name].width_px,
                height_px=inits[output.name].height_px,
                frame_rate=round(self._source.frame_rate, 3),
                bitrate_bps=output.bitrate_bps + self._source.audio_bitrate_bps,
                codecs=inits[output.name].codecs,
            )
            for output in self._plan.outputs
        ]
        if self.recorder:
            self.recorder.start()  # its thread saves the renditions first
        else:
            describe = database_sync_to_async(self._describe, thread_sensitive=False)
            self._describing = asyncio.create_task(describe())

    def _look_up(self) -> tuple[str, int, int]:
        """Return the broadcast's access, and the first segment and epoch numbers that it has not recorded."""
        control.reopen(self._broadcast.public_id)
        # Each recorded epoch has a run of its own.
        recording_id = self._broadcast.recording_id
        epochs = SegmentRun.objects.filter(video=recording_id).count() if recording_id else 0
        fresh = self._fresh()
        return fresh.access, fresh.recorded_msn + 1, epochs

    def _fresh(self) -> Broadcast:
        """Return the broadcast from SQL: its stream may have become private since it began."""
        return Broadcast.objects.select_related("stream").get(pk=self._broadcast.pk)

    def _claim(self) -> None:
        """Record our first segment number, and correct the edge's access if it has changed.

        Raises Overtaken if a newer publisher has the broadcast, or an older one has
        recorded one of our segment numbers in the meantime.
        """
        ours = Broadcast.objects.filter(
            pk=self._broadcast.pk,
            connection_id=self._broadcast.connection_id,
            recorded_msn__lt=self._first_msn,
        )
        if not ours.update(first_msn=self._first_msn):
            raise Overtaken
        control.correct_access(self._broadcast.public_id, self._fresh().access)

    def _describe(self) -> None:
        """Save the renditions, unless the broadcast has some from an earlier publisher."""
        if not self._broadcast.renditions_json:
            self._broadcast.renditions_json = [asdict(rendition) for rendition in self._renditions]
            self._broadcast.save(update_fields=["renditions_json"])

    def _open_writer(self) -> RecordingWriter | None:
        """Store the segments of an earlier ingest; return a writer for ours, None without a recording."""
        self._describe()
        recovery.recover(self._broadcast, before_msn=self._first_msn)
        ours = Broadcast.objects.filter(
            pk=self._broadcast.pk, connection_id=self._broadcast.connection_id, recording__isnull=False
        )
        fresh = ours.select_related("recording").first()
        return RecordingWriter(fresh, recovery.recorded_renditions(fresh)) if fresh else None
