"""Videos and streams on other sites: the code of their frame, oEmbed and link previews.

Sources: https://oembed.com, https://ogp.me and X's player card.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control

from accounts.models import Channel
from common.storage import media_url
from common.words import one_line

WIDTH_PX, HEIGHT_PX = 640, 360
MAX_PREVIEW_TEXT = 300  # characters in a preview
# The owner may choose another poster, and a broadcast draws new ones.
POSTER_KEPT_S = 60


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """The values of a page's ``meta`` elements, with whole addresses; no player if it may not be framed."""

    title: str
    description: str
    page_url: str
    poster_url: str | None
    player_url: str | None
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Quotable:
    """A video or stream that other pages may show; the paths lead to this site, not to storage."""

    title: str
    channel: Channel
    embed_path: str
    poster_path: str | None
    description: str = ""
    is_open: bool = False
    width_px: int | None = None
    height_px: int | None = None

    def preview(self, request: HttpRequest, page_url: str) -> LinkPreview:
        """Return the preview of the page that plays it."""
        width_px, height_px = self._fitted(None, None)
        return LinkPreview(
            title=self.title,
            description=one_line(self.description, MAX_PREVIEW_TEXT),
            page_url=page_url,
            poster_url=request.build_absolute_uri(self.poster_path) if self.poster_path else None,
            player_url=request.build_absolute_uri(self.embed_path) if self.is_open else None,
            width_px=width_px,
            height_px=height_px,
        )

    def embed_code(
        self, request: HttpRequest, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, query: str = ""
    ) -> str:
        """Return the HTML to paste into another page."""
        context = {
            "title": self.title,
            "src": request.build_absolute_uri(f"{self.embed_path}{query}"),
            "width_px": width_px,
            "height_px": height_px,
        }
        return render_to_string("includes/embed_code.html", context, request).strip()

    def oembed(self, request: HttpRequest) -> JsonResponse:
        """Answer an oEmbed request; any format but JSON gets 501."""
        if request.GET.get("format", "json") != "json":
            return JsonResponse({"detail": "Only JSON is offered."}, status=501)
        width_px, height_px = self._fitted(request.GET.get("maxwidth"), request.GET.get("maxheight"))
        answer = {
            "version": "1.0",
            "type": "video",
            "title": self.title,
            "author_name": self.channel.name,
            "author_url": request.build_absolute_uri(self.channel.get_absolute_url()),
            "provider_name": settings.SITE_NAME,
            "provider_url": request.build_absolute_uri("/"),
            "width": width_px,
            "height": height_px,
            "html": self.embed_code(request, width_px, height_px),
        }
        if self.poster_path:
            answer |= {
                "thumbnail_url": request.build_absolute_uri(self.poster_path),
                "thumbnail_width": width_px,
                "thumbnail_height": height_px,
            }
        return JsonResponse(answer)

    def _fitted(self, max_width: str | None, max_height: str | None) -> tuple[int, int]:
        """Return the width and height (px) that fit the requested bounds."""
        width_px, height_px = self.width_px or 16, self.height_px or 9
        bounds = [
            int(asked) if asked and asked.isdecimal() and len(asked) < 6 and int(asked) else WIDTH_PX
            for asked in (max_width, max_height)
        ]
        scale = min(bounds[0] / width_px, bounds[1] / height_px)
        return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def poster_answer(key: str) -> HttpResponse:
    """Redirect to a picture in storage, from an address that outlives the signed URL."""
    response = HttpResponse(status=302, headers={"Location": media_url(key)})
    patch_cache_control(response, public=True, max_age=POSTER_KEPT_S)
    return response
