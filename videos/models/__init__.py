"""Videos, their uploads, renditions, segments, captions, clips and likes, and the jobs: one module each."""

from videos.models.added_tracks import UNCUT, AddedTrack
from videos.models.captions import CaptionTrack
from videos.models.channel_imports import ChannelImport, ImportItem
from videos.models.clips import MAX_CLIP_S, MIN_CLIP_S, Clip, ClipQuerySet
from videos.models.dismissals import DismissedVideo
from videos.models.history import FeedVisit, HistoryPause, WatchedQuerySet, WatchedVideo
from videos.models.ids import new_encode_key
from videos.models.jobs import Job, JobQuerySet
from videos.models.likes import Like
from videos.models.playback_tokens import PlaybackToken, PlaybackTokenQuerySet
from videos.models.playlists import MAX_PLAYLIST_DESCRIPTION, Playlist, PlaylistItem
from videos.models.popularity import DailyViews, TrendingVideo
from videos.models.renditions import Rendition
from videos.models.retired_encodes import PLAYABLE_AFTER_TRIM, RetiredEncode
from videos.models.search import Folded, VideoText
from videos.models.segment_plans import SegmentPlan
from videos.models.segment_runs import SegmentRun, SegmentRunQuerySet
from videos.models.timeline_changes import TimelineChange
from videos.models.topics import Category, Tag
from videos.models.transcriptions import TranscribedChunk, Transcription, TranscriptionQuerySet
from videos.models.uploads import Upload, UploadCharge
from videos.models.video_defaults import VideoDefaults
from videos.models.video_lists import VideoQuerySet
from videos.models.videos import (
    MAX_DESCRIPTION,
    MAX_PASSWORD,
    MAX_TITLE,
    MIN_PASSWORD,
    PLAYBACK_TOKEN_PREFIX,
    Video,
    VideoFolder,
    digest_of,
)

__all__ = [
    "MAX_CLIP_S",
    "MAX_DESCRIPTION",
    "MAX_PASSWORD",
    "MAX_PLAYLIST_DESCRIPTION",
    "MAX_TITLE",
    "MIN_CLIP_S",
    "MIN_PASSWORD",
    "PLAYABLE_AFTER_TRIM",
    "PLAYBACK_TOKEN_PREFIX",
    "UNCUT",
    "AddedTrack",
    "CaptionTrack",
    "Category",
    "ChannelImport",
    "Clip",
    "ClipQuerySet",
    "DailyViews",
    "DismissedVideo",
    "FeedVisit",
    "Folded",
    "HistoryPause",
    "ImportItem",
    "Job",
    "JobQuerySet",
    "Like",
    "PlaybackToken",
    "PlaybackTokenQuerySet",
    "Playlist",
    "PlaylistItem",
    "Rendition",
    "RetiredEncode",
    "SegmentPlan",
    "SegmentRun",
    "SegmentRunQuerySet",
    "Tag",
    "TimelineChange",
    "TranscribedChunk",
    "Transcription",
    "TranscriptionQuerySet",
    "TrendingVideo",
    "Upload",
    "UploadCharge",
    "Video",
    "VideoDefaults",
    "VideoFolder",
    "VideoQuerySet",
    "VideoText",
    "WatchedQuerySet",
    "WatchedVideo",
    "digest_of",
    "new_encode_key",
]
