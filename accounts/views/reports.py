"""Page and dialog of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts import moderation
from accounts.forms import ReportForm
from accounts.models import Report
from accounts.viewers import viewer_of
from accounts.views.local_addresses import local_address
from common.errors import Refusal

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


REPORTED = gettext_lazy("Thank you. Moderators will review your report and notify you of the result.")
REPORTED_BEFORE = gettext_lazy(
    "You have already reported this. Moderators will review it and notify you of the result."
)


@login_required
@never_cache
def report(request: PersonRequest, kind: str, target_id: str) -> HttpResponse:
    """Show and save a report: on a page of its own, or for ``?dialog`` as the dialog alone."""
    known = moderation.kind_named(kind)
    target = known.find(target_id, viewer_of(request)) if known else None
    if known is None or target is None:
        raise Http404
    form = ReportForm(request.POST or None, initial={"next": request.GET.get("next", "")})
    if request.method == "POST" and form.is_valid():
        asked = {name: form.cleaned_data[name] for name in ("reason", "detail", "offset_s")}
        try:
            _report, is_new = moderation.report(
                by=request.user, viewer=viewer_of(request), target_type=kind, target_id=target_id, **asked
            )
        except Refusal as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, REPORTED if is_new else REPORTED_BEFORE)
            return redirect(local_address(request, form.cleaned_data["next"]) or known.url(target))
    reported = Report.objects.open_by(request.user, target_type=kind, target_id=known.public_id(target))
    context = {
        "form": form,
        "kind": known,
        "target_id": target_id,
        "title": known.title(target),
        "thanks": REPORTED_BEFORE if reported.exists() else REPORTED,
    }
    template = "includes/report_dialog.html" if "dialog" in request.GET else "accounts/report.html"
    return render(request, template, context, status=422 if form.errors else 200)
