"""Page of the studio for the file of a video: its new versions, begun, tried again and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import Refusal
from videos import progress, services
from videos.models import Video
from videos.views.studio_captions import own

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
@require_safe
def edition(request: PersonRequest, public_id: str) -> HttpResponse:
    return _page(request, own(request, public_id))


def _page(request: PersonRequest, video: Video, *, status: int = 200) -> HttpResponse:
    made = Video.objects.select_related("edition_of").filter(edition_of=video).first()
    context = {
        "video": video,
        "edition": made,
        "percent": progress.percent(made) if made else 0,
        "waiting": progress.waiting_sentence(made) if made else "",
    }
    return render(request, "videos/edition.html", context, status=status)


@login_required
@require_POST
def reencode(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    sentence = _("Re-encoding “%(title)s”. Viewers keep watching the current version until it is done.")
    return _do(request, video, services.reencode, sentence % {"title": video.title})


@login_required
@require_POST
def retry_edition(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    return _do(request, video, services.retry_edition, _("Retrying “%(title)s”.") % {"title": video.title})


@login_required
@require_POST
def cancel_edition(request: PersonRequest, public_id: str) -> HttpResponse:
    return _do(
        request, own(request, public_id), services.cancel_edition, _("Canceled. Your video stays as it is.")
    )


def _do(request: PersonRequest, video: Video, act: Callable[[Video], object], sentence: str) -> HttpResponse:
    """Call a service, show its result as a message and return to the page."""
    try:
        act(video)
    except Refusal as error:
        messages.error(request, str(error))
        return _page(request, video, status=422)
    messages.success(request, sentence)
    return redirect("studio-edition", video.public_id)
