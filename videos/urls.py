"""The pages of this app; its API is in ``api/urls.py``."""

from django.urls import path

from videos.views import (
    clips,
    conversation,
    downloading,
    editions,
    history,
    importing,
    playback_tokens,
    studio,
    studio_captions,
    studio_jobs,
    trims,
    watching,
)

urlpatterns = [
    path("watch/<slug:public_id>/", watching.watch, name="watch"),
    path("watch/<slug:public_id>/download/", downloading.download, name="download"),
    path("watch/<slug:public_id>/unlock/", watching.unlock, name="unlock"),
    path("watch/<slug:public_id>/poster.jpg", watching.poster, name="video-poster"),
    path("watch/<slug:public_id>/comments/", conversation.comments, name="video-comments"),
    path("watch/<slug:public_id>/comments/<slug:comment_id>/", conversation.comment, name="video-comment"),
    path("watch/<slug:public_id>/clips/", clips.of_video, name="video-clips"),
    path("embed/<slug:public_id>/", watching.embed, name="embed"),
    path("clips/<slug:public_id>/", clips.clip, name="clip"),
    path("clips/<slug:public_id>/embed/", clips.embed, name="clip-embed"),
    path("clips/<slug:public_id>/poster.jpg", clips.poster, name="clip-poster"),
    path("clips/<slug:public_id>/delete/", clips.delete, name="clip-delete"),
    path("clips/<slug:public_id>/rename/", clips.rename, name="clip-rename"),
    path(
        "clips/<slug:public_id>/hls/<slug:encode_key>/multivariant.m3u8",
        clips.multivariant,
        name="clip-multivariant",
    ),
    path(
        "clips/<slug:public_id>/hls/<slug:encode_key>/<slug:rendition>.m3u8", clips.media, name="clip-media"
    ),
    path(
        "clips/<slug:public_id>/hls/<slug:encode_key>/<slug:language>.vtt",
        clips.captions,
        name="clip-captions",
    ),
    path("@<str:username>/clips/", clips.of_channel, name="channel-clips"),
    path("history/", history.history, name="history"),
    path("history/clear/", history.clear, name="history-clear"),
    path("history/pause/", history.pause, name="history-pause"),
    path("history/<slug:public_id>/forget/", history.forget, name="history-forget"),
    path("upload/", studio.upload, name="upload"),
    path("upload/import/", importing.import_video, name="import"),
    path("studio/", studio.studio, name="studio"),
    path("studio/clips/", clips.own, name="studio-clips"),
    path("studio/defaults/", studio.defaults, name="studio-defaults"),
    path("studio/<slug:public_id>/", studio.edit, name="studio-edit"),
    path("studio/<slug:public_id>/poster/", studio.set_poster, name="studio-poster"),
    path("studio/<slug:public_id>/captions/", studio.add_captions, name="studio-captions"),
    path(
        "studio/<slug:public_id>/captions/<slug:language>/remove/",
        studio.remove_captions,
        name="studio-captions-remove",
    ),
    path("studio/<slug:public_id>/captions/new/", studio_captions.new_captions, name="studio-captions-new"),
    path(
        "studio/<slug:public_id>/captions/<slug:language>/edit/",
        studio_captions.edit_captions,
        name="studio-captions-edit",
    ),
    path("studio/<slug:public_id>/transcription/", studio_captions.transcribe, name="studio-transcription"),
    path(
        "studio/<slug:public_id>/transcription/cancel/",
        studio_captions.cancel_transcription,
        name="studio-transcription-cancel",
    ),
    path("studio/<slug:public_id>/jobs/", studio_jobs.jobs, name="studio-jobs"),
    path("studio/<slug:public_id>/jobs/<int:job_id>/retry/", studio_jobs.retry_job, name="studio-job-retry"),
    path(
        "studio/<slug:public_id>/jobs/<int:job_id>/cancel/", studio_jobs.cancel_job, name="studio-job-cancel"
    ),
    path("studio/<slug:public_id>/tokens/", playback_tokens.playback_tokens, name="studio-tokens"),
    path(
        "studio/<slug:public_id>/tokens/<slug:token_id>/revoke/",
        playback_tokens.revoke_playback_token,
        name="studio-token-revoke",
    ),
    path("studio/<slug:public_id>/trim/", trims.trim, name="studio-trim"),
    path("studio/<slug:public_id>/trim/restore/", trims.restore, name="studio-restore"),
    path("studio/<slug:public_id>/file/", editions.edition, name="studio-edition"),
    path("studio/<slug:public_id>/file/reencode/", editions.reencode, name="studio-edition-reencode"),
    path("studio/<slug:public_id>/file/import/", editions.replace_by_import, name="studio-edition-import"),
    path("studio/<slug:public_id>/file/retry/", editions.retry_edition, name="studio-edition-retry"),
    path("studio/<slug:public_id>/file/cancel/", editions.cancel_edition, name="studio-edition-cancel"),
    path("studio/<slug:public_id>/delete/", studio.delete, name="studio-delete"),
    path("studio/<slug:public_id>/retry/", studio.retry, name="studio-retry"),
]
