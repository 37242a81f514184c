"""Moderation desk: the queue of cases, and a page for each case with keys for each decision.

The page and the list both decide through :func:`accounts.moderation.decide`.
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
from accounts.errors import NotTheirs
from accounts.models import Case, Decision, Reason, Report, Sanction, User
from accounts.moderation import desk
from accounts.moderation.decisions import ABOUT_PEOPLE, CONTENT_AFTER, offers
from accounts.moderation.registry import Kind
from accounts.ranks import check_reach, reaches
from accounts.viewers import Viewer
from common.errors import Refusal
from common.templatetags.human import ago

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices as Choice
    from django.db.models import QuerySet
    from django.utils.functional import Promise

REPORTS_SHOWN = 50
HISTORY_SHOWN = 10
JUST_NOW = timedelta(minutes=15)  # time in which the desk offers to undo the last decision

Action = Decision.Action
# In the order of their keys, 1 to 6, with their help texts.
ACTIONS: list[tuple[Decision.Action, Promise]] = [
    (Action.LEAVE, _("No violation.")),
    (Action.HIDE, _("Hidden from the public. Moderators and video owners can still see it.")),
    (Action.REMOVE, _("Removed for everyone, including the author.")),
    (Action.TIME_OUT, _("The author cannot post or upload until the time-out ends.")),
    (Action.SUSPEND, _("The author cannot sign in until the suspension ends.")),
    (Action.BAN, _("The author can no longer sign in.")),
]
DONE: dict[str, Promise] = {
    Action.LEAVE: _("No action: “%(title)s”."),
    Action.HIDE: _("Hidden: “%(title)s”."),
    Action.REMOVE: _("Removed: “%(title)s”."),
    Action.TIME_OUT: _("Timed out: %(person)s."),
    Action.SUSPEND: _("Suspended: %(person)s."),
    Action.BAN: _("Banned: %(person)s."),
}


@dataclass(frozen=True, slots=True)
class Option:
    """Button of one decision; ``obstacle`` is the reason that forbids it here, if any."""

    key: int
    action: str
    label: str
    help: str
    obstacle: str


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("mine", _("assigned to me")), (Case.Status.CLOSED, _("Decided")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        """Return the choices; without a parameter, open cases are shown."""
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
    """Change list that reads the reasons of all its cases with one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        cases = list(self.result_list)
        reasons = reasons_of(cases)
        for case in cases:
            case.reasons = reasons[case.pk]
        self.result_list = cases


def reasons_of(cases: Sequence[Case]) -> dict[int, list[tuple[str, int]]]:
    """Return the reasons of each case's open reports with their numbers, the most frequent first."""
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

    @admin.display(description=_("assigned to"))
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

    @admin.action(description=_("No action"), permissions=["decide"])
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
            except Refusal as error:
                self.message_user(request, f"{case}: {error}", messages.WARNING)
        sentence = ngettext("%(n)d case is decided.", "%(n)d cases are decided.", decided) % {"n": decided}
        self.message_user(request, sentence, messages.SUCCESS if decided else messages.WARNING)

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
        """Show the desk page; it claims an open case for a moderator who may decide."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        case = self.get_object(request, object_id)
        if case is None:
            return cast(HttpResponse, self._get_obj_does_not_exist_redirect(request, self.opts, object_id))  # type: ignore[attr-defined]
        may_decide = self.has_decide_permission(request)
        if may_decide and case.status == Case.Status.OPEN:
            desk.claim(case, by=cast(User, request.user))
        return self._page(
            request,
            case,
            DecisionForm(initial=self._usual(case), kind=moderation.kind_named(case.target_type)),
        )

    def next_view(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the first case in the queue."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        first = Case.objects.open().free_for(cast(User, request.user)).in_order().first()
        return redirect(desk_url(first))

    def _acting(self, act: Any, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponseBase:
        """Call ``act`` with the case; refuse people who may not decide."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        case = get_object_or_404(Case.objects.select_related("author", "claimed_by"), pk=pk)
        answer: HttpResponseBase = act(request, case, **kwargs)
        return answer

    def decide_view(self, request: HttpRequest, case: Case) -> HttpResponse:
        """Decide and go to the next case; if the decision is refused, stay and show the reason."""
        user = cast(User, request.user)
        form = DecisionForm(request.POST, kind=moderation.kind_named(case.target_type))
        if not form.is_valid():
            return self._page(request, case, form, status=422)
        following = desk.next_case(case, by=user)
        case.version = form.cleaned_data["version"]
        try:
            decision = moderation.decide(case, by=user, **form.as_decision())
        except Refusal as error:
            messages.warning(request, str(error))
            return redirect(desk_url(case))
        sentence = DONE[decision.action] % {"title": case.title, "person": decision.person_name}
        messages.success(request, sentence)
        return redirect(desk_url(following))

    def claim_view(self, request: HttpRequest, case: Case) -> JsonResponse:
        """Renew the claim while the page is open; answer 409 if another moderator holds the case."""
        is_mine = desk.claim(case, by=cast(User, request.user))
        return JsonResponse({"is_mine": is_mine}, status=200 if is_mine else 409)

    def release_view(self, request: HttpRequest, case: Case) -> JsonResponse:
        desk.release(case, by=cast(User, request.user))
        return JsonResponse({"is_mine": False})

    def undo_view(self, request: HttpRequest, case: Case, decision_id: int) -> HttpResponse:
        decision = get_object_or_404(case.decisions.select_related("person", "case__author"), pk=decision_id)
        try:
            moderation.undo(decision, by=cast(User, request.user))
        except Refusal as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("Undone: “%(title)s” was restored.") % {"title": case.title})
        return redirect(desk_url(case))

    def _usual(self, case: Case) -> dict[str, Any]:
        """Return the form's initial values, with the most frequent reason of the reports."""
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
        target = kind.find(case.target_id, Viewer(user)) if kind else None
        reports = reports_of(case)
        moment = kind.at(target) if kind and target is not None else None
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
            "offset_s": next((r.offset_s for r in reports if r.offset_s is not None), moment),
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
    """Return the address of a case's page, or of the list if ``case`` is ``None``."""
    if case is None:
        return reverse("admin:accounts_case_changelist")
    return reverse("admin:accounts_case_change", args=[case.pk])


def _counted(reason: str, count: int) -> str:
    label = str(Reason(reason).label)
    return f"{label} × {count}" if count > 1 else label


def reports_of(case: Case) -> list[Report]:
    """Return the newest open reports of a case; for a decided case, the newest of all."""
    reports = case.reports.select_related("reporter")
    if case.status == Case.Status.OPEN:
        reports = reports.filter(status=Report.Status.OPEN)
    return list(reports[:REPORTS_SHOWN])


def preview_of(kind: Kind | None, target: Any) -> dict[str, Any] | None:
    """Return the context of the kind's preview template; ``None`` if the target is gone."""
    if kind is None or target is None:
        return None
    return {"target": target, "text": kind.text(target), **kind.context(target)}


def edited(kind: Kind | None, target: Any, reports: Sequence[Report]) -> bool:
    """Return whether the text has changed since the newest report."""
    if kind is None or target is None or not reports:
        return False
    return reports[0].text != kind.text(target)[: len(reports[0].text) or None]


def author_of(case: Case) -> dict[str, Any] | None:
    """Return the author with their standing decisions, sanctions and other open cases."""
    if case.author is None:
        return None
    decisions = Decision.objects.filter(person=case.author).standing()
    counted = decisions.filter(room="").order_by().values_list("action").annotate(count=Count("pk"))
    counts: dict[str, int] = dict(counted)
    return {
        "user": case.author,
        "decisions": decisions.exclude(action=Action.LEAVE).select_related("case")[:HISTORY_SHOWN],
        "counts": [(str(action.label), counts[action]) for action, _help in ACTIONS if action in counts],
        "sanctions": Sanction.objects.in_force().filter(person=case.author)[:HISTORY_SHOWN],
        "open_cases": Case.objects.open().filter(author=case.author).exclude(pk=case.pk).count(),
    }


def options(case: Case, kind: Kind | None, *, by: User) -> list[Option]:
    """Return a button for each decision, with its key and its obstacle."""
    return [
        Option(key, action, str(action.label), str(help_), _obstacle(case, kind, action, by=by))
        for key, (action, help_) in enumerate(ACTIONS, start=1)
    ]


def _obstacle(case: Case, kind: Kind | None, action: Decision.Action, *, by: User) -> str:
    if action in CONTENT_AFTER and not offers(kind, CONTENT_AFTER[action]):
        return str(_("This action is not available for this kind of content."))
    if action in ABOUT_PEOPLE:
        if case.author is None:
            return str(_("The account no longer exists."))
        try:
            check_reach(case.author, by=by)
        except Refusal as error:
            return str(error)
    if action != Action.LEAVE and not reaches(by, case.author):
        return str(NotTheirs())
    return ""


def last_decision(user: User) -> Decision | None:
    """Return a decision that ``user`` made a moment ago and may want to undo."""
    recent = Decision.objects.standing().filter(moderator=user, created_at__gt=timezone.now() - JUST_NOW)
    return recent.exclude(case=None).first()
