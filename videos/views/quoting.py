"""Videos and streams on other sites: the code of their frame, and oEmbed (https://oembed.com)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control

from accounts.models import Channel
from common.storage import media_url

WIDTH_PX, HEIGHT_PX = 640, 360
# The owner may choose another poster, and a broadcast draws new ones.
POSTER_KEPT_S = 60


@dataclass(frozen=True, slots=True)
class Quotable:
    """A video or stream that other pages may show; the paths lead to this site, not to storage."""

    title: str
    channel: Channel
    embed_path: str
    poster_path: str | None
    width_px: int | None = None
    height_px: int | None = None

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
