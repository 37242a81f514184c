"""Page that prepares a download and hands out the file."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers

from accounts.viewers import Viewer
from common.addresses import client_network
from common.buckets import Charge, take
from common.errors import Refusal
from common.rates import RATES
from videos import services
from videos.models import Video
from videos.services.errors import TooManyMp4s

REFRESH_S = 3


def download(request: HttpRequest, public_id: str) -> HttpResponse:
    """Redirect to the file; a POST has it prepared first, and ``?wait`` shows a page until then.

    A form may not lead to the bucket (``form-action`` of the Content-Security-Policy), so
    the page goes on to the file by itself.
    """
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    viewer = Viewer(request.user, request.session)
    state = services.download_state(video, viewer)
    if state == "off":
        raise Http404
    if request.method == "POST":
        try:
            _request(request, video, viewer)
        except Refusal as error:
            messages.error(request, str(error))
            return redirect(video)
        return redirect(f"{request.path}?wait")
    if "wait" in request.GET and state != "absent":
        is_ready = state == "ready"
        rest_s = None if is_ready else services.mp4_estimate_s(video)
        context = {"video": video, "is_ready": is_ready, "rest_s": rest_s}
        response = render(request, "videos/download.html", context)
        response["Refresh"] = f"1;url={request.path}" if is_ready else str(REFRESH_S)
    else:
        # Nothing is prepared by a mere look.
        response = redirect(services.download_url(video, viewer) or video)
    add_never_cache_headers(response)
    return response


def _request(request: HttpRequest, video: Video, viewer: Viewer) -> None:
    """Have the file prepared.  Raises a Refusal."""
    who = f"user-{request.user.pk}" if request.user.is_authenticated else f"address-{client_network(request)}"
    if take(Charge("download", who, RATES["download"])):
        raise TooManyMp4s
    services.request_mp4(video, viewer)
