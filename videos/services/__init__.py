"""The operations that people request: uploading, editing, deleting and watching.

Views, the API and the admin call these functions.  Each takes keyword arguments
and raises the errors of ``videos.services.errors``.
"""

from videos.services.access import unlock
from videos.services.audio_tracks import add_track_by_upload, audio_tracks_of, edit_track, remove_track
from videos.services.captions import add_captions, remove_captions, save_captions
from videos.services.channel_imports import (
    begin_channel_import,
    begin_chosen,
    cancel_item,
    choose_items,
    delete_channel_import,
    retry_listing,
)
from videos.services.clips import (
    clip_playback,
    create_clip,
    delete_clip,
    excerpt_of,
    record_clip_watching,
    rename_clip,
)
from videos.services.dismissals import clear_dismissals, dismiss, undo_dismissal
from videos.services.downloads import download_state, download_url, mp4_estimate_s, request_mp4
from videos.services.editing import cancel_encode, delete_video, edit_video, retry_video
from videos.services.editions import (
    cancel_edition,
    edition_of,
    reencode,
    replace_by_import,
    replace_by_upload,
    restore_original,
    retry_edition,
    stop_encode,
    trim,
)
from videos.services.following import mark_new, recent_of_followed, record_visit
from videos.services.history import (
    add_progress,
    clear_history,
    continued,
    forget_watched,
    is_history_paused,
    pause_history,
    prune_histories,
    record_watched,
    resume_s,
    watchable,
)
from videos.services.imports import import_video
from videos.services.jobs import cancel_job, retry_job
from videos.services.playback_tokens import create_playback_token
from videos.services.playlists import (
    MAX_PLAYLISTS,
    add_to_playlist,
    covers_of,
    create_playlist,
    delete_playlist,
    edit_playlist,
    holding,
    move_in_playlist,
    playlists_of,
    queue_of,
    remove_from_playlist,
    shown_items,
    watch_later,
)
from videos.services.popularity import rank_trending, record_view
from videos.services.posters import choose_poster, chosen_number, upload_poster
from videos.services.scheduling import publish_due
from videos.services.transcriptions import cancel_transcription, request_transcription
from videos.services.uploads import (
    abort_upload,
    finish_interrupted_uploads,
    finish_upload,
    keep_open,
    presign_parts,
    start_upload,
    uploaded_parts,
)
from videos.services.watching import (
    caption_json,
    like,
    playback,
    poster_url,
    record_watching,
    unlike,
    with_token,
)

__all__ = [
    "MAX_PLAYLISTS",
    "abort_upload",
    "add_captions",
    "add_progress",
    "add_to_playlist",
    "add_track_by_upload",
    "audio_tracks_of",
    "begin_channel_import",
    "begin_chosen",
    "cancel_edition",
    "cancel_encode",
    "cancel_item",
    "cancel_job",
    "cancel_transcription",
    "caption_json",
    "choose_items",
    "choose_poster",
    "chosen_number",
    "clear_dismissals",
    "clear_history",
    "clip_playback",
    "continued",
    "covers_of",
    "create_clip",
    "create_playback_token",
    "create_playlist",
    "delete_channel_import",
    "delete_clip",
    "delete_playlist",
    "delete_video",
    "dismiss",
    "download_state",
    "download_url",
    "edit_playlist",
    "edit_track",
    "edit_video",
    "edition_of",
    "excerpt_of",
    "finish_interrupted_uploads",
    "finish_upload",
    "forget_watched",
    "holding",
    "import_video",
    "is_history_paused",
    "keep_open",
    "like",
    "mark_new",
    "move_in_playlist",
    "mp4_estimate_s",
    "pause_history",
    "playback",
    "playlists_of",
    "poster_url",
    "presign_parts",
    "prune_histories",
    "publish_due",
    "queue_of",
    "rank_trending",
    "recent_of_followed",
    "record_clip_watching",
    "record_view",
    "record_visit",
    "record_watched",
    "record_watching",
    "reencode",
    "remove_captions",
    "remove_from_playlist",
    "remove_track",
    "rename_clip",
    "replace_by_import",
    "replace_by_upload",
    "request_mp4",
    "request_transcription",
    "restore_original",
    "resume_s",
    "retry_edition",
    "retry_job",
    "retry_listing",
    "retry_video",
    "save_captions",
    "shown_items",
    "start_upload",
    "stop_encode",
    "trim",
    "undo_dismissal",
    "unlike",
    "unlock",
    "upload_poster",
    "uploaded_parts",
    "watch_later",
    "watchable",
    "with_token",
]
