"""What the API of comments and that of danmaku share: refusals, who speaks, what it is about."""

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
from videoplatform.openapi import refusal
from videoplatform.refusals import refused

if TYPE_CHECKING:
    from comments.models import Comment, Danmaku
    from comments.targets import Target

# What the OpenAPI document names.
BAD_TEXT = (NoText, TextTooLong, ForbiddenCharacters)
MAY_NOT_POST = (CommentsClosed, MayNotSpeak, SaidBefore, TooFast)
TAKEN_AWAY_BEFORE = {409: refusal(AlreadyDecided.code, InOtherHands.code)}


# --- Errors -----------------------------------------------------------------------


def as_api_error(error: CommentError) -> APIException:
    """A service's error in the API's shape, with its own status and code."""
    return refused(
        str(error), code=error.code, status_code=error.status, attr=error.attr, wait_s=error.retry_after_s
    )


class CommentApiView(APIView):
    """Base of all: a service's refusal becomes the API's."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AccountError):  # a moderator's decision that somebody else has made
            exc = refused(str(exc), code=exc.code, status_code=status.HTTP_409_CONFLICT)
        return super().handle_exception(as_api_error(exc) if isinstance(exc, CommentError) else exc)


class TargetView(CommentApiView):
    """Base: the app that owns the target says which one it is."""

    def target(self) -> Target:
        """The target of this address, for whoever may know of it; else raises ``NotFound``."""
        raise NotImplementedError


def found_target(row: Comment | Danmaku | None, user: Any) -> Target:
    """What ``row`` is about; 404 where ``user`` may not know that it exists."""
    target: Any = row.target if row else None
    if target is None or not target.can_watch(user):
        raise NotFound
    found: Target = target
    return found
