"""The URLs of the platform."""

from typing import Any

from django.contrib import admin
from django.contrib.sitemaps.views import index as sitemap_index
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerView

from videoplatform import channel_pages, feeds, health, pages, sitemaps
from videoplatform.openapi_view import SchemaView

SITEMAPS: dict[str, Any] = {"sitemaps": sitemaps.SITEMAPS}

urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("", pages.home, name="home"),
    path("following/", pages.following, name="following"),
    path("search/", pages.search, name="search"),
    path("oembed/", pages.oembed, name="oembed"),
    path("robots.txt", sitemaps.robots, name="robots"),
    path("sitemap.xml", sitemap_index, SITEMAPS | {"sitemap_url_name": "sitemap-of"}, name="sitemap"),
    path("sitemap-<slug:section>.xml", sitemap, SITEMAPS, name="sitemap-of"),
    path("site.webmanifest", pages.manifest, name="manifest"),
    path("@<str:username>/", channel_pages.videos, name="channel"),
    path("@<str:username>/playlists/", channel_pages.playlists, name="channel-playlists"),
    path("@<str:username>/clips/", channel_pages.clips, name="channel-clips"),
    path("@<str:username>/about/", channel_pages.about, name="channel-about"),
    path("@<str:username>/feed/", feeds.channel_feed, name="channel-feed"),
    path("playlists/<slug:public_id>/feed/", feeds.playlist_feed, name="playlist-feed"),
    path("videos/<str:public_id>/hls/<str:encode_key>/", include("videos.views.delivery")),
    path("live-dvr/", include("live.views.dvr")),
    path("", include("live.urls")),  # its studio/live/ must precede studio/<slug>/
    path("", include("videos.urls")),
    path("", include("accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", include("videoplatform.admin_site")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("videoplatform.api")),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
]

handler400 = "videoplatform.pages.bad_request"
handler403 = "videoplatform.pages.forbidden"
handler404 = "videoplatform.pages.not_found"
handler500 = "videoplatform.pages.server_error"
