"""Shapes of videos and uploads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.channels import ChannelSerializer
from accounts.viewers import token_of, viewer_of
from videos import progress, services
from videos.models import MAX_PASSWORD, MIN_PASSWORD, Category, Like, Video
from videos.services.watching import with_token
from videos.transcoding.leftovers import CODES

if TYPE_CHECKING:
    from collections.abc import Callable


class FailureSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=Video.Failure.choices)
    detail = serializers.CharField()


class LeftOutSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=CODES)
    detail = serializers.CharField()


class CaptionSerializer(serializers.Serializer[Any]):
    language = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's word is an attribute of fields
    url = serializers.CharField()
    is_automatic = serializers.BooleanField(help_text="made by speech recognition")
    version = serializers.CharField(help_text="changes with the captions")


class LoudnessSerializer(serializers.Serializer[Any]):
    """The loudness of an audio track (EBU R128)."""

    integrated_lufs = serializers.FloatField()
    true_peak_dbtp = serializers.FloatField()


class PlaybackSerializer(serializers.Serializer[Any]):
    hls_url = serializers.CharField()
    poster_url = serializers.CharField(allow_null=True)
    storyboard_url = serializers.CharField(allow_null=True)
    loudness = serializers.ListField(
        child=LoudnessSerializer(allow_null=True),
        help_text="of each audio track in the order of the playlist; empty until it is measured",
    )
    captions = CaptionSerializer(many=True)


class ChapterSerializer(serializers.Serializer[Any]):
    start_s = serializers.FloatField()
    title = serializers.CharField()


class VideoSerializer(serializers.ModelSerializer[Video]):
    """A video, as shown to viewers with access."""

    id = serializers.CharField(source="public_id", read_only=True)
    progress_percent = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()
    left_out = serializers.SerializerMethodField()
    channel = ChannelSerializer(read_only=True)
    tags = serializers.SerializerMethodField()
    views = serializers.IntegerField(source="view_count", read_only=True)
    likes = serializers.IntegerField(source="like_count", read_only=True)
    is_liked = serializers.SerializerMethodField()
    playback = serializers.SerializerMethodField()
    chapters = ChapterSerializer(source="named_chapters", many=True, read_only=True)

    class Meta:
        model = Video
        fields = (
            "id",
            "title",
            "description",
            "category",
            "tags",
            "status",
            "progress_percent",
            "is_playable",
            "failure",
            "left_out",
            "visibility",
            "comments_mode",
            "downloads",
            "clipping",
            "duration_s",
            "width_px",
            "height_px",
            "channel",
            "views",
            "likes",
            "is_liked",
            "created_at",
            "published_at",
            "publish_at",
            "is_premiere",
            "premiered_at",
            "playback",
            "chapters",
        )
        read_only_fields = fields

    def get_progress_percent(self, video: Video) -> int:
        return int(self._known("percents", video, progress.percents))

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_failure(self, video: Video) -> dict[str, str] | None:
        return progress.failure(video)

    @extend_schema_field(LeftOutSerializer(many=True))
    def get_left_out(self, video: Video) -> list[dict[str, str]]:
        """Return the items of the source that the video lacks; empty for everyone but its owner."""
        request = self.context.get("request")
        if request is None or not video.can_edit(request.user):
            return []
        return [{"code": code, "detail": sentence} for code, sentence in video.left_out]

    def get_tags(self, video: Video) -> list[str]:
        return [tag.name for tag in video.tags.all()]

    def get_is_liked(self, video: Video) -> bool:
        return bool(self._known("liked", video, self._liked))

    @extend_schema_field(PlaybackSerializer(allow_null=True))
    def get_playback(self, video: Video) -> dict[str, Any] | None:
        request = self.context.get("request")
        can_play = not video.is_awaited or (request is not None and video.can_play(viewer_of(request)))
        playback = services.playback(video) if can_play else None
        if playback and request is not None:
            for name in ("hls_url", "storyboard_url"):
                if playback[name]:
                    path = with_token(video, playback[name], token_of(request))
                    playback[name] = request.build_absolute_uri(path)
        return playback

    @cached_property
    def _cache(self) -> dict[str, dict[int, Any]]:
        """Return the cached answers about the videos of this page, by question and primary key."""
        return {}

    def _known(self, name: str, video: Video, ask: Callable[[list[Video]], dict[int, Any]]) -> Any:
        """Return the answer for ``video``; ``ask`` is called once for all videos of a page."""
        known: dict[int, Any] = self._cache.setdefault(name, {})
        if video.pk not in known:
            page = getattr(self.parent, "instance", None)
            known.update(ask(list(page) if isinstance(page, list | QuerySet) else [video]))
        return known.get(video.pk, 0)

    def _liked(self, videos: list[Video]) -> dict[int, bool]:
        request = self.context.get("request")
        if request is None or not request.user.is_authenticated:
            return {video.pk: False for video in videos}
        liked = set(
            Like.objects.filter(user=request.user, video__in=videos).values_list("video_id", flat=True)
        )
        return {video.pk: video.pk in liked for video in videos}


class TagsField(serializers.ListField):
    child = serializers.CharField(max_length=40)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=12, **kwargs)


class VideoFieldsSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=150, required=False)
    description = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    tags = TagsField(required=False)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    visibility = serializers.ChoiceField(choices=Video.Visibility.choices, required=False)
    comments_mode = serializers.ChoiceField(choices=Video.CommentsMode.choices, required=False)
    password = serializers.CharField(
        min_length=MIN_PASSWORD,
        max_length=MAX_PASSWORD,
        trim_whitespace=False,
        required=False,
        write_only=True,
        help_text="for the visibility `password`; a new one locks the video again",
    )


class VideoEditSerializer(VideoFieldsSerializer):
    downloads = serializers.ChoiceField(choices=Video.Downloads.choices, required=False)
    clipping = serializers.ChoiceField(
        choices=Video.Clipping.choices, required=False, help_text="who may make clips, beside you"
    )
    publish_at = serializers.DateTimeField(
        required=False, help_text="public from then on; a new `visibility` ends the schedule"
    )
    is_premiere = serializers.BooleanField(
        required=False, help_text="with `publish_at`: the page is public before, and all watch together"
    )


class FilenameField(serializers.CharField):
    """A file name from the person's machine; NUL and surrogate characters become spaces."""

    def to_internal_value(self, data: Any) -> str:
        name: str = super().to_internal_value(data)
        return re.sub("[\0\ud800-\udfff]", " ", name)


class VideoCreateSerializer(VideoFieldsSerializer):
    title = serializers.CharField(max_length=150)
    filename = FilenameField(max_length=1024, trim_whitespace=False)
    size_bytes = serializers.IntegerField(min_value=0)
    content_type = serializers.CharField(max_length=255, required=False, allow_blank=True)


class PartUrlSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    url = serializers.CharField()


class UploadedPartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    etag = serializers.CharField()
    size_bytes = serializers.IntegerField()


class UploadSerializer(serializers.Serializer[Any]):
    part_size_bytes = serializers.IntegerField()
    part_count = serializers.IntegerField()
    parts = PartUrlSerializer(many=True)
    expires_at = serializers.DateTimeField()


class CreatedSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    status = serializers.CharField()
    upload = UploadSerializer()


class UploadStateSerializer(serializers.Serializer[Any]):
    part_size_bytes = serializers.IntegerField()
    part_count = serializers.IntegerField()
    uploaded = UploadedPartSerializer(many=True)


class NumbersSerializer(serializers.Serializer[Any]):
    numbers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10_000), max_length=1000, allow_empty=False
    )
    md5s = serializers.ListField(
        child=serializers.RegexField(r"\A[A-Za-z0-9+/]{22}==\Z"),
        max_length=1000,
        required=False,
        help_text="The MD5 of each part in base64, in the order of `numbers`. "
        "Send each as Content-MD5: the storage refuses a part that was damaged in transit.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("md5s") and len(attrs["md5s"]) != len(attrs["numbers"]):
            raise serializers.ValidationError({"md5s": [_("Send one for each number, or none.")]})
        return attrs


class PartUrlsSerializer(serializers.Serializer[Any]):
    parts = PartUrlSerializer(many=True)


class PartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1, max_value=10_000)
    etag = serializers.CharField(max_length=200)


class CompleteSerializer(serializers.Serializer[Any]):
    # The limit of S3; a longer list is refused before its items are validated.
    parts: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=PartSerializer(), allow_empty=False, max_length=10_000
    )


class ImportSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=2000, help_text="of a file, or of a page with a video; http or https, on a public host"
    )
    title = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")


class UnlockSerializer(serializers.Serializer[Any]):
    password = serializers.CharField(max_length=MAX_PASSWORD, trim_whitespace=False)


class TokenOfVideoSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class DownloadSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(
        choices=["ready", "preparing", "absent"], help_text="`absent`: send POST to have it prepared"
    )
    url = serializers.CharField(allow_null=True, help_text="presigned, valid for six hours")


class WatchingSerializer(serializers.Serializer[Any]):
    position_s = serializers.FloatField(min_value=0, max_value=10**7)
    session = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class SessionSerializer(serializers.Serializer[Any]):
    session = serializers.CharField()
