"""The OpenAPI document: what every endpoint may answer besides what its view names."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

from drf_spectacular.utils import OpenApiResponse
from drf_standardized_errors import openapi
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

RETRY_AFTER = {
    "schema": {"type": "integer", "minimum": 0},
    "description": "seconds to wait",
    "required": True,
}


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="for programs; never changes")
    detail = serializers.CharField(help_text="for people, in the language that was asked for")
    attr = serializers.CharField(allow_null=True, help_text="the field that is wrong")


class ErrorsSerializer(serializers.Serializer[Any]):
    """One shape for whatever is refused; which codes an endpoint has of its own, its responses say."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # the contract's word


class Refusal(Protocol):
    """An app's error that knows what the API makes of it."""

    code: str
    status: int


def refusals(*errors: type[Refusal]) -> dict[int, OpenApiResponse]:
    """Responses for ``extend_schema``: each status that ``errors`` have, with their codes."""
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors:
        codes[error.status].append(error.code)
    return {status: refusal(*named) for status, named in codes.items()}


def refusal(*codes: str) -> OpenApiResponse:
    """A response that says no for reasons of an endpoint's own, by their ``codes``."""
    return OpenApiResponse(ErrorsSerializer, description=", ".join(f"`{code}`" for code in codes))


class AutoSchema(openapi.AutoSchema):
    """Adds what the framework itself refuses, in the one shape that all errors have."""

    def _get_allowed_error_status_codes(self) -> list[str]:
        return ["400", "401", "403", "404", "406", "413", "415", "429"]

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        has_identity = bool(self.view.get_authenticators())
        has_body = self.method in {"POST", "PUT", "PATCH"} and self.get_request_serializer() is not None
        answers = {
            "400": True,  # an address that cannot be one
            "401": has_identity,
            # Of somebody else's, or of a session without its CSRF token.
            "403": has_identity and self.method not in SAFE_METHODS,
            "404": True,  # ?format= of what there is none
            "406": True,
            "413": has_body,
            "415": has_body,
            "429": bool(self.view.get_throttles()),
        }
        return status_code not in responses and answers[status_code]

    def _get_error_response_serializer(self, status_code: str) -> type[ErrorsSerializer]:
        return ErrorsSerializer

    def _get_error_response_examples(self) -> list[Any]:
        return []  # five each, on every endpoint, that say what the shape says

    def _get_response_headers_for_code(self, status_code: str, direction: str = "response") -> dict[str, Any]:
        headers: dict[str, Any] = super()._get_response_headers_for_code(status_code, direction)
        return headers | {"Retry-After": RETRY_AFTER} if status_code in {"429", "503"} else headers
