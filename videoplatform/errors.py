"""The one shape the API has for errors, also for what never reaches a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors import handler
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError

if TYPE_CHECKING:
    from django.utils.functional import Promise


def client_error(code: str, detail: str | Promise) -> dict[str, Any]:
    return {"type": "client_error", "errors": [{"code": code, "detail": str(detail), "attr": None}]}


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = _("This is more than one request may carry.")


class ExceptionHandler(handler.ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """A body that Django will not read is the client's mistake, and no failure of ours."""
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, SuspiciousOperation | BadRequest):
            return ParseError()
        known: Exception = super().convert_known_exceptions(exc)
        return known
