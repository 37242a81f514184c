"""Shared parts of the comment and danmaku APIs: refusals and the lookup of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import AccountError, AlreadyDecided, InOtherHands
from comments.errors import (
    CommentError,
    CommentsClosed,
    ForbiddenCharacters,
    MayNotSpeak,
    NoText,
    SaidBefore,
    TextTooLong,
    TooFast,
)
from common.openapi import refusal
from common.refusals import refused

if TYPE_CHECKING:
    from comments.models import Comment, Danmaku
    from comments.targets import Target

# Refusals as the OpenAPI document lists them.
BAD_TEXT = (NoText, TextTooLong, ForbiddenCharacters)
MAY_NOT_POST = (CommentsClosed, MayNotSpeak, SaidBefore, TooFast)
TAKEN_AWAY_BEFORE = {409: refusal(AlreadyDecided.code, InOtherHands.code)}


def as_api_error(error: CommentError) -> APIException:
    """Return a service's error in the API's shape, with its own status and code."""
    return refused(
        str(error), code=error.code, status_code=error.status, attr=error.attr, wait_s=error.retry_after_s
    )


class CommentApiView(APIView):
    """Base view that turns a service's refusal into the API's."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AccountError):  # another moderator has decided already
            exc = refused(str(exc), code=exc.code, status_code=status.HTTP_409_CONFLICT)
        return super().handle_exception(as_api_error(exc) if isinstance(exc, CommentError) else exc)


class TargetView(CommentApiView):
    """Base view of a target; the app that owns the target looks it up."""

    def target(self) -> Target:
        """Return the target of this address; raise ``NotFound`` if the requester may not know of it."""
        raise NotImplementedError


def found_target(row: Comment | Danmaku | None, user: Any) -> Target:
    """Return the target of ``row``; raise ``NotFound`` if ``user`` may not know that it exists."""
    target: Any = row.target if row else None
    if target is None or not target.can_watch(user):
        raise NotFound
    found: Target = target
    return found
