"""Page that imports a video by its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from common.buckets import Charge, take
from common.errors import Refusal
from common.rates import RATES
from videos import page_imports, services
from videos.forms import ImportForm
from videos.services.errors import TooManyImports

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
def import_video(request: PersonRequest) -> HttpResponse:
    """Ask for the link, queue its import and continue to the studio, which shows the progress."""
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        url = form.cleaned_data["url"].strip()
        try:
            if take(Charge("upload", f"user-{request.user.pk}", RATES["upload"])):
                raise TooManyImports
            video = services.import_video(channel=request.user.channel, url=url)
        except Refusal as error:
            form.add_error("url", str(error))
        else:
            sentence = _("Importing “%(title)s”. It stays private until you publish it.")
            messages.success(request, sentence % {"title": video.title})
            return redirect("studio")
    context = {"form": form, "reads_pages": page_imports.has_reader()}
    return render(request, "videos/import.html", context, status=422 if form.errors else 200)
