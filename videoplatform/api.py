"""The API's root: each app brings its own addresses; a higher app may say more of a lower one's things."""

from django.urls import include, path

from live.api import LiveChannelView

urlpatterns = [
    path("channels/<str:username>/", LiveChannelView.as_view(), name="api-channel"),
    path("", include("accounts.api_urls")),
    path("", include("comments.api_urls")),
    path("", include("videos.api_urls")),
    path("", include("live.api_urls")),
]
