"""A service's no as the API says it: with the service's own status, code and sentence."""

from __future__ import annotations

from rest_framework import serializers, status
from rest_framework.exceptions import APIException


class Refused(APIException):
    """``wait`` (s) becomes ``Retry-After``."""

    wait: int | None = None


def refused(
    sentence: str, *, code: str, status_code: int, attr: str | None = None, wait_s: int | None = None
) -> APIException:
    """What to raise; ``attr`` is the field that is wrong, where a field is."""
    if status_code == status.HTTP_400_BAD_REQUEST:
        return serializers.ValidationError({attr: [sentence]} if attr else [sentence], code=code)
    answer = Refused(sentence, code=code)
    answer.status_code, answer.wait = status_code, wait_s
    return answer
