"""The moderation desk: what was reported, one case a row and one case a page, decided with keys.

Every decision is :func:`accounts.moderation.decide`, from the page and from the list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts import moderation
from accounts.admin.forms import BulkDecisionForm, DecisionForm
from accounts.errors import AccountError
from accounts.models import Case, Decision, Reason, Report, Sanction, User
from accounts.moderation import desk
from accounts.moderation.decisions import ABOUT_PEOPLE, CONTENT_AFTER, offers
from accounts.moderation.registry import Kind
from accounts.services import check_reach
from videoplatform.templatetags.human import ago

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices as Choice
    from django.db.models import QuerySet
    from django.utils.functional import Promise

REPORTS_SHOWN = 50
HISTORY_SHOWN = 10
JUST_NOW = timedelta(minutes=15)  # for how long the desk offers to take the last decision back

Action = Decision.Action
# In the order of their keys, 1 to 6, with what they do.
ACTIONS: list[tuple[Decision.Action, Promise]] = [
    (Action.LEAVE, _("Nothing is wrong with it.")),
    (Action.HIDE, _("Out of sight; moderators, and who made a video, still see it.")),
    (Action.REMOVE, _("Gone, for its author as well.")),
    (Action.TIME_OUT, _("They may not write or upload for a while.")),
    (Action.SUSPEND, _("They may not sign in for a while.")),
    (Action.BAN, _("They may not sign in any more.")),
]
DONE: dict[str, Promise] = {
    Action.LEAVE: _("Left as it is: “%(title)s”."),
    Action.HIDE: _("Hidden: “%(title)s”."),
    Action.REMOVE: _("Removed: “%(title)s”."),
    Action.TIME_OUT: _("Timed out: %(person)s."),
    Action.SUSPEND: _("Suspended: %(person)s."),
    Action.BAN: _("Banned: %(person)s."),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One decision as a button; ``obstacle`` says why it cannot be taken here."""

    key: int
    action: str
    label: str
    help: str
    obstacle: str


# --- The list ---------------------------------------------------------------------


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("mine", _("in my hands")), (Case.Status.CLOSED, _("Decided")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        """Open is what one sees without asking."""
        shown: list[Choice] = [
            {
                "selected": self.value() is None,
                "query_string": changelist.get_query_string(remove=[self.parameter_name]),
                "display": str(Case.Status.OPEN.label),
            }
        ]
        for value, label in self.lookup_choices:
            link = changelist.get_query_string({self.parameter_name: value})
            shown.append({"selected": self.value() == value, "query_string": link, "display": label})
        return shown

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() == "mine":
            return queryset.filter(claimed_by=cast(User, request.user), claimed_until__gt=timezone.now())
        if self.value() in {Case.Status.CLOSED, "all"}:
            return queryset if self.value() == "all" else queryset.filter(status=Case.Status.CLOSED)
        return queryset.filter(status=Case.Status.OPEN)


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "target_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return moderation.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        return queryset.filter(target_type=self.value()) if self.value() else queryset


class ReasonFilter(admin.SimpleListFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Reason.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if not self.value():
            return queryset
        reports = Report.objects.filter(case=OuterRef("pk"), status=Report.Status.OPEN, reason=self.value())
        return queryset.filter(Exists(reports))


class DeskList(ChangeList):
    """Knows the reasons of every case on the page, by one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        cases = list(self.result_list)
        reasons = reasons_of(cases)
        for case in cases:
            case.reasons = reasons[case.pk]
        self.result_list = cases


def reasons_of(cases: Sequence[Case]) -> dict[int, list[tuple[str, int]]]:
    """Of each case, why it was reported and how often, the most frequent reason first."""
    counted = Report.objects.filter(case__in=cases, status=Report.Status.OPEN).order_by()
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for case, reason, count in counted.values_list("case", "reason").annotate(count=Count("pk")):
        found[case].append((reason, count))
    for reasons in found.values():
        reasons.sort(key=lambda pair: (-pair[1], pair[0]))
    return found


@admin.register(Case)
class CaseAdmin(admin.ModelAdmin[Case]):
    list_display = ("about", "reasons", "report_count", "author", "waiting", "hands")
    list_display_links = ("about",)
    list_filter = (StateFilter, KindFilter, ReasonFilter)
    list_select_related = ("author", "claimed_by")
    list_per_page = 50
    search_fields = ("title", "target_id", "author__username")
    show_full_result_count = False
    action_form = BulkDecisionForm
    actions = ("leave", "hide", "remove", "time_out", "suspend", "ban")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        return super().get_queryset(request).in_order()  # type: ignore[attr-defined, no-any-return]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-urgency", "-report_count", "opened_at", "pk")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeskList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Case | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Case | None = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    @admin.display(description=_("about"), ordering="title")
    def about(self, case: Case) -> SafeString:
        kind = moderation.kind_named(case.target_type)
        label = kind.label if kind else case.target_type
        return format_html('<span class="desk-kind">{}</span> {}', label, case.title)

    @admin.display(description=_("reasons"))
    def reasons(self, case: Any) -> SafeString:
        urgent = "is-urgent" if case.urgency else ""
        words = ", ".join(_counted(reason, count) for reason, count in case.reasons)
        return format_html('<span class="desk-reasons {}">{}</span>', urgent, words)

    @admin.display(description=_("waiting since"), ordering="opened_at")
    def waiting(self, case: Case) -> SafeString:
        return ago(case.opened_at)

    @admin.display(description=_("in the hands of"))
    def hands(self, case: Case) -> str:
        holder = case.holder()
        return holder.username if holder else ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {
            "title": _("Moderation desk"),
            "last_decision": last_decision(cast(User, request.user)),
            "first": Case.objects.open().free_for(cast(User, request.user)).in_order().first(),
        }
        return super().changelist_view(request, {**more, **(extra_context or {})})

    # --- Deciding from the list -----------------------------------------------------

    @admin.action(description=_("Leave"), permissions=["decide"])
    def leave(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.LEAVE)

    @admin.action(description=_("Hide"), permissions=["decide"])
    def hide(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.HIDE)

    @admin.action(description=_("Remove"), permissions=["decide"])
    def remove(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.REMOVE)

    @admin.action(description=_("Time out the author"), permissions=["decide"])
    def time_out(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.TIME_OUT)

    @admin.action(description=_("Suspend the author"), permissions=["decide"])
    def suspend(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.SUSPEND)

    @admin.action(description=_("Ban the author"), permissions=["decide"])
    def ban(self, request: HttpRequest, cases: QuerySet[Case]) -> None:
        self._decide_all(request, cases, Action.BAN)

    def _decide_all(self, request: HttpRequest, cases: QuerySet[Case], action: Decision.Action) -> None:
        by, reason = cast(User, request.user), BulkDecisionForm.reason_in(request.POST)
        duration = BulkDecisionForm.duration_in(request.POST)
        decided = 0
        for case in cases:
            try:
                moderation.decide(case, by=by, action=action, reason=reason, duration=duration)
                decided += 1
            except AccountError as error:
                self.message_user(request, f"{case}: {error}", messages.WARNING)
        said = ngettext("%(n)d case is decided.", "%(n)d cases are decided.", decided) % {"n": decided}
        self.message_user(request, said, messages.SUCCESS if decided else messages.WARNING)

    # --- One case -------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        def view(act: Any) -> Any:
            return self.admin_site.admin_view(require_POST(partial(self._acting, act)))

        own = [
            path("next/", self.admin_site.admin_view(self.next_view), name="accounts_case_next"),
            path("<int:pk>/decide/", view(self.decide_view), name="accounts_case_decide"),
            path("<int:pk>/claim/", view(self.claim_view), name="accounts_case_claim"),
            path("<int:pk>/release/", view(self.release_view), name="accounts_case_release"),
            path("<int:pk>/undo/<int:decision_id>/", view(self.undo_view), name="accounts_case_undo"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The desk page; whoever may decide takes the case in hand by opening it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        case = self.get_object(request, object_id)
        if case is None:
            return cast(HttpResponse, self._get_obj_does_not_exist_redirect(request, self.opts, object_id))  # type: ignore[attr-defined]
        may_decide = self.has_decide_permission(request)
        if may_decide and case.status == Case.Status.OPEN:
            desk.claim(case, by=cast(User, request.user))
        return self._page(request, case, DecisionForm(initial=self._usual(case)))

    def next_view(self, request: HttpRequest) -> HttpResponse:
        """The case that waits at the front of the queue."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        first = Case.objects.open().free_for(cast(User, request.user)).in_order().first()
        return redirect(desk_url(first))

    def _acting(self, act: Any, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponseBase:
        """Let ``act`` act on the case, for whoever may decide."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        case = get_object_or_404(Case.objects.select_related("author", "claimed_by"), pk=pk)
        answer: HttpResponseBase = act(request, case, **kwargs)
        return answer

    def decide_view(self, request: HttpRequest, case: Case) -> HttpResponse:
        """Decide, and go on to what comes next; stay, with the sentence, where that is not possible."""
        user = cast(User, request.user)
        form = DecisionForm(request.POST)
        if not form.is_valid():
            return self._page(request, case, form, status=422)
        following = desk.next_case(case, by=user)
        case.version = form.cleaned_data["version"]
        try:
            decision = moderation.decide(case, by=user, **form.as_decision())
        except AccountError as error:
            messages.warning(request, str(error))
            return redirect(desk_url(case))
        said = DONE[decision.action] % {"title": case.title, "person": decision.person_name}
        messages.success(request, said)
        return redirect(desk_url(following))

    def claim_view(self, request: HttpRequest, case: Case) -> JsonResponse:
        """Keep the case in hand while the page is open; 409 once another moderator has it."""
        is_mine = desk.claim(case, by=cast(User, request.user))
        return JsonResponse({"is_mine": is_mine}, status=200 if is_mine else 409)

    def release_view(self, request: HttpRequest, case: Case) -> JsonResponse:
        desk.release(case, by=cast(User, request.user))
        return JsonResponse({"is_mine": False})

    def undo_view(self, request: HttpRequest, case: Case, decision_id: int) -> HttpResponse:
        decision = get_object_or_404(case.decisions.select_related("person", "case__author"), pk=decision_id)
        try:
            moderation.undo(decision, by=cast(User, request.user))
        except AccountError as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("Taken back: “%(title)s” is as it was.") % {"title": case.title})
        return redirect(desk_url(case))

    # --- The page -------------------------------------------------------------------

    def _usual(self, case: Case) -> dict[str, Any]:
        """What the form begins with: the reason that most reports give."""
        reasons = reasons_of([case])[case.pk]
        kind = moderation.kind_named(case.target_type)
        removes = kind is not None and kind.remove is not None
        return {
            "reason": reasons[0][0] if reasons else Reason.OTHER,
            "content": Case.Content.REMOVED if removes else "",
            "version": case.version,
        }

    def _page(self, request: HttpRequest, case: Case, form: DecisionForm, status: int = 200) -> HttpResponse:
        user = cast(User, request.user)
        kind = moderation.kind_named(case.target_type)
        target = kind.find(case.target_id, user) if kind else None
        reports = reports_of(case)
        holder = case.holder()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": case.title,
            "case": case,
            "kind": kind,
            "target": target,
            "heading": kind.title(target) if kind and target is not None else case.title,
            "preview": preview_of(kind, target),
            "url": kind.url(target) if kind and target is not None else "",
            "reports": reports,
            "reasons": [_counted(*pair) for pair in reasons_of([case])[case.pk]],
            "offset_s": next((r.offset_s for r in reports if r.offset_s is not None), _moment(kind, target)),
            "was_edited": edited(kind, target, reports),
            "decisions": case.decisions.select_related("moderator", "undone_by")[:HISTORY_SHOWN],
            "standing": case.decisions.standing().first(),
            "author": author_of(case),
            "form": form,
            "options": options(case, kind, by=user),
            "may_decide": self.has_decide_permission(request),
            "other_holder": holder if holder != user else None,
            "next": desk.neighbour(case, by=user, forward=True),
            "previous": desk.neighbour(case, by=user, forward=False),
            "open_count": Case.objects.open().count(),
            "last_decision": last_decision(user),
        }
        return TemplateResponse(request, "admin/accounts/case/desk.html", context, status=status)


def desk_url(case: Case | None) -> str:
    """The page of a case; without one, the list."""
    if case is None:
        return reverse("admin:accounts_case_changelist")
    return reverse("admin:accounts_case_change", args=[case.pk])


def _counted(reason: str, count: int) -> str:
    label = str(Reason(reason).label)
    return f"{label} × {count}" if count > 1 else label


def reports_of(case: Case) -> list[Report]:
    """The newest of what is open; of a decided case, the newest of all."""
    reports = case.reports.select_related("reporter")
    if case.status == Case.Status.OPEN:
        reports = reports.filter(status=Report.Status.OPEN)
    return list(reports[:REPORTS_SHOWN])


def preview_of(kind: Kind | None, target: Any) -> dict[str, Any] | None:
    """What the kind's own template is given; None for what is gone."""
    if kind is None or target is None:
        return None
    return {"target": target, "text": kind.text(target), **kind.context(target)}


def _moment(kind: Kind | None, target: Any) -> float | None:
    return kind.at(target) if kind and target is not None else None


def edited(kind: Kind | None, target: Any, reports: Sequence[Report]) -> bool:
    """Whether the newest report was about other words than those that are there now."""
    if kind is None or target is None or not reports:
        return False
    return reports[0].text != kind.text(target)[: len(reports[0].text) or None]


def author_of(case: Case) -> dict[str, Any] | None:
    """Who wrote it: since when they are here, what was decided about them, what is forbidden to them."""
    if case.author is None:
        return None
    decisions = Decision.objects.filter(person=case.author).standing()
    return {
        "user": case.author,
        "decisions": decisions.exclude(action=Action.LEAVE).select_related("case")[:HISTORY_SHOWN],
        "counts": _actions_counted(decisions),
        "sanctions": Sanction.objects.in_force().filter(person=case.author)[:HISTORY_SHOWN],
        "open_cases": Case.objects.open().filter(author=case.author).exclude(pk=case.pk).count(),
    }


def _actions_counted(decisions: QuerySet[Decision]) -> list[tuple[str, int]]:
    counted = decisions.order_by().values_list("action").annotate(count=Count("pk"))
    counts: dict[str, int] = dict(counted)
    return [(str(action.label), counts[action]) for action, _help in ACTIONS if action in counts]


def options(case: Case, kind: Kind | None, *, by: User) -> list[Option]:
    """Every decision with its key, and what stands in its way."""
    return [
        Option(key, action, str(action.label), str(help_), _obstacle(case, kind, action, by=by))
        for key, (action, help_) in enumerate(ACTIONS, start=1)
    ]


def _obstacle(case: Case, kind: Kind | None, action: Decision.Action, *, by: User) -> str:
    if action in CONTENT_AFTER and not offers(kind, CONTENT_AFTER[action]):
        return str(_("Not offered for this kind."))
    if action in ABOUT_PEOPLE:
        if case.author is None:
            return str(_("The account is gone."))
        try:
            check_reach(case.author, by=by)
        except AccountError as error:
            return str(error)
    return ""


def last_decision(user: User) -> Decision | None:
    """What ``user`` decided a moment ago and may want to take back."""
    recent = Decision.objects.standing().filter(moderator=user, created_at__gt=timezone.now() - JUST_NOW)
    return recent.exclude(case=None).first()
