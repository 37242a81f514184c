"""Page addresses of this app, included before ``studio/<slug>/``; its API is in ``api/urls.py``."""

from django.urls import path

from live.views import studio, watching

urlpatterns = [
    path("@<str:username>/live/", watching.live, name="live"),
    path("@<str:username>/live/embed/", watching.embed, name="live-embed"),
    path("@<str:username>/live/poster.jpg", watching.poster, name="live-poster"),
    path("live/", watching.index, name="live-index"),
    path("studio/live/", studio.studio, name="studio-live"),
    path("studio/live/key/", studio.make_key, name="live-key"),
    path("studio/live/key/revoke/", studio.revoke_key, name="live-key-revoke"),
    path("studio/live/end/", studio.end, name="live-end"),
]
