"""A broadcast as its ingest holds it: one run of FFmpeg after another, edge, recording, poster."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import Executor
from dataclasses import asdict, replace
from enum import Enum, auto

from channels.db import database_sync_to_async
from django.conf import settings
from redis.asyncio import Redis

from live import edge
from live.edge import EdgeWriter
from live.ingest import recovery
from live.ingest.encoder import EncoderGone
from live.ingest.epoch import FINISH_WITHIN_S, Epoch
from live.ingest.frames import Frame
from live.ingest.health import Monitor
from live.ingest.inbox import Inbox
from live.ingest.looking import Look, Unusable, picture_config, sound_codecs
from live.ingest.poster import PosterMaker
from live.ingest.recorder import Joined, Recorder, RecordingWriter, Shelf
from live.ingest.source import Plan, Source, part_target_s, plan_outputs, target_duration_s
from live.ingest.timeline import LATE_S, Timeline, Verdict
from live.llhls.segments import Init, Shape
from live.models import Broadcast
from videos.models import Job
from videos.services.recordings import RecordedRendition

logger = logging.getLogger(__name__)

DRAIN_WITHIN_S = 20.0
HURRIED_S = 1.0
# A run shorter than this was over at once; so many in a row, and we give up.
SHORT_LIFE_S = 5.0
SHORT_LIVES = 5
RESTART_PAUSE_S = (0.0, 0.5, 1.0, 2.0, 2.0)
MAX_GOP_BYTES = 8 * 1024**2
MAX_GOP_FRAMES = 3000

FAILING = "This stream cannot be encoded. Restart your encoder with its default settings."


class Outcome(Enum):
    """Why a run of FFmpeg is over."""

    ENDED = auto()  # nothing more comes
    DIED = auto()  # FFmpeg did: again from the last keyframe
    CHANGED = auto()  # the signal is another now: again from the next keyframe


class OnAir:
    """Carries one publisher's frames to viewers and to the recording."""

    def __init__(
        self, broadcast: Broadcast, source: Source, look: Look, inbox: Inbox, monitor: Monitor
    ) -> None:
        self.epoch: Epoch | None = None
        self.is_hurried = False
        self._broadcast = broadcast
        self._source = source
        self._headers = look.headers
        self._inbox = inbox
        self._monitor = monitor
        self._again: deque[Frame] = deque(look.frames)
        # From the last keyframe on; None where that is more than we keep.
        self._gop: list[Frame] | None = None
        self._gop_bytes = 0
        self._must_encode = False
        self._is_new_sound = False
        self._short_lives = 0
        self._has_inits = False
        self._describing: asyncio.Task[None] | None = None

    async def open(self, redis: Redis, executor: Executor) -> None:
        """Find out where the broadcast is, and go on there.  Raises RedisError."""
        access, first_epoch = await database_sync_to_async(self._look_up, thread_sensitive=False)()
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
            first_msn=self._broadcast.recorded_msn + 1,
            first_epoch=first_epoch,
        )
        self._first_msn = self._edge.next_msn
        # A broadcast keeps its target duration, whoever goes on with it.
        if self._plan.is_copied and target_duration_s(self._plan, self._source) > self._target_s + LATE_S:
            self._must_encode = True
            self._plan_anew()
        self._shelf = Shelf(names)
        self._poster = PosterMaker(self._broadcast, executor)
        has_recording = self._broadcast.recording_id is not None
        self._recorder = Recorder(self._open_writer, executor) if has_recording else None

    async def encode(self) -> None:
        """Encode until nothing more comes.  Raises Unusable where that is not possible."""
        while first := await self._next_keyframe():
            began_at = asyncio.get_running_loop().time()
            outcome = await self._run_epoch(first)
            if outcome is Outcome.ENDED:
                return
            if outcome is Outcome.DIED:
                self._again.extendleft(reversed(self._gop or []))
            await self._bear(lived_s=asyncio.get_running_loop().time() - began_at)
            self._plan_anew()

    async def _bear(self, *, lived_s: float) -> None:
        """Begin again, after a pause that grows where FFmpeg ends at once.  Raises Unusable."""
        self._short_lives = self._short_lives + 1 if lived_s < SHORT_LIFE_S else 1
        if self._short_lives > SHORT_LIVES:
            self._monitor.is_failing = True
            raise Unusable(FAILING)
        await asyncio.sleep(RESTART_PAUSE_S[self._short_lives - 1])

    async def close(self) -> None:
        """Let go of the edge, and store what is in hand."""
        await self._edge.close()
        if self._recorder and not await self._recorder.drain(
            HURRIED_S if self.is_hurried else DRAIN_WITHIN_S
        ):
            logger.error("Not all was recorded", extra={"broadcast": self._broadcast.public_id})
        await self._poster.finish(within_s=HURRIED_S if self.is_hurried else DRAIN_WITHIN_S)
        if self._describing:
            await asyncio.wait([self._describing], timeout=HURRIED_S)

    @property
    def _target_s(self) -> int:
        return self._edge.shape.target_duration_s

    def _plan_anew(self) -> None:
        self._plan: Plan = plan_outputs(
            self._source, settings.LIVE_RUNGS, count=self._count, must_encode=self._must_encode
        )
        self._monitor.width_px, self._monitor.height_px = self._source.width_px, self._source.height_px

    # --- One run of FFmpeg --------------------------------------------------------------

    async def _run_epoch(self, first: Frame) -> Outcome:
        self.epoch = epoch = Epoch(
            self._plan,
            self._source,
            self._edge,
            self._shelf,
            on_inits=self._note_inits,
            on_joined=self._note_joined,
        )
        within_s = 0.0
        try:
            try:
                await epoch.start(self._headers, first=first, preset=settings.LIVE_PRESET)
                outcome = await self._feed(epoch, first)
            except EncoderGone as error:
                logger.warning(
                    "FFmpeg died", extra={"broadcast": self._broadcast.public_id, "reason": str(error)}
                )
                outcome = Outcome.DIED
            within_s = HURRIED_S if outcome is Outcome.DIED or self.is_hurried else FINISH_WITHIN_S
            return outcome
        finally:
            await epoch.finish(within_s=within_s)

    async def _feed(self, epoch: Epoch, first: Frame) -> Outcome:
        """Give FFmpeg one frame after the other, as long as they belong together.  Raises EncoderGone."""
        timeline = Timeline(self._source.frame_rate, self._target_s if self._plan.is_copied else None)
        self._is_new_sound = False
        frame: Frame | None = first
        while frame is not None:
            if self._begins_anew(frame, timeline):
                return Outcome.CHANGED
            if self._belongs(frame, timeline):
                self._keep(frame)
                await epoch.write(frame)
            frame = await self._next()
        return Outcome.ENDED

    def _begins_anew(self, frame: Frame, timeline: Timeline) -> bool:
        """Whether the signal is another one from this frame on; then it is the first of what follows."""
        if frame.is_header:
            return self._note_header(frame)
        if frame.is_keyframe and self._is_new_sound:
            self._again.appendleft(frame)
            return True
        self._verdict = timeline.judge(frame)
        if self._verdict is Verdict.JUMPED:
            self._again.appendleft(frame)
        elif self._verdict is Verdict.TOO_LONG:
            logger.info("Keyframes too far apart: encoding", extra={"broadcast": self._broadcast.public_id})
            self._must_encode = True
            self._again.extendleft(reversed([*(self._gop or []), frame]))
        return self._verdict in (Verdict.JUMPED, Verdict.TOO_LONG)

    def _belongs(self, frame: Frame, timeline: Timeline) -> bool:
        if frame.is_header or self._verdict is Verdict.UNUSABLE:
            return False
        # What a new header has announced waits for the keyframe with which it begins.
        return not (frame.kind == "audio" and self._is_new_sound)

    def _note_header(self, frame: Frame) -> bool:
        """Take a sequence header; true where a picture of another kind follows.  Raises Unusable."""
        known = self._headers.get(frame.kind)
        self._headers[frame.kind] = frame
        if known and known.payload == frame.payload:
            return False
        picture = picture_config(self._headers["video"])
        sound = sound_codecs(self._headers.get("audio"))
        self._source = replace(
            self._source,
            codecs=",".join(filter(None, (picture.codecs, sound))),
            width_px=picture.width_px,
            height_px=picture.height_px,
            has_audio=bool(sound),
        )
        self._is_new_sound = frame.kind == "audio"
        return frame.kind == "video"

    # --- Frames -------------------------------------------------------------------------

    async def _next(self) -> Frame | None:
        return self._again.popleft() if self._again else await self._inbox.get()

    async def _next_keyframe(self) -> Frame | None:
        """The next picture that needs no other; what comes before it is lost."""
        while frame := await self._next():
            if frame.is_header:
                self._note_header(frame)
                self._plan_anew()
            elif frame.is_keyframe:
                return frame
        return None

    def _keep(self, frame: Frame) -> None:
        """Remember the frames since the last keyframe, should FFmpeg have to begin again."""
        if frame.is_keyframe:
            self._gop, self._gop_bytes = [], 0
        if self._gop is None:
            return
        self._gop.append(frame)
        self._gop_bytes += len(frame.payload)
        if self._gop_bytes > MAX_GOP_BYTES or len(self._gop) > MAX_GOP_FRAMES:
            self._gop = None

    # --- What comes out -----------------------------------------------------------------

    def _note_joined(self, joined: Joined) -> None:
        if self._recorder:
            self._recorder.add(joined)
        self._poster.offer(joined, self._plan.outputs[0].name)

    def _note_inits(self, inits: dict[str, Init]) -> None:
        """Say once, for pages and for the recording, what the renditions are."""
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
        if self._recorder:
            self._recorder.start()  # which describes them first
        else:
            describe = database_sync_to_async(self._describe, thread_sensitive=False)
            self._describing = asyncio.create_task(describe())

    # --- In threads ---------------------------------------------------------------------

    def _look_up(self) -> tuple[str, int]:
        """How its media are reached, and an epoch that it has not had."""
        edge.reopen(self._broadcast.public_id)
        # Each epoch that was recorded has a job of its own.
        recording_id = self._broadcast.recording_id
        epochs = Job.objects.filter(video=recording_id).count() if recording_id else 0
        return self._broadcast.access, epochs

    def _describe(self) -> None:
        """A broadcast that goes on keeps its renditions."""
        if not self._broadcast.renditions_json:
            self._broadcast.renditions_json = [asdict(rendition) for rendition in self._renditions]
            self._broadcast.save(update_fields=["renditions_json"])

    def _open_writer(self) -> RecordingWriter | None:
        """Store what an ingest before us left, and be ready to go on behind that."""
        self._describe()
        recovery.recover(self._broadcast, before_msn=self._first_msn)
        ours = Broadcast.objects.filter(
            pk=self._broadcast.pk, connection_id=self._broadcast.connection_id, recording__isnull=False
        )
        fresh = ours.select_related("recording").first()
        return RecordingWriter(fresh, recovery.recorded_renditions(fresh)) if fresh else None
