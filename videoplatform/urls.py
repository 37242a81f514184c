"""The URLs of the platform."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerView

from videoplatform import health, pages
from videoplatform.openapi_view import SchemaView

urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("", pages.home, name="home"),
    path("following/", pages.following, name="following"),
    path("search/", pages.search, name="search"),
    path("oembed/", pages.oembed, name="oembed"),
    path("@<str:username>/", pages.channel, name="channel"),
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
