"""Tests of the answers of the API to refusals."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from common.errors import Refusal


class NoPlace(Refusal):
    code = "full"
    status = 503
    sentence = "Everything is full."
    retry_after_s = 7


class BadKey(Refusal):
    code = "unknown"
    status = 401


class BadHue(Refusal):
    code = "bad_color"
    attr = "color"


def answer_to(refusal: Refusal) -> Any:
    class RefusingView(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, _request: Request) -> None:
            raise refusal

        def get_authenticate_header(self, _request: Request) -> str:
            return "Token"

    return RefusingView.as_view()(APIRequestFactory().get("/"))


@pytest.mark.parametrize(
    ("refusal", "kind", "error"),
    [
        (NoPlace(), "server_error", {"code": "full", "detail": "Everything is full.", "attr": None}),
        (NoPlace("No room."), "server_error", {"code": "full", "detail": "No room.", "attr": None}),
        (
            BadKey(),
            "client_error",
            {"code": "unknown", "detail": "Something went wrong.", "attr": None},
        ),
        (
            BadHue(),
            "validation_error",
            {"code": "bad_color", "detail": "Something went wrong.", "attr": "color"},
        ),
    ],
)
def test_refusal_is_answered_with_its_status_and_code(
    refusal: Refusal, kind: str, error: dict[str, Any]
) -> None:
    answer = answer_to(refusal)

    assert answer.status_code == refusal.status
    assert answer.data == {"type": kind, "errors": [error]}


def test_refusal_that_passes_is_answered_with_its_time() -> None:
    assert answer_to(NoPlace())["Retry-After"] == "7"
    assert answer_to(NoPlace(retry_after_s=9))["Retry-After"] == "9"
    assert "Retry-After" not in answer_to(BadKey())


def test_refusal_of_credentials_names_the_scheme() -> None:
    assert answer_to(BadKey())["WWW-Authenticate"] == "Token"
    assert "WWW-Authenticate" not in answer_to(NoPlace())
