"""The API addresses of this app, below ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import DefaultRouter

from videos.api.audio_tracks import AudioTracksView, AudioTrackView
from videos.api.captions import CaptionsView, CaptionView
from videos.api.channel_imports import (
    ChannelImportStartView,
    ChannelImportsView,
    ChannelImportView,
)
from videos.api.clips import ClipsView, ClipView, ClipViewsView, VideoClipsView
from videos.api.conversation import VideoCommentsView, VideoDanmakuView
from videos.api.editions import (
    EditionImportView,
    EditionRetryView,
    EditionUploadView,
    EditionView,
    ReencodeView,
    RestoreView,
    TrimView,
)
from videos.api.history import HistoryStateView, HistoryView, WatchedView
from videos.api.playback_tokens import PlaybackTokensView, PlaybackTokenView
from videos.api.playlists import PlaylistItemView, PlaylistsView, PlaylistView
from videos.api.posters import PosterView
from videos.api.transcriptions import TranscriptionView
from videos.api.videos import VideoViewSet

router = DefaultRouter()
router.include_root_view = False
router.register("videos", VideoViewSet, basename="video")

urlpatterns = [
    *router.urls,
    path("videos/<str:id>/captions/", CaptionsView.as_view(), name="api-captions"),
    path("videos/<str:id>/captions/<str:language>/", CaptionView.as_view(), name="api-caption"),
    path("videos/<str:id>/transcription/", TranscriptionView.as_view(), name="api-transcription"),
    path("videos/<str:id>/edition/", EditionView.as_view(), name="api-edition"),
    path("videos/<str:id>/edition/reencode/", ReencodeView.as_view(), name="api-edition-reencode"),
    path("videos/<str:id>/edition/trim/", TrimView.as_view(), name="api-edition-trim"),
    path("videos/<str:id>/edition/restore/", RestoreView.as_view(), name="api-edition-restore"),
    path("videos/<str:id>/edition/upload/", EditionUploadView.as_view(), name="api-edition-upload"),
    path("videos/<str:id>/edition/import/", EditionImportView.as_view(), name="api-edition-import"),
    path("videos/<str:id>/edition/retry/", EditionRetryView.as_view(), name="api-edition-retry"),
    path("videos/<str:id>/audio-tracks/", AudioTracksView.as_view(), name="api-audio-tracks"),
    path("videos/<str:id>/audio-tracks/<slug:track>/", AudioTrackView.as_view(), name="api-audio-track"),
    path("videos/<str:id>/poster/", PosterView.as_view(), name="api-poster"),
    path("videos/<str:id>/playback-tokens/", PlaybackTokensView.as_view(), name="api-playback-tokens"),
    path(
        "videos/<str:id>/playback-tokens/<str:token_id>/",
        PlaybackTokenView.as_view(),
        name="api-playback-token",
    ),
    path("videos/<str:id>/clips/", VideoClipsView.as_view(), name="api-video-clips"),
    path("history/", HistoryView.as_view(), name="api-history"),
    path("history/state/", HistoryStateView.as_view(), name="api-history-state"),
    path("history/<str:id>/", WatchedView.as_view(), name="api-watched"),
    path("channel-imports/", ChannelImportsView.as_view(), name="api-channel-imports"),
    path("channel-imports/<str:id>/", ChannelImportView.as_view(), name="api-channel-import"),
    path(
        "channel-imports/<str:id>/start/", ChannelImportStartView.as_view(), name="api-channel-import-start"
    ),
    path("playlists/", PlaylistsView.as_view(), name="api-playlists"),
    path("playlists/<str:id>/", PlaylistView.as_view(), name="api-playlist"),
    path("playlists/<str:id>/items/<str:video_id>/", PlaylistItemView.as_view(), name="api-playlist-item"),
    path("clips/", ClipsView.as_view(), name="api-clips"),
    path("clips/<str:id>/", ClipView.as_view(), name="api-clip"),
    path("clips/<str:id>/views/", ClipViewsView.as_view(), name="api-clip-views"),
    path("videos/<str:id>/comments/", VideoCommentsView.as_view(), name="api-video-comments"),
    path("videos/<str:id>/danmaku/", VideoDanmakuView.as_view(), name="api-video-danmaku"),
]
