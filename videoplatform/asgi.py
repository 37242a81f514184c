"""Everything that arrives: HTTP to Django or the live edge, WebSockets to the consumers."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
django_application = get_asgi_application()

# The routing imports models, which exist only after get_asgi_application().
from channels.auth import AuthMiddlewareStack  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from accounts.routing import websocket_urlpatterns as notification_urlpatterns  # noqa: E402
from live.llhls import origin  # noqa: E402
from live.routing import websocket_urlpatterns as chat_urlpatterns  # noqa: E402
from videoplatform.bodies import BoundedBodies  # noqa: E402
from videos.routing import websocket_urlpatterns as progress_urlpatterns  # noqa: E402

live_edge = origin.Origin(settings.REDIS_URL)
pages = BoundedBodies(django_application)


async def http_application(scope: Any, receive: Any, send: Any) -> None:
    """Media of running broadcasts pass Django by: no session, no database, nothing but the edge."""
    is_media = scope["path"].startswith(origin.PREFIX)
    await (live_edge if is_media else pages)(scope, receive, send)


# Cookies sign in to these, so the page has to be ours.  A chat's ticket is known to
# its bearer alone: any page, and what is no page, may hold one.
with_session = AllowedHostsOriginValidator(
    AuthMiddlewareStack(URLRouter([*progress_urlpatterns, *notification_urlpatterns]))
)

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": URLRouter([*chat_urlpatterns, re_path("", with_session)]),
    }
)
