"""The WebSocket addresses of this app.  A chat's ticket says who comes in: it needs no session."""

from django.urls import path

from live.consumers import chat

websocket_urlpatterns = [
    path("ws/live/<str:username>/chat/", chat),  # type: ignore[arg-type]  # an ASGI application, not a view
]
