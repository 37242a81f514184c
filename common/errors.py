"""Errors in the API's single shape, also for errors outside of views."""

from __future__ import annotations

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors import handler
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError

from common import outages


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = _("The request is too large.")


class ServiceUnavailable(APIException):
    """Error for a missing engine; ``wait`` (s) becomes ``Retry-After``."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = outages.CODE
    default_detail = outages.SENTENCE
    wait = outages.RETRY_AFTER_S


class ExceptionHandler(handler.ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Convert client mistakes and outages; other errors stay failures of ours."""
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, SuspiciousOperation | BadRequest):
            return ParseError()
        if outages.is_outage(exc):
            return ServiceUnavailable()
        known: Exception = super().convert_known_exceptions(exc)
        return known
