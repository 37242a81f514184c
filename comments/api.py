"""Comments and danmaku over the API.

Lists hang below their target, which the app that owns it binds by subclassing
:class:`CommentsView` and :class:`DanmakuView`; one comment is found by its own id.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException, NotAuthenticated, NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import AccountError, AlreadyDecided, InOtherHands
from comments import danmaku, moderation, services
from comments.errors import (
    BadColor,
    CommentError,
    CommentsClosed,
    DanmakuClosed,
    ForbiddenCharacters,
    MayNotSpeak,
    NoLinks,
    NoSuchParent,
    NotAllowed,
    NoText,
    OnlyRoots,
    PastTheEnd,
    SaidBefore,
    TextTooLong,
    TooFast,
    TooManyLinks,
)
from comments.models import MAX_COMMENT, MAX_DANMAKU, Comment, CommentQuerySet, Danmaku
from comments.throttling import CommentThrottle, DanmakuThrottle, ReaderThrottle
from videoplatform.openapi import refusal, refusals
from videoplatform.pagination import CursorPagination

if TYPE_CHECKING:
    from django.http import HttpResponseBase
    from rest_framework.request import Request

    from accounts.models import User
    from comments.targets import Target

DANMAKU_FRESH_S = 5
# What the OpenAPI document names.
BAD_TEXT = (NoText, TextTooLong, ForbiddenCharacters)
MAY_NOT_POST = (CommentsClosed, MayNotSpeak, SaidBefore, TooFast)
TAKEN_AWAY_BEFORE = {409: refusal(AlreadyDecided.code, InOtherHands.code)}


# --- Shapes -----------------------------------------------------------------------


class AuthorSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    display_name = serializers.CharField(source="channel.name")
    avatar_url = serializers.CharField(source="channel.avatar_url", allow_null=True)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    """A comment as its reader sees it; of one that is no longer to be read, only its place."""

    id = serializers.CharField(source="public_id", read_only=True)
    author = serializers.SerializerMethodField()
    parent = serializers.CharField(  # type: ignore[assignment]  # a field, not the serializer around
        source="parent.public_id", default=None, read_only=True, allow_null=True
    )
    text = serializers.SerializerMethodField()
    mentions = serializers.SerializerMethodField()
    reply_count = serializers.IntegerField(read_only=True)
    is_liked = serializers.BooleanField(read_only=True)
    is_gone = serializers.SerializerMethodField(help_text="only its replies are still to be read")

    class Meta:
        model = Comment
        fields = (
            "id",
            "author",
            "parent",
            "text",
            "mentions",
            "created_at",
            "edited_at",
            "reply_count",
            "like_count",
            "is_liked",
            "is_pinned",
            "has_heart",
            "is_held",
            "is_hidden",
            "is_gone",
        )
        read_only_fields = fields

    @extend_schema_field(AuthorSerializer(allow_null=True))
    def get_author(self, comment: Comment) -> dict[str, Any] | None:
        is_shown = comment.is_readable and comment.author
        return dict(AuthorSerializer(comment.author).data) if is_shown else None

    def get_text(self, comment: Comment) -> str:
        return comment.text if comment.is_readable else ""

    def get_mentions(self, comment: Comment) -> list[str]:
        return list(comment.mentions) if comment.is_readable else []

    def get_is_gone(self, comment: Comment) -> bool:
        return not comment.is_readable


class TextSerializer(serializers.Serializer[Any]):
    """Lengths beyond any that is meant; what is too long is for the service to say."""

    text = serializers.CharField(
        max_length=2 * MAX_COMMENT, allow_blank=True, help_text=f"{MAX_COMMENT} characters at most"
    )


class PostSerializer(TextSerializer):
    parent = serializers.CharField(  # type: ignore[assignment]
        max_length=16, required=False, allow_null=True, default=None
    )


class FlyingSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    offset_ms = serializers.IntegerField()
    text = serializers.CharField()
    mode = serializers.ChoiceField(choices=Danmaku.Mode.choices)
    color = serializers.CharField()
    created_at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="what it is reported as: danmaku, or chat_message on replays")


class DanmakuPageSerializer(serializers.Serializer[Any]):
    results = FlyingSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class DanmakuPostSerializer(serializers.Serializer[Any]):
    offset_ms = serializers.IntegerField(min_value=0, max_value=danmaku.LATEST_OFFSET_MS)
    text = serializers.CharField(
        max_length=4 * MAX_DANMAKU, allow_blank=True, help_text=f"{MAX_DANMAKU} characters at most"
    )
    mode = serializers.ChoiceField(choices=Danmaku.Mode.choices, default=Danmaku.Mode.SCROLL)
    color = serializers.RegexField(r"\A#[0-9A-Fa-f]{6}\Z", default="#ffffff")


class WindowSerializer(serializers.Serializer[Any]):
    """Seconds; without an end, as much as one answer holds."""

    from_s = serializers.FloatField(min_value=0, max_value=danmaku.LATEST_OFFSET_MS / 1000, default=0)
    to_s = serializers.FloatField(min_value=0, required=False)


# --- Errors -----------------------------------------------------------------------


class Refused(APIException):
    """A service's no; ``wait`` (s) becomes ``Retry-After``."""

    wait: int | None = None


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


def as_api_error(error: CommentError) -> APIException:
    """A service's error in the API's shape, with its own status and code."""
    if error.status == status.HTTP_400_BAD_REQUEST:
        detail = {error.attr: [str(error)]} if error.attr else [str(error)]
        return serializers.ValidationError(detail, code=error.code)
    answer = Refused(str(error), code=error.code)
    answer.status_code, answer.wait = error.status, error.retry_after_s
    return answer


class CommentApiView(APIView):
    """Base of all: a service's refusal becomes the API's."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AccountError):  # a moderator's decision that somebody else has made
            return super().handle_exception(Conflict(str(exc), code=exc.code))
        return super().handle_exception(as_api_error(exc) if isinstance(exc, CommentError) else exc)


def person_of(request: Request) -> User:
    if not request.user.is_authenticated:
        raise NotAuthenticated
    return request.user


# --- Below a target -----------------------------------------------------------------


class TargetView(CommentApiView):
    """Base: the app that owns the target says which one it is."""

    def target(self) -> Target:
        """The target of this address, for whoever may know of it; else raises ``NotFound``."""
        raise NotImplementedError


class ThreadPagination(CursorPagination):
    """Roots in the order that was asked for, what is pinned first; replies as they were written."""

    page_size = 20
    ORDERINGS = {"best": ("-score", "-id"), "newest": ("-created_at", "-id")}
    OLDEST = ("created_at", "id")

    def get_ordering(self, request: Request, *_args: Any) -> tuple[str, ...]:
        if request.query_params.get("parent"):
            return self.OLDEST
        asked = request.query_params.get("ordering", "best")
        if asked not in self.ORDERINGS:
            raise serializers.ValidationError({"ordering": [f"One of {', '.join(self.ORDERINGS)}."]})
        return self.ORDERINGS[asked]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        is_first = not request.query_params.get(self.cursor_query_param)
        pinned = list(queryset.filter(is_pinned=True)) if is_first else []
        return [*pinned, *(super().paginate_queryset(queryset.filter(is_pinned=False), request, view) or [])]


class CommentsView(TargetView, generics.ListAPIView[Comment]):
    queryset = Comment.objects.none()
    serializer_class = CommentSerializer
    pagination_class = ThreadPagination
    filter_backends = ()

    def get_throttles(self) -> list[Any]:
        more = [CommentThrottle()] if self.request.method == "POST" else []
        return [*super().get_throttles(), *more]

    def get_queryset(self) -> CommentQuerySet:
        target = self.target()
        seen = _seen(target, self.request)
        parent = self.request.query_params.get("parent")
        if not parent:
            return seen.roots()
        return seen.filter(parent=get_object_or_404(seen.roots(), public_id=parent[:16]))

    @extend_schema(
        parameters=[
            OpenApiParameter("ordering", str, enum=list(ThreadPagination.ORDERINGS)),
            OpenApiParameter("parent", str, description="the replies to this comment, oldest first"),
        ],
        responses=CommentSerializer(many=True),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Roots, or with ``parent`` its replies."""
        return self.list(request, *args, **kwargs)

    @extend_schema(
        request=PostSerializer,
        responses={201: CommentSerializer, **refusals(*BAD_TEXT, *MAY_NOT_POST, TooManyLinks, NoSuchParent)},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say something; ``is_held`` tells whether it waits for somebody to look at it."""
        target, person = self.target(), person_of(request)
        asked = PostSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        comment = services.post(
            target=target,
            author=person,
            text=asked.validated_data["text"],
            parent=self._parent(target, asked.validated_data["parent"]),
        )
        seen = _seen(target, request).get(pk=comment.pk)
        return Response(CommentSerializer(seen).data, status.HTTP_201_CREATED)

    def _parent(self, target: Target, public_id: str | None) -> Comment | None:
        if not public_id:
            return None
        parent = _seen(target, self.request).filter(public_id=public_id).first()
        if parent is None:
            raise NoSuchParent
        return parent


def _seen(target: Target, request: Request) -> CommentQuerySet:
    can_moderate = target.can_moderate(request.user)
    return Comment.objects.of(target).seen_by(request.user, can_moderate=can_moderate)


class DanmakuView(TargetView):
    """Fixed addresses of half-minute buckets are shared by browsers and CDNs, so reading asks for nobody."""

    def get_throttles(self) -> list[Any]:
        if self.request.method != "POST":
            return [ReaderThrottle()]
        return [*super().get_throttles(), DanmakuThrottle()]

    def perform_authentication(self, request: Request) -> None:
        """Who asks is looked up where it matters: an answer that depends on it cannot be shared."""

    def check_permissions(self, request: Request) -> None:
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            super().check_permissions(request)

    def length_ms(self, target: Target) -> int | None:
        """How long the target is, where that is known."""
        return None

    def target_for(self, user: Any) -> Target:
        """The same as :meth:`target` for somebody else than who asks."""
        raise NotImplementedError

    def target(self) -> Target:
        return self.target_for(self.request.user)

    @extend_schema(
        parameters=[
            WindowSerializer,
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
            OpenApiParameter("ETag", str, OpenApiParameter.HEADER, required=True, response=[200, 304]),
            OpenApiParameter(
                "Cache-Control", str, OpenApiParameter.HEADER, required=True, response=[200, 304]
            ),
        ],
        responses={200: DanmakuPageSerializer, 304: None, 412: OpenApiResponse(description="for `If-Match`")},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """What flies from ``from_s`` until before ``to_s``, in order; ten minutes at most.

        Best asked in windows of 30 s that begin at multiples of 30 s.
        """
        try:
            target, is_shared = self.target_for(AnonymousUser()), True
        except NotFound:
            target, is_shared = self.target(), False
        return self._answer(request, target, is_shared=is_shared and self.may_be_shared(target))

    def may_be_shared(self, target: Target) -> bool:
        """Whether caches between us and the reader may keep answers about ``target``."""
        return True

    def _answer(self, request: Request, target: Target, *, is_shared: bool) -> HttpResponseBase:
        asked = WindowSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        from_ms = round(asked.validated_data["from_s"] * 1000)
        most_ms = from_ms + danmaku.MAX_WINDOW_S * 1000
        to_ms = min(most_ms, round(min(asked.validated_data.get("to_s", 1e9), 1e9) * 1000))
        page = {
            "results": danmaku.between(target, from_ms, to_ms),
            "next": self._next(request, target, from_ms, to_ms),
            "previous": None,
        }
        etag = f'"{sha256(JSONRenderer().render(page)).hexdigest()[:32]}"'
        answer = get_conditional_response(request._request, etag=etag, response=Response(page))
        assert answer is not None  # noqa: S101 -- it was given one
        answer["ETag"] = etag
        patch_cache_control(answer, max_age=DANMAKU_FRESH_S, **{"public" if is_shared else "private": True})
        return answer

    def _next(self, request: Request, target: Target, from_ms: int, to_ms: int) -> str | None:
        """The window after this one, until the end."""
        length_ms = self.length_ms(target)
        if to_ms <= from_ms or length_ms is None or to_ms >= length_ms:
            return None
        window = {"from_s": f"{to_ms / 1000:g}", "to_s": f"{(2 * to_ms - from_ms) / 1000:g}"}
        return f"{request.build_absolute_uri(request.path)}?{urlencode(window)}"

    @extend_schema(
        request=DanmakuPostSerializer,
        responses={
            201: FlyingSerializer,
            **refusals(*BAD_TEXT, *MAY_NOT_POST, NoLinks, PastTheEnd, BadColor, DanmakuClosed),
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let a message fly at a moment."""
        target, person = self.target(), person_of(request)
        asked = DanmakuPostSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        posted = danmaku.post(
            target=target, author=person, length_ms=self.length_ms(target), **asked.validated_data
        )
        flying = {
            "id": posted.public_id,
            "offset_ms": posted.offset_ms,
            "text": posted.text,
            "mode": posted.mode,
            "color": posted.color,
            "created_at": posted.created_at,
            "kind": "danmaku",
        }
        return Response(FlyingSerializer(flying).data, status.HTTP_201_CREATED)


# --- One of them ----------------------------------------------------------------------


def found_target(row: Comment | Danmaku | None, user: Any) -> Target:
    """What ``row`` is about; 404 where ``user`` may not know that it exists."""
    target: Any = row.target if row else None
    if target is None or not target.can_watch(user):
        raise NotFound
    found: Target = target
    return found


class OneCommentView(CommentApiView):
    """Base: the comment of this address, for whoever sees it."""

    permission_classes: Any = (IsAuthenticated,)

    def comment(self) -> Comment:
        known = Comment.objects.filter(public_id=self.kwargs["id"])
        target = found_target(known.first(), self.request.user)
        comment = get_object_or_404(_seen(target, self.request), public_id=self.kwargs["id"])
        if not comment.is_readable:
            raise NotFound
        comment.target = target
        return comment


class CommentView(OneCommentView):
    permission_classes = APIView.permission_classes

    @extend_schema(responses=CommentSerializer)
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- the contract's word
        return Response(CommentSerializer(self.comment()).data)

    @extend_schema(
        request=TextSerializer,
        responses={
            200: CommentSerializer,
            **refusals(*BAD_TEXT, TooManyLinks, NotAllowed, CommentsClosed, MayNotSpeak),
        },
    )
    def patch(self, request: Request, id: str) -> Response:  # noqa: A002
        """Change one's own words."""
        comment = self.comment()
        asked = TextSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit(comment=comment, by=person_of(request), text=asked.validated_data["text"])
        return Response(CommentSerializer(comment).data)

    @extend_schema(responses={204: None, **TAKEN_AWAY_BEFORE})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take it away: one's own, or where one may moderate any."""
        moderation.take_away(self.comment(), person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentLikeView(OneCommentView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        services.like(comment=self.comment(), user=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        services.unlike(comment=self.comment(), user=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentPinView(OneCommentView):
    @extend_schema(request=None, responses={204: None, **refusals(NotAllowed, OnlyRoots)})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        """Put it above all others; the creator's."""
        services.pin(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        services.unpin(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentHeartView(OneCommentView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        """The creator's heart."""
        services.give_heart(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        services.take_heart(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentApproveView(OneCommentView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        """Let a held comment through."""
        services.approve(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class OneDanmakuView(CommentApiView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={204: None, **TAKEN_AWAY_BEFORE})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take it away: one's own, or where one may moderate any."""
        known = Danmaku.objects.filter(deleted_at=None, is_hidden=False)
        row = known.filter(public_id=self.kwargs["id"]).first()
        target = found_target(row, request.user)
        if row is None:
            raise NotFound
        row.target = target
        moderation.take_away(row, person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
