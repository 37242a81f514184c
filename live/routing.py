"""WebSocket addresses of this app.  A ticket signs a chat socket in, without a session."""

from django.urls import path

from live.consumers import chat

websocket_urlpatterns = [
    path("ws/live/<str:username>/chat/", chat),  # type: ignore[arg-type]  # an ASGI application, not a view
]
