"""The states of videos and of their work, and every event that changes one.

``docs/states.md`` is drawn from this table (``python -m docs.make_states``).  Tests compare it
with the code: no other function changes a state, and each event, tried in each state, has
the effect of its row.
"""

from __future__ import annotations

from dataclasses import dataclass

GONE = "gone"
"""The state of a row that is deleted, or not written yet."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A cause of a change: the states it ends, the state it begins, and the functions that make it."""

    name: str
    before: tuple[str, ...]
    after: str
    by: str
    code: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateTable:
    """The states of one kind of row and their events."""

    title: str
    text: str
    states: dict[str, str]
    """Name to meaning, in the order of a life."""
    events: tuple[StateChange, ...]

    def after(self, state: str) -> frozenset[str]:
        """Return the states that may follow ``state``."""
        return frozenset(event.after for event in self.events if state in event.before)


VIDEO = StateTable(
    title="Video",
    text="`Video.status`, changed by `Video.transition` alone.",
    states={
        "uploading": "its file arrives in parts",
        "processing": "its file is fetched, planned or encoded, or a broadcast fills it; it may be playable",
        "ready": "every rendition is complete",
        "failed": "it cannot be played; the row says why",
    },
    events=(
        StateChange(
            "upload begins",
            (GONE,),
            "uploading",
            "owner",
            (
                "services.uploads.start_upload",
                "services.editions.replace_by_upload",
                "services.audio_tracks.add_track_by_upload",
            ),
        ),
        StateChange(
            "import is requested",
            (GONE,),
            "processing",
            "owner, sweep",
            (
                "services.imports.import_video",
                "services.editions.replace_by_import",
                "services.channel_imports._begin",
            ),
        ),
        StateChange(
            "re-encode, trim or return to the original is requested: an edition",
            (GONE,),
            "processing",
            "owner, moderator",
            ("services.editions._encode_again", "services.editions.trim"),
        ),
        StateChange(
            "broadcast begins",
            (GONE,),
            "processing",
            "ingest",
            ("services.recordings.start_recording",),
        ),
        StateChange(
            "parts are joined",
            ("uploading",),
            "processing",
            "owner, sweep",
            ("services.uploads._queue_plan",),
        ),
        StateChange(
            "last job or run ends", ("processing",), "ready", "worker, sweep, ingest", ("ends._make_ready",)
        ),
        StateChange(
            "a needed job fails, or the encode is stopped",
            ("processing",),
            "failed",
            "worker, sweep, administrator",
            ("ends.fail_video",),
        ),
        StateChange(
            "try again", ("failed",), "processing", "owner, administrator", ("services.editing.retry_video",)
        ),
        StateChange(
            "broadcast goes on",
            ("ready",),
            "processing",
            "ingest",
            ("services.recordings.reopen_recording",),
        ),
        StateChange(
            "edition is complete: its encode becomes the video's",
            ("processing",),
            GONE,
            "worker, sweep",
            ("editions.take_over",),
        ),
        StateChange(
            "video is deleted, or its upload ends",
            ("uploading", "processing", "ready", "failed"),
            GONE,
            "owner, administrator, clean-up",
            ("cleaning.delete_with_objects",),
        ),
    ),
)

JOB = StateTable(
    title="Job",
    text=(
        "`Job.status`. A dispensable job (poster, MP4, the last lane) that fails is *done*, with an error "
        "code. An import is the job `fetch`."
    ),
    states={
        "waiting": "due at `not_before`; `waits_for` names the missing part of the platform",
        "running": "an attempt holds the lease",
        "done": "its result is stored, or the video is complete without it",
        "failed": "its video has failed, or its encode was replaced",
    },
    events=(
        StateChange(
            "work is planned",
            (GONE,),
            "waiting",
            "owner, worker, viewer, sweep",
            (
                "copying.encode_instead",
                "demand._divide",
                "embedded_captions.queue_for",
                "importing._finish",
                "importing.queue_fetch",
                "planning._job",
                "services.downloads.request_mp4",
                "services.editions._queue_plan",
                "services.editing.retry_video",
                "services.uploads._queue_plan",
                "storyboards.queue_after",
                "sweeping._plan_anew",
                "trimming.lay_out",
            ),
        ),
        StateChange(
            "it is due, or its lease has expired: claim",
            ("waiting", "running"),
            "running",
            "worker, sweep",
            ("queue.take",),
        ),
        StateChange("step ends", ("running",), "done", "worker", ("ends.finish_row",)),
        StateChange(
            "media fails, attempts are left",
            ("running",),
            "waiting",
            "worker",
            ("ends.fail",),
        ),
        StateChange(
            "platform is in trouble: put off",
            ("running",),
            "waiting",
            "worker",
            ("ends.put_off",),
        ),
        StateChange("worker stops: release", ("running",), "waiting", "worker", ("queue.release",)),
        StateChange(
            "media fails for good, the job is dispensable",
            ("running",),
            "done",
            "worker",
            ("ends.fail",),
        ),
        StateChange("media fails for good", ("running",), "failed", "worker, sweep", ("ends.fail",)),
        StateChange(
            "encode fails or is stopped",
            ("waiting", "running", "failed"),
            "failed",
            "worker, administrator",
            ("ends.fail_video",),
        ),
        StateChange(
            "encode was replaced",
            ("running",),
            "failed",
            "worker",
            ("ends.stop_outdated",),
        ),
        StateChange(
            "chunk lacks frames that a later one has: encode it again",
            ("done",),
            "running",
            "worker",
            ("ends._redo",),
        ),
        StateChange(
            "a dispensable job ended with an error: try again",
            ("done",),
            "waiting",
            "owner, administrator",
            ("services.jobs.retry_job",),
        ),
        StateChange(
            "cancel of work that the video is complete without",
            ("waiting", "running"),
            "done",
            "owner, administrator",
            ("services.jobs.cancel_job",),
        ),
        StateChange(
            "encode is retried or replaced, or ended 35 days ago",
            ("waiting", "running", "done", "failed"),
            GONE,
            "owner, worker, clean-up",
            (
                "copying.encode_instead",
                "services.editing.retry_video",
                "cleaning.forget_old_jobs",
                "cleaning._delete_encode",
            ),
        ),
    ),
)

TRANSCRIPTION = StateTable(
    title="Transcription",
    text="`Transcription.status`: one row for a video, which runs once for each chunk of sound.",
    states={
        "waiting": "the next chunk is due, or the video is still encoded",
        "running": "a worker hears a chunk",
        "done": "the captions exist, or none were needed",
        "failed": "no captions; the row says why",
        "cancelled": "the owner or an administrator canceled it",
    },
    events=(
        StateChange(
            "captions are requested",
            (GONE,),
            "waiting",
            "owner, upload",
            ("transcriptions.request",),
        ),
        StateChange(
            "captions are requested again",
            ("done", "failed", "cancelled"),
            "waiting",
            "owner",
            ("transcriptions.request",),
        ),
        StateChange(
            "it is due, or its lease has expired: claim",
            ("waiting", "running"),
            "running",
            "worker, sweep",
            ("transcriptions.claim", "transcriptions._give_up"),
        ),
        StateChange(
            "chunk is heard",
            ("running",),
            "waiting",
            "worker",
            ("transcribing._release",),
        ),
        StateChange(
            "chunk fails, attempts are left", ("running",), "waiting", "worker", ("transcriptions.fail",)
        ),
        StateChange(
            "platform is in trouble: put off", ("running",), "waiting", "worker", ("transcriptions.put_off",)
        ),
        StateChange(
            "worker stops: release",
            ("running",),
            "waiting",
            "worker",
            ("transcriptions.release",),
        ),
        StateChange("captions are stored", ("running",), "done", "worker", ("transcribing._record",)),
        StateChange(
            "no speech, or the owner has captions", ("running",), "done", "worker", ("transcriptions.end",)
        ),
        StateChange(
            "no audio, or attempts are used up",
            ("running",),
            "failed",
            "worker",
            ("transcriptions.end",),
        ),
        StateChange(
            "cancel",
            ("waiting", "running"),
            "cancelled",
            "owner, administrator",
            ("transcriptions.cancel",),
        ),
        StateChange(
            "its video is deleted",
            ("waiting", "running", "done", "failed", "cancelled"),
            GONE,
            "owner, administrator",
            ("cleaning.delete_with_objects",),
        ),
    ),
)

UPLOAD = StateTable(
    title="Upload",
    text=(
        "A row without a status: it is *opening* without a `multipart_id`, *joining* with `completing_at`. "
        "Its video is *uploading* all the time."
    ),
    states={
        "opening": "S3 has not answered yet",
        "open": "parts arrive",
        "joining": "S3 joins the parts",
    },
    events=(
        StateChange(
            "upload begins",
            (GONE,),
            "opening",
            "owner",
            ("services.uploads.create_upload",),
        ),
        StateChange("S3 opens it", ("opening",), "open", "owner", ("services.uploads.open_multipart",)),
        StateChange(
            "S3 refuses",
            ("opening",),
            GONE,
            "owner",
            ("services.uploads.open_multipart",),
        ),
        StateChange(
            "all parts have arrived", ("open",), "joining", "owner, sweep", ("services.uploads._join",)
        ),
        StateChange(
            "parts are missing",
            ("joining",),
            "open",
            "owner, sweep",
            ("services.uploads._join", "services.uploads.finish_interrupted_uploads"),
        ),
        StateChange(
            "S3 does not answer: another sweep",
            ("joining",),
            "joining",
            "sweep",
            ("services.uploads.finish_interrupted_uploads",),
        ),
        StateChange(
            "parts are joined",
            ("open", "joining"),
            GONE,
            "owner, sweep",
            ("services.uploads._queue_plan",),
        ),
        StateChange(
            "it is aborted, or a size is wrong",
            ("opening", "open", "joining"),
            GONE,
            "owner, sweep",
            ("services.uploads.abort_upload",),
        ),
        StateChange(
            "it expires",
            ("opening", "open", "joining"),
            GONE,
            "clean-up",
            ("cleaning._abandon",),
        ),
    ),
)

IMPORT = StateTable(
    title="Import",
    text=(
        "A video with `import_url` and the job `fetch`: it is *fetching* while the video is *processing*, "
        "and *failed* with it. The address is forgotten once the file is here."
    ),
    states={
        "fetching": "the job waits or runs",
        "failed": "the address refuses, or the file has no room",
    },
    events=(
        StateChange(
            "import is requested",
            (GONE,),
            "fetching",
            "owner, sweep",
            (
                "services.imports.import_video",
                "services.editions.replace_by_import",
                "services.channel_imports._begin",
            ),
        ),
        StateChange("file is stored: plan", ("fetching",), GONE, "worker", ("importing._finish",)),
        StateChange(
            "job fails or is stopped", ("fetching",), "failed", "worker, administrator", ("ends.fail_video",)
        ),
        StateChange(
            "try again",
            ("failed",),
            "fetching",
            "owner",
            ("services.editing.retry_video",),
        ),
        StateChange(
            "video is deleted",
            ("fetching", "failed"),
            GONE,
            "owner, administrator",
            ("cleaning.delete_with_objects",),
        ),
    ),
)

TABLES = (VIDEO, JOB, TRANSCRIPTION, UPLOAD, IMPORT)
