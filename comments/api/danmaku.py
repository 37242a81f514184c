"""Danmaku: windows of a target's time, and each message."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import person_of
from accounts.viewers import Viewer, viewer_of
from comments import decisions
from comments.api.base import BAD_TEXT, MAY_NOT_POST, TAKEN_AWAY_BEFORE, TargetView, found_target
from comments.danmaku import buckets, writing
from comments.errors import BadColor, DanmakuClosed, NoLinks, PastTheEnd
from comments.models import MAX_DANMAKU, Danmaku
from comments.throttling import DanmakuThrottle, ReaderThrottle
from common.openapi import refusals

if TYPE_CHECKING:
    from django.http import HttpResponseBase
    from rest_framework.request import Request

    from comments.targets import Target

DANMAKU_FRESH_S = 5


class FlyingSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    offset_ms = serializers.IntegerField()
    text = serializers.CharField()
    mode = serializers.ChoiceField(choices=Danmaku.Mode.choices)
    color = serializers.CharField()
    created_at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="target_type of a report: danmaku, or chat_message on replays")


class DanmakuPageSerializer(serializers.Serializer[Any]):
    results = FlyingSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class DanmakuPostSerializer(serializers.Serializer[Any]):
    offset_ms = serializers.IntegerField(min_value=0, max_value=writing.LATEST_OFFSET_MS)
    text = serializers.CharField(
        max_length=4 * MAX_DANMAKU, allow_blank=True, help_text=f"{MAX_DANMAKU} characters at most"
    )
    mode = serializers.ChoiceField(choices=Danmaku.Mode.choices, default=Danmaku.Mode.SCROLL)
    color = serializers.RegexField(r"\A#[0-9A-Fa-f]{6}\Z", default="#ffffff")


class WindowSerializer(serializers.Serializer[Any]):
    """Window in seconds; without an end it is as long as one response allows."""

    from_s = serializers.FloatField(min_value=0, max_value=writing.LATEST_OFFSET_MS / 1000, default=0)
    to_s = serializers.FloatField(min_value=0, required=False)


class DanmakuView(TargetView):
    """Danmaku of a target; public buckets are read anonymously, so browsers and CDNs share them."""

    def get_throttles(self) -> list[Any]:
        if self.request.method != "POST":
            return [ReaderThrottle()]
        return [*super().get_throttles(), DanmakuThrottle()]

    def perform_authentication(self, request: Request) -> None:
        """Do nothing: authentication happens on first use, as a personal response cannot be shared."""

    def check_permissions(self, request: Request) -> None:
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            super().check_permissions(request)

    def length_ms(self, target: Target) -> int | None:
        """Return the length of the target, or ``None`` if it is unknown."""
        return None

    def target_for(self, viewer: Viewer) -> Target:
        """Return the target as :meth:`target` does, but for ``viewer`` instead of the requester."""
        raise NotImplementedError

    def target(self) -> Target:
        return self.target_for(viewer_of(self.request))

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
        """Return the messages from ``from_s`` until before ``to_s``, in order; ten minutes at most.

        Best requested in windows of 30 s that begin at multiples of 30 s.
        """
        try:
            target, is_shared = self.target_for(Viewer(AnonymousUser())), True
        except NotFound:
            target, is_shared = self.target(), False
        return self._answer(request, target, is_shared=is_shared and self.may_be_shared(target))

    def may_be_shared(self, target: Target) -> bool:
        """Return whether shared caches may store responses about ``target``."""
        return True

    def _answer(self, request: Request, target: Target, *, is_shared: bool) -> HttpResponseBase:
        asked = WindowSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        from_ms = round(asked.validated_data["from_s"] * 1000)
        most_ms = from_ms + buckets.MAX_WINDOW_S * 1000
        to_ms = min(most_ms, round(min(asked.validated_data.get("to_s", 1e9), 1e9) * 1000))
        page = {
            "results": buckets.between(target, from_ms, to_ms),
            "next": self._next(request, target, from_ms, to_ms),
            "previous": None,
        }
        etag = f'"{sha256(JSONRenderer().render(page)).hexdigest()[:32]}"'
        answer = get_conditional_response(request._request, etag=etag, response=Response(page))
        assert answer is not None  # noqa: S101 -- it was given a response
        answer["ETag"] = etag
        patch_cache_control(answer, max_age=DANMAKU_FRESH_S, **{"public" if is_shared else "private": True})
        return answer

    def _next(self, request: Request, target: Target, from_ms: int, to_ms: int) -> str | None:
        """Return the address of the next window, or ``None`` at the end."""
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
        """Post a message at a moment."""
        target, person = self.target(), person_of(request)
        asked = DanmakuPostSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        posted = writing.post(
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


class OneDanmakuView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={204: None, **TAKEN_AWAY_BEFORE})
    def delete(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete your own message, or any message that you may moderate."""
        known = Danmaku.objects.filter(deleted_at=None, is_hidden=False)
        row = known.filter(public_id=self.kwargs["id"]).first()
        target = found_target(row, viewer_of(request))
        if row is None:
            raise NotFound
        row.target = target
        decisions.remove(row, person_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
