"""Refusals of services as API errors, with the service's status, code and sentence."""

from __future__ import annotations

from rest_framework import serializers, status
from rest_framework.exceptions import APIException


class RefusedRequest(APIException):
    """API error of a refusal; ``wait`` (s) becomes ``Retry-After``."""

    wait: int | None = None


def refused(
    sentence: str, *, code: str, status_code: int, attr: str | None = None, wait_s: int | None = None
) -> APIException:
    """Return the exception to raise; ``attr`` is the wrong field, if any."""
    if status_code == status.HTTP_400_BAD_REQUEST:
        return serializers.ValidationError({attr: [sentence]} if attr else [sentence], code=code)
    answer = RefusedRequest(sentence, code=code)
    answer.status_code, answer.wait = status_code, wait_s
    return answer
