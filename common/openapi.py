"""OpenAPI document: the responses that endpoints share."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.utils import OpenApiResponse
from drf_standardized_errors import openapi
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from common.errors import Refusal

# No filter is geographic. To look for one, drf-spectacular imports Django's GIS, which starts 36
# compilers and linkers in search of GDAL, in every web process.
DjangoFilterExtension._has_gis = False  # type: ignore[attr-defined]  # set at its first use

RETRY_AFTER = {
    "schema": {"type": "integer", "minimum": 0},
    "description": "seconds to wait",
    "required": True,
}


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="for programs; never changes")
    detail = serializers.CharField(help_text="for people, in the requested language")
    attr = serializers.CharField(allow_null=True, help_text="the invalid field")


class ErrorsSerializer(serializers.Serializer[Any]):
    """Shape of all errors; an endpoint's responses list its own codes."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # the contract's word


def refusals(*errors: type[Refusal]) -> dict[int, OpenApiResponse]:
    """Return responses for ``extend_schema``: each status of ``errors``, with their codes."""
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors:
        codes[error.status].append(error.code)
    return {status: refusal(*named) for status, named in codes.items()}


def refusal(*codes: str) -> OpenApiResponse:
    """Return a response for an endpoint's own refusals, by their ``codes``."""
    return OpenApiResponse(ErrorsSerializer, description=", ".join(f"`{code}`" for code in codes))


class AutoSchema(openapi.AutoSchema):
    """Schema generator that adds the framework's own errors, in the shape of all errors."""

    def _get_allowed_error_status_codes(self) -> list[str]:
        return ["400", "401", "403", "404", "406", "413", "415", "429"]

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        has_identity = bool(self.view.get_authenticators())
        has_body = self.method in {"POST", "PUT", "PATCH"} and self.get_request_serializer() is not None
        answers = {
            "400": True,  # malformed addresses
            "401": has_identity,
            # Permissions of another person, or a session without its CSRF token.
            "403": has_identity and self.method not in SAFE_METHODS,
            "404": True,  # ?format= of an unknown format
            "406": True,
            "413": has_body,
            "415": has_body,
            "429": bool(self.view.get_throttles()),
        }
        return status_code not in responses and answers[status_code]

    def _get_error_response_serializer(self, status_code: str) -> type[ErrorsSerializer]:
        return ErrorsSerializer

    def _get_error_response_examples(self) -> list[Any]:
        return []  # five on every endpoint, which only repeat the shape

    def _get_response_headers_for_code(self, status_code: str, direction: str = "response") -> dict[str, Any]:
        headers: dict[str, Any] = super()._get_response_headers_for_code(status_code, direction)
        return headers | {"Retry-After": RETRY_AFTER} if status_code in {"429", "503"} else headers
