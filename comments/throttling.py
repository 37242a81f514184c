"""Rate limits of posts over the API; ``comments.spam`` judges their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.throttling import AddressThrottle, PersonThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class CommentThrottle(PersonThrottle):
    """Throttle of comments by person; each comment is one unit."""

    scope = "comment"

    def price(self, request: Request, view: APIView) -> int:
        return 1


class DanmakuThrottle(PersonThrottle):
    """Throttle of danmaku by person."""

    scope = "danmaku"


class ReaderThrottle(AddressThrottle):
    """Throttle by address for readers of danmaku: a shared response must not depend on the user."""

    scope = "danmaku_reader"
