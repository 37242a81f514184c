"""Notifications of the requester."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import notifications
from accounts.authentication import person_of
from accounts.models import Notification
from accounts.models.notifications import NotificationQuerySet
from common.pagination import CursorPagination


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    id = serializers.CharField(source="pk")
    sentence = serializers.SerializerMethodField(help_text="in the requested language")
    detail = serializers.SerializerMethodField()
    is_read = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields = ("id", "kind", "sentence", "detail", "url", "data", "is_read", "created_at")

    def get_sentence(self, notification: Notification) -> str:
        return notifications.sentence(notification)

    def get_detail(self, notification: Notification) -> str:
        return notifications.detail(notification)

    def get_is_read(self, notification: Notification) -> bool:
        return notification.read_at is not None


class ReadSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.RegexField(r"\A[0-9]{1,18}\Z"),
        required=False,
        max_length=notifications.KEPT,
        help_text="all of them by default",
    )


class UnreadSerializer(serializers.Serializer[Any]):
    unread_count = serializers.IntegerField()


class NotificationPagination(CursorPagination):
    """Pagination with the number of unread notifications, for clients without a socket."""

    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.request = request
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data["unread_count"] = notifications.unread_count(person_of(self.request))
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["unread_count"] = {"type": "integer"}
        return described


class NotificationsView(generics.ListAPIView[Notification]):
    """Notifications of the requester, newest first."""

    queryset = Notification.objects.none()  # for the OpenAPI document, which has no user
    serializer_class = NotificationSerializer
    permission_classes = (IsAuthenticated,)
    pagination_class = NotificationPagination

    def get_queryset(self) -> NotificationQuerySet:
        return Notification.objects.of(person_of(self.request))


class NotificationsReadView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=ReadSerializer, responses=UnreadSerializer)
    def post(self, request: Request) -> Response:
        """Mark the given notifications read, or all."""
        form = ReadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        ids = form.validated_data.get("ids")
        person = person_of(request)
        unread = notifications.mark_read(person, None if ids is None else [int(pk) for pk in ids])
        return Response({"unread_count": unread})
