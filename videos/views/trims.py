"""Pages of the studio on which a video is trimmed, and its original restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common import storage
from common.errors import Refusal
from videos import estimates, progress, services
from videos.models import PLAYABLE_AFTER_TRIM, Video
from videos.services.errors import CannotTrim, NotReadyYet, UnderModeration
from videos.views.studio_captions import own

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
@require_safe
def trim(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show the editor of a trim, the progress of one, or the reason why there is none."""
    video = own(request, public_id)
    edition = Video.objects.select_related("edition_of").filter(edition_of=video).first()
    is_free = edition is None or edition.status == Video.Status.FAILED
    best = video.renditions.filter(encode_key=video.encode_key, kind="video").first()
    refusal = _refusal(video)
    # An open player holds signed URLs of all segments.
    stays = PLAYABLE_AFTER_TRIM + storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW
    context = {
        "video": video,
        "edition": edition,
        "percent": progress.percent(edition) if edition else 0,
        "waiting": progress.waiting_sentence(edition) if edition else "",
        "refusal": refusal,
        "playback": services.playback(video) if is_free and not refusal else None,
        "frame_rate": best.frame_rate if best else 0,
        "stays_s": stays.total_seconds(),
        "estimate_s": estimates.of_trim(video.duration_s or 0.0) if is_free else None,
    }
    return render(request, "videos/trim.html", context)


def _refusal(video: Video) -> str:
    """Return the sentence of the reason for which a video cannot be trimmed, or an empty string."""
    if video.is_recording:
        return str(CannotTrim.sentence)
    if video.withheld:
        return str(UnderModeration.sentence)
    return "" if video.status == Video.Status.READY else str(NotReadyYet.sentence)


@login_required
@require_POST
def restore(request: PersonRequest, public_id: str) -> HttpResponse:
    """Begin the return to the original, and show its progress."""
    video = own(request, public_id)
    try:
        services.restore_original(video)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Restoring the original of “%(title)s”.") % {"title": video.title})
    return redirect("studio-trim", public_id)
