"""Page addresses of this app, included before ``studio/<slug>/``; its API is in ``api_urls``."""

from django.urls import path

from live import views

urlpatterns = [
    path("@<str:username>/live/", views.live, name="live"),
    path("@<str:username>/live/embed/", views.embed, name="live-embed"),
    path("@<str:username>/live/poster.jpg", views.poster, name="live-poster"),
    path("live/", views.index, name="live-index"),
    path("studio/live/", views.studio, name="studio-live"),
    path("studio/live/key/", views.make_key, name="live-key"),
    path("studio/live/key/revoke/", views.revoke_key, name="live-key-revoke"),
    path("studio/live/end/", views.end, name="live-end"),
]
