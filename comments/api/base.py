"""Shared parts: refusals as the OpenAPI document lists them, and the lookup of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from accounts.errors import AlreadyDecided, InOtherHands
from comments.errors import (
    CommentsClosed,
    ForbiddenCharacters,
    MayNotSpeak,
    NoText,
    RepeatedText,
    TextTooLong,
    TooFast,
)
from common.openapi import refusals

if TYPE_CHECKING:
    from accounts.viewers import Viewer
    from comments.models import Comment, Danmaku
    from comments.targets import Target

# Refusals as the OpenAPI document lists them.
BAD_TEXT = (NoText, TextTooLong, ForbiddenCharacters)
MAY_NOT_POST = (CommentsClosed, MayNotSpeak, RepeatedText, TooFast)
TAKEN_AWAY_BEFORE = refusals(AlreadyDecided, InOtherHands)


class TargetView(APIView):
    """Base view of a target; the app that owns the target looks it up."""

    def target(self) -> Target:
        """Return the target of this address; raise ``NotFound`` if the requester may not know of it."""
        raise NotImplementedError


def found_target(row: Comment | Danmaku | None, viewer: Viewer) -> Target:
    """Return the target of ``row``; raise ``NotFound`` if ``viewer`` may not see it."""
    target: Any = row.target if row else None
    if target is None or not target.can_watch(viewer):
        raise NotFound
    found: Target = target
    return found
