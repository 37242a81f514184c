"""Pages for watching, embedding and uploading, and the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Channel, Follow
from common.errors import Refusal
from videos import progress, services
from videos.forms import CaptionForm, VideoForm
from videos.languages import canonical_tag
from videos.models import CaptionTrack, Category, Like, Upload, Video
from videos.quoting import Quotable, poster_answer

if TYPE_CHECKING:
    from django.forms import BaseForm

    from accounts.requests import PersonRequest


RELATED = 16
STUDIO_PAGE_SIZE = 20


@require_safe
def watch(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a video at any stage of its life, or answer 404 if the requester may not watch it."""
    video = _watchable(request, public_id)
    user = request.user
    channel = Channel.objects.with_follower_count().select_related("owner").get(pk=video.channel_id)
    quoted = quotable(video)
    context = {
        "video": video,
        "playback": services.playback(video),
        "channel": channel,
        "tags": list(video.tags.all()),
        "is_own": video.can_edit(user),
        "is_liked": user.is_authenticated and Like.objects.filter(video=video, user=user).exists(),
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "percent": progress.percent(video),
        "waiting": progress.waiting_sentence(video),
        "related": related(video),
        "page_url": request.build_absolute_uri(video.get_absolute_url()),
        "embed_code": quoted.embed_code(request),
        "poster_path": quoted.poster_path,
    }
    return render(request, "videos/watch.html", context)


def _watchable(request: HttpRequest, public_id: str) -> Video:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not video.can_watch(request.user):
        raise Http404
    # Only owners and moderators may see an upload under way.
    if video.status == Video.Status.UPLOADING and not video.can_moderate(request.user):
        raise Http404
    return video


def related(video: Video) -> list[Video]:
    """Return the next videos to watch: the newest of the same category, then the newest of the others."""
    listed = Video.objects.listed().for_cards().exclude(pk=video.pk).order_by("-published_at", "-pk")
    alike = list(listed.filter(category=video.category)[:RELATED])
    others = listed.exclude(category=video.category)[: RELATED - len(alike)] if len(alike) < RELATED else []
    return [*alike, *others]


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the player alone, for other sites; it ignores the session and shows no private videos."""
    video = _embeddable(public_id)
    context = {
        "video": video,
        "playback": services.playback(video),
        "autoplay": "autoplay" in request.GET,
        "is_framed": True,
    }
    response = render(request, "videos/embed.html", context)
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    return response


def _embeddable(public_id: str) -> Video:
    videos = Video.objects.for_cards().exclude(visibility=Video.Visibility.PRIVATE)
    return get_object_or_404(
        videos.filter(channel__owner__is_active=True, is_playable=True, withheld=""), public_id=public_id
    )


def quotable(video: Video) -> Quotable:
    """Return the data of a video that other pages may show."""
    has_poster = video.poster_key and video.visibility != Video.Visibility.PRIVATE
    return Quotable(
        title=video.title,
        channel=video.channel,
        embed_path=reverse("embed", args=[video.public_id]),
        poster_path=reverse("video-poster", args=[video.public_id]) if has_poster else None,
        width_px=video.width_px,
        height_px=video.height_px,
    )


def oembed(request: HttpRequest, public_id: str) -> JsonResponse:
    """Answer oEmbed for a watch page, or 404 if the video may not be embedded."""
    return quotable(_embeddable(public_id)).oembed(request)


@require_safe
def poster(_request: HttpRequest, public_id: str) -> HttpResponse:
    """Redirect to the poster of a video that may be embedded."""
    video = _embeddable(public_id)
    if not video.poster_key:
        raise Http404
    return poster_answer(video.poster_key)


@login_required
@require_safe
def upload(request: PersonRequest) -> HttpResponse:
    context = {
        "categories": Category.choices,
        "visibilities": Video.Visibility.choices,
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "videos/upload.html", context)


@login_required
@require_safe
def studio(request: PersonRequest) -> HttpResponse:
    """List the requester's own videos in every state, except those removed by moderators."""
    own = Video.objects.kept().filter(channel__owner=request.user)
    newest_first = own.for_cards().order_by("-created_at", "-pk")
    page = Paginator(newest_first, STUDIO_PAGE_SIZE).get_page(request.GET.get("page"))
    percents = progress.percents(list(page.object_list))
    rows = [(video, percents[video.pk]) for video in page.object_list]
    return render(request, "videos/studio.html", {"page": page, "rows": rows})


@login_required
def edit(request: PersonRequest, public_id: str) -> HttpResponse:
    video = _own(request, public_id)
    form = VideoForm(request.POST or None, instance=video)
    if request.method == "POST" and form.is_valid():
        form.apply()
        messages.success(request, _("Changes saved."))
        return redirect("studio")
    return _edit_page(request, video, form=form)


def _edit_page(request: PersonRequest, video: Video, **forms: BaseForm) -> HttpResponse:
    """Render the page of a video's details and captions; a refused form is shown with its errors."""
    context = {
        "form": VideoForm(instance=video),
        "caption_form": CaptionForm(initial={"language": canonical_tag(get_language() or "")}),
        "captions": video.captions.all(),
        "video": video,
        "playback": services.playback(video),
    }
    has_errors = any(form.errors for form in forms.values())
    return render(request, "videos/edit.html", context | forms, status=422 if has_errors else 200)


@login_required
@require_POST
def add_captions(request: PersonRequest, public_id: str) -> HttpResponse:
    video = _own(request, public_id)
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
        services.remove_captions(_own(request, public_id), language=language)
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-edit", public_id)


@login_required
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    """Ask for confirmation, then delete."""
    video = _own(request, public_id)
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
    video = _own(request, public_id)
    try:
        services.retry_video(video)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Retrying “%(title)s”.") % {"title": video.title})
    return redirect("studio")


def _own(request: PersonRequest, public_id: str) -> Video:
    own = Video.objects.kept().filter(channel__owner=request.user)
    return get_object_or_404(own.for_cards(), public_id=public_id)
