"""API addresses of this app, below ``/api/v1/``."""

from django.urls import path

from live.api import chat, streams, studio, viewers

urlpatterns = [
    path("live/", streams.LiveListView.as_view(), name="api-live-list"),
    path("live/<str:username>/", streams.LiveView.as_view(), name="api-live"),
    path("live/<str:username>/stream-key/", studio.StreamKeyView.as_view(), name="api-stream-key"),
    path("live/<str:username>/end/", studio.EndView.as_view(), name="api-live-end"),
    path("live/<str:username>/heartbeat/", viewers.HeartbeatView.as_view(), name="api-live-heartbeat"),
    path("live/<str:username>/chat/ticket/", chat.TicketView.as_view(), name="api-chat-ticket"),
    path("live/<str:username>/health/", studio.HealthView.as_view(), name="api-live-health"),
    path("live/<str:username>/chat/", chat.ChatView.as_view(), name="api-chat"),
]
