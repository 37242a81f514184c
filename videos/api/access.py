"""Lookup of the video of a request, for everyone or for its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import NotFound, PermissionDenied

from accounts.viewers import viewer_of
from common.openapi import refusals
from videos.models import Video
from videos.services.errors import FollowersOnly, PasswordRequired

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

# The answers of an endpoint for viewers, beside its own.
LOCKED = refusals(PasswordRequired, FollowersOnly)


def watchable(request: Request, public_id: str, videos: QuerySet[Video] | None = None) -> Video:
    """Return the video: 404 if the requester may not know of it, 403 if it is locked."""
    known = Video.objects.for_cards() if videos is None else videos
    video = get_object_or_404(known, public_id=public_id)
    viewer = viewer_of(request)
    if video.is_locked_for(viewer):
        raise PasswordRequired if video.visibility == Video.Visibility.PASSWORD else FollowersOnly
    if not video.can_watch(viewer):
        raise NotFound
    return video


def own_or_edition(request: Request, public_id: str, videos: QuerySet[Video]) -> Video:
    """Return the requester's own video, or the edition of one, whose upload has addresses of its own."""
    found = Video.objects.select_related("channel__owner", "edition_of__channel__owner")
    edition = found.filter(public_id=public_id, edition_of__isnull=False).first()
    if edition is None or edition.edition_of is None:
        return own(request, public_id, videos)
    own(request, edition.edition_of.public_id, videos)
    return edition


def own(request: Request, public_id: str, videos: QuerySet[Video] | None = None) -> Video:
    """Return the requester's own video: 404 or 403 if they may not watch it, 403 if they may only watch."""
    video = watchable(request, public_id, videos)
    if not video.can_edit(request.user):
        raise PermissionDenied
    return video
