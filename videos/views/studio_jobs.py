"""The jobs of a video in the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_POST, require_safe

from common.errors import Refusal
from videos import services
from videos.job_details import details_of
from videos.models import Job, Video
from videos.views.studio_captions import own

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.requests import PersonRequest


def own_or_edition(request: PersonRequest, public_id: str) -> Video:
    """Return the requester's own video, or an edition of one, whose jobs are its own."""
    edition = Video.objects.filter(edition_of__isnull=False, public_id=public_id).first()
    if edition is None or edition.edition_of is None:
        return own(request, public_id)
    own(request, edition.edition_of.public_id)
    return edition


@login_required
@require_safe
def jobs(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show the jobs of the requester's own video; ``?list`` is the list alone, for open pages."""
    video = own_or_edition(request, public_id)
    template = "videos/includes/job_list.html" if "list" in request.GET else "videos/jobs.html"
    response = render(request, template, {"video": video, "details": details_of(video)})
    add_never_cache_headers(response)
    return response


@login_required
@require_POST
def retry_job(request: PersonRequest, public_id: str, job_id: int) -> HttpResponse:
    return _change(request, public_id, job_id, services.retry_job)


@login_required
@require_POST
def cancel_job(request: PersonRequest, public_id: str, job_id: int) -> HttpResponse:
    return _change(request, public_id, job_id, services.cancel_job)


def _change(
    request: PersonRequest, public_id: str, job_id: int, change: Callable[[Job], None]
) -> HttpResponse:
    video = own_or_edition(request, public_id)
    job = get_object_or_404(Job.objects.select_related("video"), pk=job_id, video=video)
    try:
        change(job)
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-jobs", public_id)
