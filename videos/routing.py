"""The WebSocket addresses of this app."""

from django.urls import path

from videos.consumers import ProgressConsumer, VideoConversationConsumer

websocket_urlpatterns = [
    path("ws/videos/<slug:public_id>/progress/", ProgressConsumer.as_asgi()),
    path("ws/videos/<slug:public_id>/conversation/", VideoConversationConsumer.as_asgi()),
]
