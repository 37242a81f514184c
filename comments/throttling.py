"""Rate limits of what is said over the API; ``comments.spam`` looks at what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videoplatform.throttling import AnonymousThrottle, PersonThrottle

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class CommentThrottle(PersonThrottle):
    scope = "comment"
    rate = "200/hour"


class DanmakuThrottle(PersonThrottle):
    scope = "danmaku"
    rate = "600/hour"


class ReaderThrottle(AnonymousThrottle):
    """By address, whoever it is: a shared answer must not ask who reads."""

    scope = "danmaku_reader"
    rate = "1200/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
