"""Sitemaps of the public pages (https://www.sitemaps.org), and robots.txt."""

from __future__ import annotations

from datetime import datetime

from django.contrib.sitemaps import Sitemap
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts.models import Channel
from videos.models import Video

PAGES_OF_A_SITEMAP = 2000
# Pages of one person, actions, and answers for programs.
DISALLOWED = (
    "/accounts/",
    "/admin/",
    "/api/",
    "/history/",
    "/notifications/",
    "/search/",
    "/studio/",
    "/upload/",
)


class VideoSitemap(Sitemap[Video]):
    """The watch pages of public videos."""

    limit = PAGES_OF_A_SITEMAP

    def items(self) -> list[Video]:
        return Video.objects.listed().only("public_id", "published_at").order_by("pk")  # type: ignore[return-value]

    def lastmod(self, video: Video) -> datetime | None:
        return video.published_at

    def get_latest_lastmod(self) -> None:
        """Give the index no date: Django would read every video for it."""


class ChannelSitemap(Sitemap[Channel]):
    """The pages of channels with a public video."""

    limit = PAGES_OF_A_SITEMAP

    def items(self) -> list[Channel]:
        known = Channel.objects.public().filter(pk__in=Video.objects.listed().values("channel"))
        return known.select_related("owner").order_by("pk")  # type: ignore[return-value]


class FixedSitemap(Sitemap[str]):
    """The pages that every site has."""

    def items(self) -> list[str]:
        return ["home", "live-index"]

    def location(self, name: str) -> str:
        return reverse(name)


SITEMAPS = {"pages": FixedSitemap, "channels": ChannelSitemap, "videos": VideoSitemap}


@require_safe
@cache_control(public=True, max_age=3600)
def robots(request: HttpRequest) -> HttpResponse:
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in DISALLOWED),
        f"Sitemap: {request.build_absolute_uri(reverse('sitemap'))}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
