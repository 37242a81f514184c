"""DVR: the recording of a running broadcast, under the address of its live edge.

Access to the edge includes everything that the broadcast has shown.  After its end,
the access rules of its video apply.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.http import require_safe

from live.models import Broadcast
from videos.models import Video
from videos.views import delivery


def recording_of(request: HttpRequest, broadcast_id: str, access: str) -> Video:
    """Return the recording if the requester may see it.

    Raises Http404 otherwise, because its existence may be a secret.
    """
    broadcasts = Broadcast.objects.select_related("stream__channel__owner", "recording__channel__owner")
    broadcast = get_object_or_404(broadcasts, public_id=broadcast_id)
    video = broadcast.recording
    if video is None or access != broadcast.access or not broadcast.stream.can_publish():
        raise Http404
    if not broadcast.is_running and not video.can_play(delivery.viewer(request)):
        raise Http404
    return video


@require_safe
def dvr_multivariant(request: HttpRequest, broadcast_id: str, access: str) -> HttpResponseBase:
    return delivery.multivariant_answer(request, recording_of(request, broadcast_id, access))


@require_safe
def dvr_media(request: HttpRequest, broadcast_id: str, access: str, rendition: str) -> HttpResponseBase:
    return delivery.media_answer(request, recording_of(request, broadcast_id, access), rendition)


urlpatterns = [
    path("<str:broadcast_id>/<str:access>/multivariant.m3u8", dvr_multivariant, name="dvr-multivariant"),
    path("<str:broadcast_id>/<str:access>/<slug:rendition>.m3u8", dvr_media, name="dvr-media"),
]
