"""Pages of the studio that import a channel of another site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from common.buckets import Charge, take
from common.errors import Refusal
from common.rates import RATES
from videos import channel_failures, progress, services
from videos.forms import ChannelImportForm
from videos.models import ChannelImport, ImportItem, Video
from videos.services.channel_imports import imported_sources
from videos.services.errors import TooManyImports

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item of a channel import with its progress (percent) and the reason why it waits."""

    item: ImportItem
    percent: int
    is_imported: bool
    reason: str

    @property
    def video(self) -> Video | None:
        return self.item.video

    @property
    def can_choose(self) -> bool:
        is_free = self.item.state in (ImportItem.State.FOUND, ImportItem.State.CANCELED)
        is_deleted = self.item.state == ImportItem.State.BEGUN and self.video is None
        return (is_free or is_deleted) and not self.is_imported

    @property
    def is_active(self) -> bool:
        is_busy = self.video is not None and self.video.status == Video.Status.PROCESSING
        return is_busy or self.item.state == ImportItem.State.CHOSEN


def _own(request: PersonRequest, public_id: str) -> ChannelImport:
    return get_object_or_404(request.user.channel.channel_imports.all(), public_id=public_id)


@login_required
def channel_imports(request: PersonRequest) -> HttpResponse:
    """Show the requester's channel imports, and begin another one."""
    form = ChannelImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if take(Charge("upload", f"user-{request.user.pk}", RATES["upload"])):
                raise TooManyImports
            row = services.begin_channel_import(
                channel=request.user.channel, address=form.cleaned_data["address"]
            )
        except Refusal as error:
            form.add_error("address", str(error))
        else:
            return redirect("studio-import", row.public_id)
    rows = request.user.channel.channel_imports.all()
    context = {"form": form, "rows": [(row, channel_failures.sentence_of(row.error_code)) for row in rows]}
    return render(request, "videos/channel_imports.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def channel_import(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show a list and its chosen items; ``?list`` is the list alone, for open pages."""
    row = _own(request, public_id)
    items = _listed(row)
    choosable = [one.item for one in items if one.can_choose]
    context = {
        "row": row,
        "failure": channel_failures.sentence_of(row.error_code),
        "items": items,
        "choosable_count": len(choosable),
        "choosable_bytes": sum(item.size_bytes or 0 for item in choosable),
        "is_active": row.is_active or any(one.is_active for one in items),
    }
    template = "includes/import_list.html" if "list" in request.GET else "channel_import.html"
    response = render(request, f"videos/{template}", context)
    add_never_cache_headers(response)
    return response


def _listed(row: ChannelImport) -> list[ListedItem]:
    items = list(row.items.select_related("video__channel__owner"))
    imported = imported_sources(row)
    percents = progress.percents(item.video for item in items if item.video)
    return [
        ListedItem(
            item,
            percents[item.video.pk] if item.video else 0,
            item.source_id in imported and item.video is None,
            channel_failures.sentence_of(item.waits_for),
        )
        for item in items
    ]


@login_required
@require_POST
def choose(request: PersonRequest, public_id: str) -> HttpResponse:
    """Choose the ticked items, or all of them."""
    row = _own(request, public_id)
    ticked = [int(value) for value in request.POST.getlist("items") if value.isdecimal() and len(value) < 19]
    try:
        count = services.choose_items(
            row,
            items=None if "all" in request.POST else ticked,
            keeps_visibility="keeps_visibility" in request.POST,
        )
    except Refusal as error:
        messages.error(request, str(error))
    else:
        sentence = ngettext("Importing %(count)d video.", "Importing %(count)d videos.", count)
        messages.success(request, sentence % {"count": count})
    return redirect("studio-import", public_id)


@login_required
@require_POST
def retry_listing(request: PersonRequest, public_id: str) -> HttpResponse:
    services.retry_listing(_own(request, public_id))
    return redirect("studio-import", public_id)


@login_required
@require_POST
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    services.delete_channel_import(_own(request, public_id))
    return redirect("studio-imports")


def _item(request: PersonRequest, public_id: str, item_id: int) -> ImportItem:
    items = _own(request, public_id).items.select_related("video__channel")
    return get_object_or_404(items, pk=item_id)


@login_required
@require_POST
def retry_item(request: PersonRequest, public_id: str, item_id: int) -> HttpResponse:
    """Try the failed import of an item again."""
    item = _item(request, public_id, item_id)
    try:
        if item.video:
            services.retry_video(item.video)
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-import", public_id)


@login_required
@require_POST
def cancel_item(request: PersonRequest, public_id: str, item_id: int) -> HttpResponse:
    """Cancel an item that waits, or stop its import."""
    item = _item(request, public_id, item_id)
    try:
        if item.video:
            services.cancel_encode(item.video)
        else:
            services.cancel_item(item)
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-import", public_id)
