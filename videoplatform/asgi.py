"""The ASGI application: HTTP goes to Django or the live edge, WebSockets to the consumers."""

import logging
import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

logger = logging.getLogger(__name__)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
django_application = get_asgi_application()

# The routing imports models, which exist only after get_asgi_application().
from channels.auth import AuthMiddlewareStack  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from accounts.routing import websocket_urlpatterns as notification_urlpatterns  # noqa: E402
from common import garbage  # noqa: E402
from common.descriptors import raise_descriptor_limit  # noqa: E402
from live.edge import origin  # noqa: E402
from live.routing import websocket_urlpatterns as chat_urlpatterns  # noqa: E402
from videoplatform.bodies import BoundedBodies  # noqa: E402
from videoplatform.openapi_view import render_ahead  # noqa: E402
from videoplatform.sockets import BoundedSockets, no_such_socket  # noqa: E402
from videos.held_segments import HeldSegments  # noqa: E402
from videos.routing import websocket_urlpatterns as progress_urlpatterns  # noqa: E402

logger.info("Limit of open files and connections: %d", raise_descriptor_limit())
live_edge = origin.EdgeOrigin(settings.REDIS_URL, has_limits=settings.RATE_LIMITS)
pages = HeldSegments(BoundedBodies(django_application), settings.REDIS_URL, has_limits=settings.RATE_LIMITS)


async def http_application(scope: Any, receive: Any, send: Any) -> None:
    """Send requests for live media to the edge, all others to Django.

    Live media need no session and no database, so they bypass Django.
    """
    is_media = scope["path"].startswith(origin.PREFIX)
    await (live_edge if is_media else pages)(scope, receive, send)


# These sockets authenticate by cookie, so the page's origin must be ours. The chat
# authenticates by a ticket, which only its holder knows, so it accepts any origin and
# clients that are no browsers.
unknown: Any = no_such_socket
with_session = AllowedHostsOriginValidator(
    AuthMiddlewareStack(URLRouter([*progress_urlpatterns, *notification_urlpatterns, re_path("", unknown)]))
)

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": BoundedSockets(URLRouter([*chat_urlpatterns, re_path("", with_session)])),
    }
)

garbage.settle()
schema_rendering = render_ahead()
