"""API addresses of this app, below ``/api/v1/``."""

from django.urls import path

from live import api

urlpatterns = [
    path("live/", api.LiveListView.as_view(), name="api-live-list"),
    path("live/<str:username>/", api.LiveView.as_view(), name="api-live"),
    path("live/<str:username>/stream-key/", api.StreamKeyView.as_view(), name="api-stream-key"),
    path("live/<str:username>/end/", api.EndView.as_view(), name="api-live-end"),
    path("live/<str:username>/heartbeat/", api.HeartbeatView.as_view(), name="api-live-heartbeat"),
    path("live/<str:username>/chat/ticket/", api.TicketView.as_view(), name="api-chat-ticket"),
    path("live/<str:username>/health/", api.HealthView.as_view(), name="api-live-health"),
    path("live/<str:username>/chat/", api.ChatView.as_view(), name="api-chat"),
]
