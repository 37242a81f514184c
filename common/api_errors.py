"""Errors in the API's single shape: refusals, outages, and errors outside of views."""

from __future__ import annotations

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors import handler
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError

from common import outages
from common.errors import Refusal


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


class RefusedRequest(APIException):
    """Error of a refusal; ``wait`` (s) becomes ``Retry-After``, ``auth_header`` ``WWW-Authenticate``."""

    auth_header: str | None = None

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal), code=refusal.code)
        self.status_code, self.wait = refusal.status, refusal.retry_after_s


class ExceptionHandler(handler.ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Convert refusals, client mistakes and outages; other errors stay failures of ours."""
        if isinstance(exc, Refusal):
            return self._refused(exc)
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, SuspiciousOperation | BadRequest):
            return ParseError()
        if outages.is_outage(exc):
            return ServiceUnavailable()
        known: Exception = super().convert_known_exceptions(exc)
        return known

    def _refused(self, refusal: Refusal) -> APIException:
        if refusal.status == status.HTTP_400_BAD_REQUEST:
            details = [str(refusal)]
            return ValidationError({refusal.attr: details} if refusal.attr else details, code=refusal.code)
        error, request = RefusedRequest(refusal), self.context["request"]
        if refusal.status == status.HTTP_401_UNAUTHORIZED and request:
            error.auth_header = self.context["view"].get_authenticate_header(request)
        return error
