"""The root of the API: the URLs of each app.

``LiveChannelView`` replaces the channel view of ``accounts``, because it adds the live
state.
"""

from django.urls import include, path

from live.api.channels import LiveChannelView

urlpatterns = [
    path("channels/<str:username>/", LiveChannelView.as_view(), name="api-channel"),
    path("", include("accounts.api.urls")),
    path("", include("comments.api.urls")),
    path("", include("videos.api.urls")),
    path("", include("live.api.urls")),
]
