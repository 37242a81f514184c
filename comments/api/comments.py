"""Comments: the list of a target, and each comment with its acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import person_of
from accounts.viewers import viewer_of
from comments import decisions, services
from comments.api.base import BAD_TEXT, MAY_NOT_POST, TAKEN_AWAY_BEFORE, TargetView, found_target
from comments.errors import CommentsClosed, MayNotSpeak, NoSuchParent, NotAllowed, OnlyRoots, TooManyLinks
from comments.models import MAX_COMMENT, Comment, CommentQuerySet
from comments.throttling import CommentThrottle
from common.openapi import refusals
from common.pagination import CursorPagination

if TYPE_CHECKING:
    from rest_framework.request import Request

    from comments.targets import Target


class AuthorSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    display_name = serializers.CharField(source="channel.name")
    avatar_url = serializers.CharField(source="channel.avatar_url", allow_null=True)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    """Comment as its reader sees it: a comment that may not be read keeps only its place."""

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
    """Text field with a generous limit: the service checks the real one and names it."""

    text = serializers.CharField(
        max_length=2 * MAX_COMMENT, allow_blank=True, help_text=f"{MAX_COMMENT} characters at most"
    )


class PostSerializer(TextSerializer):
    parent = serializers.CharField(  # type: ignore[assignment]
        max_length=16, required=False, allow_null=True, default=None
    )


class ThreadPagination(CursorPagination):
    """Pagination of a thread: roots in the requested order, the pinned one first, or replies by age."""

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
        """Return the roots, or the replies to ``parent``."""
        return self.list(request, *args, **kwargs)

    @extend_schema(
        request=PostSerializer,
        responses={201: CommentSerializer, **refusals(*BAD_TEXT, *MAY_NOT_POST, TooManyLinks, NoSuchParent)},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Post a comment; ``is_held`` is true if it waits for review."""
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


class OneCommentView(APIView):
    """Base view of the comment at this address, if the requester may see it."""

    permission_classes: Any = (IsAuthenticated,)

    def comment(self) -> Comment:
        known = Comment.objects.filter(public_id=self.kwargs["id"])
        target = found_target(known.first(), viewer_of(self.request))
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
        """Edit your own comment."""
        comment = self.comment()
        asked = TextSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.edit(comment=comment, by=person_of(request), text=asked.validated_data["text"])
        return Response(CommentSerializer(comment).data)

    @extend_schema(responses={204: None, **TAKEN_AWAY_BEFORE})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete your own comment, or any comment that you may moderate."""
        decisions.remove(self.comment(), person_of(request))
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
        """Pin the comment above all others; creators only."""
        services.pin(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        services.unpin(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentHeartView(OneCommentView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        """Give the comment the creator's heart."""
        services.give_heart(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        services.remove_heart(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentApproveView(OneCommentView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, id: str) -> Response:  # noqa: A002
        """Approve a held comment."""
        services.approve(comment=self.comment(), by=person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
