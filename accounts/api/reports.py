"""Reports to the moderators."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import moderation
from accounts.authentication import person_of
from accounts.errors import NoSuchTarget, TooManyReports
from accounts.models import Reason, Report
from accounts.models.cases import MAX_DETAIL
from accounts.viewers import viewer_of
from common.openapi import refusals


class TargetTypeField(serializers.ChoiceField):
    """Choice of the registered kinds, read anew for each serializer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(moderation.choices(), **kwargs)


class ReportSerializer(serializers.Serializer[Report]):
    target_type = TargetTypeField()
    target_id = serializers.CharField(max_length=40)
    reason = serializers.ChoiceField(Reason.choices)
    detail = serializers.CharField(max_length=MAX_DETAIL, required=False, allow_blank=True, default="")
    offset_s = serializers.FloatField(
        min_value=0, max_value=10**7, required=False, allow_null=True, default=None
    )


class ReportedSerializer(serializers.ModelSerializer[Report]):
    id = serializers.CharField(source="pk")
    target_type = serializers.CharField(source="case.target_type")
    target_id = serializers.CharField(source="case.target_id")

    class Meta:
        model = Report
        fields = ("id", "target_type", "target_id", "reason", "detail", "offset_s", "status", "created_at")


class ReportView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(
        request=ReportSerializer,
        responses={
            200: ReportedSerializer,
            201: ReportedSerializer,
            **refusals(NoSuchTarget, TooManyReports),
        },
    )
    def post(self, request: Request) -> Response:
        """Report something to the moderators; a second report returns the open one."""
        form = ReportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        report, is_new = moderation.report(
            by=person_of(request), viewer=viewer_of(request), **form.validated_data
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(ReportedSerializer(report).data, code)
