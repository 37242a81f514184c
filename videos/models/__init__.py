"""Videos, their uploads, renditions, captions and likes, and the jobs of the queue: one module each."""

from videos.models.captions import CaptionTrack
from videos.models.finished import FinishedEncode
from videos.models.ids import new_encode_key
from videos.models.jobs import Job, JobQuerySet
from videos.models.likes import Like
from videos.models.renditions import Rendition
from videos.models.search import Folded, SearchedText
from videos.models.topics import Category, Tag
from videos.models.uploads import Upload, UploadCharge
from videos.models.videos import MAX_DESCRIPTION, MAX_TITLE, Video, VideoFolder, VideoQuerySet

__all__ = [
    "MAX_DESCRIPTION",
    "MAX_TITLE",
    "CaptionTrack",
    "Category",
    "FinishedEncode",
    "Folded",
    "Job",
    "JobQuerySet",
    "Like",
    "Rendition",
    "SearchedText",
    "Tag",
    "Upload",
    "UploadCharge",
    "Video",
    "VideoFolder",
    "VideoQuerySet",
    "new_encode_key",
]
