"""Page of the studio for the file of a video: its new versions, begun, tried again and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.buckets import Charge, take
from common.errors import Refusal
from common.rates import RATES
from videos import progress, services
from videos.forms import ImportForm
from videos.models import Video
from videos.services.errors import TooManyImports
from videos.views.studio_captions import own

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
@require_safe
def edition(request: PersonRequest, public_id: str) -> HttpResponse:
    return _page(request, own(request, public_id))


def _page(
    request: PersonRequest, video: Video, *, form: ImportForm | None = None, status: int = 200
) -> HttpResponse:
    made = Video.objects.select_related("edition_of").filter(edition_of=video).first()
    context = {
        "video": video,
        "edition": made,
        "percent": progress.percent(made) if made else 0,
        "waiting": progress.waiting_sentence(made) if made else "",
        "import_form": form or ImportForm(),
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
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
def replace_by_import(request: PersonRequest, public_id: str) -> HttpResponse:
    """Queue the import of a file that replaces the video's, from its link."""
    video = own(request, public_id)
    form = ImportForm(request.POST)
    if form.is_valid():
        try:
            if take(Charge("upload", f"user-{request.user.pk}", RATES["upload"])):
                raise TooManyImports
            services.replace_by_import(video, url=form.cleaned_data["url"].strip())
        except Refusal as error:
            form.add_error("url", str(error))
        else:
            return redirect("studio-edition", video.public_id)
    return _page(request, video, form=form, status=422)


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
    kind = Video.objects.filter(edition_of=video).values_list("edition_kind", flat=True).first()
    try:
        act(video)
    except Refusal as error:
        messages.error(request, str(error))
        return _page(request, video, status=422)
    messages.success(request, sentence)
    page = "studio-audio" if kind == Video.EditionKind.AUDIO else "studio-edition"
    return redirect(page, video.public_id)
