"""Pages for uploading, and the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import Refusal
from common.storage import media_url
from common.templatetags.human import clock
from videos import progress, services
from videos.forms import SCHEDULED, CaptionForm, DefaultsForm, PosterForm, VideoForm
from videos.languages import canonical_tag
from videos.models import CaptionTrack, Category, Upload, Video, VideoDefaults
from videos.views.studio_captions import own, transcription_context

if TYPE_CHECKING:
    from django.forms import BaseForm

    from accounts.requests import PersonRequest


STUDIO_PAGE_SIZE = 20


@login_required
@require_safe
def upload(request: PersonRequest) -> HttpResponse:
    context = {
        "categories": Category.choices,
        "visibilities": [*Video.Visibility.choices, (SCHEDULED, _("Scheduled"))],
        "defaults": VideoDefaults.of(request.user.channel),
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "videos/upload.html", context)


@login_required
@require_safe
def studio(request: PersonRequest) -> HttpResponse:
    """List the requester's own videos in every state, except those removed by moderators."""
    own = Video.objects.kept().filter(channel__owner=request.user)
    newest_first = own.for_cards().select_related("edition").order_by("-created_at", "-pk")
    page = Paginator(newest_first, STUDIO_PAGE_SIZE).get_page(request.GET.get("page"))
    videos = list(page.object_list)
    editions = [getattr(video, "edition", None) for video in videos]
    percents = progress.percents([*videos, *filter(None, editions)])
    rows = [
        (video, percents[video.pk], edition, percents[edition.pk] if edition else 0)
        for video, edition in zip(videos, editions, strict=True)
    ]
    return render(request, "videos/studio.html", {"page": page, "rows": rows})


@login_required
def defaults(request: PersonRequest) -> HttpResponse:
    """Show and change the settings with which new videos begin."""
    sent = request.POST if request.method == "POST" else None
    form = DefaultsForm(sent, instance=VideoDefaults.of(request.user.channel))
    if form.is_valid():
        form.save()
        messages.success(request, _("Changes saved."))
        return redirect("studio")
    status = 422 if form.errors else 200
    return render(request, "videos/defaults.html", {"form": form}, status=status)


@login_required
def edit(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    form = VideoForm(request.POST or None, instance=video)
    if request.method == "POST" and form.is_valid():
        try:
            form.apply()
        except Refusal as error:
            form.add_error(error.attr if error.attr in form.fields else None, str(error))
        else:
            messages.success(request, _("Changes saved."))
            return redirect("studio")
    return _edit_page(request, video, form=form)


def _edit_page(request: PersonRequest, video: Video, **forms: BaseForm) -> HttpResponse:
    """Render the page of a video's details and captions; a refused form is shown with its errors."""
    context = {
        "form": VideoForm(instance=video),
        "poster_form": PosterForm(),
        "caption_form": CaptionForm(initial={"language": canonical_tag(get_language() or "")}),
        "captions": video.captions.all(),
        "poster_choices": [
            (number, media_url(key), clock(at_s)) for number, (key, at_s) in enumerate(video.poster_choices)
        ],
        "chosen_poster": services.chosen_number(video),
        **transcription_context(video),
        "video": video,
        "playback": services.playback(video),
        "may_download": video.download_for(request.user) != Video.Downloads.OFF,
    }
    has_errors = any(form.errors for form in forms.values())
    return render(request, "videos/edit.html", context | forms, status=422 if has_errors else 200)


@login_required
@require_POST
def add_captions(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    form = CaptionForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            track, skipped = form.apply(video)
        except Refusal as error:
            form.add_error(error.attr, str(error))
        else:
            messages.success(request, added_sentence(track, skipped))
            return redirect("studio-edit", public_id)
    return _edit_page(request, video, caption_form=form)


@login_required
@require_POST
def set_poster(request: PersonRequest, public_id: str) -> HttpResponse:
    """Make one of the offered stills the poster, or an uploaded picture."""
    video = own(request, public_id)
    form = PosterForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            form.apply(video)
        except Refusal as error:
            form.add_error(error.attr if error.attr in form.fields else None, str(error))
        else:
            messages.success(request, _("Poster changed."))
            return redirect("studio-edit", public_id)
    return _edit_page(request, video, poster_form=form)


def added_sentence(track: CaptionTrack, skipped: int) -> str:
    added = ngettext(
        "%(language)s: %(counter)s caption.", "%(language)s: %(counter)s captions.", track.cue_count
    ) % {"language": track.label, "counter": track.cue_count}
    if not skipped:
        return added
    left_out = ngettext(
        "%(counter)s line could not be read.", "%(counter)s lines could not be read.", skipped
    )
    return f"{added} {left_out % {'counter': skipped}}"


@login_required
@require_POST
def remove_captions(request: PersonRequest, public_id: str, language: str) -> HttpResponse:
    try:
        services.remove_captions(own(request, public_id), language=language)
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-edit", public_id)


@login_required
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    """Ask for confirmation, then delete."""
    video = own(request, public_id)
    if request.method != "POST":
        return render(request, "videos/delete.html", {"video": video})
    under_way = Upload.objects.filter(video=video).first()
    try:
        if under_way:
            services.abort_upload(under_way)
        else:
            services.delete_video(video)
    except Refusal as error:
        messages.error(request, str(error))
        return redirect("studio")
    messages.success(request, _("“%(title)s” was deleted.") % {"title": video.title})
    return redirect("studio")


@login_required
@require_POST
def retry(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    try:
        services.retry_video(video)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Retrying “%(title)s”.") % {"title": video.title})
    return redirect("studio")
