"""The API's root: each app brings its own addresses."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.api_urls")),
    path("", include("videos.api_urls")),
]
