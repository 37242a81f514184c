"""Reports, cases, decisions and sanctions.

A *case* is everything reported about one target; its row is its place in the desk's
queue and its lock.  A *decision* is one line of the audit trail and never changes:
undoing one adds another line.  A *sanction* is a limit that a decision puts on a
person, for some time or for good.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User

MAX_TITLE = 200
MAX_TEXT = 5000
MAX_NOTE = 500
MAX_DETAIL = 1000


class Reason(models.TextChoices):
    SPAM = "spam", _("Spam or scam")
    HARASSMENT = "harassment", _("Harassment or bullying")
    HATE = "hate", _("Hate speech")
    SEXUAL = "sexual", _("Sexual content")
    VIOLENCE = "violence", _("Violent or dangerous content")
    CHILD_SAFETY = "child_safety", _("Child safety")
    COPYRIGHT = "copyright", _("Copyright infringement")
    PRIVACY = "privacy", _("Privacy violation")
    MISINFORMATION = "misinformation", _("Misinformation")
    OTHER = "other", _("Other")

    @property
    def urgency(self) -> int:
        """Return the urgency: higher values are decided first, however few people have reported them."""
        return {Reason.CHILD_SAFETY: 2, Reason.VIOLENCE: 1, Reason.PRIVACY: 1}.get(self, 0)


class CaseQuerySet(models.QuerySet["Case"]):
    def open(self) -> CaseQuerySet:
        return self.filter(status=Case.Status.OPEN)

    def in_order(self) -> CaseQuerySet:
        """Sort by the desk's order: urgency, number of reports, waiting time."""
        return self.order_by("-urgency", "-report_count", "opened_at", "pk")

    def after(self, case: Case) -> CaseQuerySet:
        """Return the cases behind ``case`` in that order."""
        return self.filter(_beyond(case, "lt", "gt")).in_order()

    def before(self, case: Case) -> CaseQuerySet:
        """Return the cases ahead of ``case``, the nearest first."""
        return self.filter(_beyond(case, "gt", "lt")).in_order().reverse()

    def free_for(self, user: User) -> CaseQuerySet:
        """Return the cases that no other moderator claims."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lt=timezone.now()) | Q(claimed_by=user))


def _beyond(case: Case, counts: str, ages: str) -> Q:
    """Return the filter for cases on one side of ``case`` by urgency, reports, age and key."""
    beyond, same = Q(), Q()
    for name, direction in (("urgency", counts), ("report_count", counts), ("opened_at", ages), ("pk", ages)):
        value = getattr(case, name)
        beyond |= same & Q(**{f"{name}__{direction}": value})
        same &= Q(**{name: value})
    return beyond


class Case(models.Model):
    """Everything reported about one target: opened by its first report, and again by a later one."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Decided")

    class Content(models.TextChoices):
        SHOWN = "shown", _("Shown")
        HIDDEN = "hidden", _("Hidden")
        REMOVED = "removed", _("Removed")

    target_type = models.CharField(_("kind"), max_length=20)
    target_id = models.CharField(max_length=40)
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="cases", verbose_name=_("author")
    )
    title = models.CharField(_("about"), max_length=MAX_TITLE)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.CLOSED)
    content = models.CharField(_("content"), max_length=8, choices=Content.choices, default=Content.SHOWN)
    report_count = models.PositiveIntegerField(_("reports"), default=0, help_text=_("open reports"))
    urgency = models.PositiveSmallIntegerField(default=0)
    opened_at = models.DateTimeField(_("waiting since"), default=timezone.now)
    reported_at = models.DateTimeField(_("last reported"), default=timezone.now)
    # Counts decisions: a decision made on a page with an older version is refused.
    version = models.PositiveIntegerField(default=0)
    claimed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("assigned to")
    )
    claimed_until = models.DateTimeField(null=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        constraints = [models.UniqueConstraint(fields=["target_type", "target_id"], name="case_once")]
        indexes = [
            models.Index(
                F("status"), F("urgency").desc(), F("report_count").desc(), F("opened_at"), name="case_queue"
            )
        ]
        permissions = [("decide_case", "Can decide reports")]

    def __str__(self) -> str:
        return self.title

    def holder(self, now: datetime | None = None) -> User | None:
        """Return the moderator who claims the case now."""
        is_held = self.claimed_until and self.claimed_until > (now or timezone.now())
        return self.claimed_by if is_held else None


class ReportQuerySet(models.QuerySet["Report"]):
    def open_by(self, reporter: User, *, target_type: str, target_id: str) -> ReportQuerySet:
        """Return a person's open report about a target."""
        case = {"case__target_type": target_type, "case__target_id": target_id}
        return self.filter(reporter=reporter, status=Report.Status.OPEN, **case)


class Report(models.Model):
    """Report of one person, with the content as they saw it: it may change before a moderator looks."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Action taken")
        DISMISSED = "dismissed", _("No action taken")

    case = models.ForeignKey(Case, models.PROTECT, related_name="reports")
    reporter = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="reports", verbose_name=_("reporter")
    )
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    detail = models.CharField(_("details"), max_length=MAX_DETAIL, blank=True)
    offset_s = models.FloatField(_("at"), null=True, help_text=_("position in the media, in seconds"))
    title = models.CharField(_("about"), max_length=MAX_TITLE)
    text = models.TextField(_("text"), max_length=MAX_TEXT, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    decision = models.ForeignKey(
        "Decision", models.PROTECT, null=True, related_name="reports", verbose_name=_("decision")
    )
    created_at = models.DateTimeField(_("reported"), default=timezone.now)

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["reporter", "case"], condition=Q(status="open"), name="report_one_open"
            )
        ]
        indexes = [
            models.Index(fields=["case", "status", "-created_at"], name="report_of_case"),
            models.Index(fields=["reporter", "-created_at"], name="report_of_reporter"),
            models.Index(fields=["created_at"], name="report_created"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.title}"


class NeverChanges(TypeError):
    """Error raised if a line of the audit trail is changed or deleted."""


class DecisionQuerySet(models.QuerySet["Decision"]):
    def standing(self) -> DecisionQuerySet:
        """Return the decisions that are not undone."""
        return self.filter(undone_by=None).exclude(action=Decision.Action.UNDO)

    def update(self, **_fields: Any) -> NoReturn:
        raise NeverChanges

    def delete(self) -> NoReturn:
        raise NeverChanges

    def bulk_update(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NeverChanges


class Decision(models.Model):
    """Line of the audit trail: moderator, action, content, person and reason.

    Names stand beside the keys, so that a line reads the same after an account is deleted.
    """

    class Action(models.TextChoices):
        LEAVE = "leave", _("No action")
        HIDE = "hide", _("Hide")
        REMOVE = "remove", _("Remove")
        TIME_OUT = "time_out", _("Time out")
        SUSPEND = "suspend", _("Suspend")
        BAN = "ban", _("Ban")
        UNDO = "undo", _("Undo")

    case = models.ForeignKey(
        Case, models.PROTECT, null=True, related_name="decisions", verbose_name=_("case")
    )
    action = models.CharField(_("decision"), max_length=8, choices=Action.choices)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices, blank=True)
    note = models.CharField(_("note"), max_length=MAX_NOTE, blank=True)
    until = models.DateTimeField(_("until"), null=True)
    moderator = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="decisions", verbose_name=_("moderator")
    )
    moderator_name = models.CharField(max_length=30)
    person = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="decisions_about", verbose_name=_("person")
    )
    person_name = models.CharField(max_length=30, blank=True)
    # Owner of the chat to which a time-out or ban is limited; empty for the whole site.
    room = models.CharField(_("chat of"), max_length=30, blank=True)
    title = models.CharField(_("about"), max_length=MAX_TITLE, blank=True)
    content_before = models.CharField(
        _("previous content state"), max_length=8, choices=Case.Content.choices, blank=True
    )
    content_after = models.CharField(_("content"), max_length=8, choices=Case.Content.choices, blank=True)
    report_count = models.PositiveIntegerField(_("reports"), default=0)
    undoes = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="undone_by", verbose_name=_("undoes")
    )
    created_at = models.DateTimeField(_("decided"), default=timezone.now)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["person", "-created_at"], name="decision_about"),
            models.Index(fields=["created_at"], name="decision_created"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise NeverChanges
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NeverChanges

    @property
    def subject(self) -> str:
        """Return the content's title, or else the person and the chat's owner."""
        return self.title or " · ".join(filter(None, [self.person_name, self.room and f"@{self.room}"]))

    @property
    def changes_content(self) -> bool:
        return self.content_before != self.content_after


class SanctionQuerySet(models.QuerySet["Sanction"]):
    def in_force(self, now: datetime | None = None) -> SanctionQuerySet:
        return self.filter(Q(until=None) | Q(until__gt=now or timezone.now()), ended_at=None)

    def lapsed(self, now: datetime | None = None) -> SanctionQuerySet:
        """Return the sanctions that are past their end but not yet marked as ended."""
        return self.filter(until__lte=now or timezone.now(), ended_at=None)

    def that_lock_out(self) -> SanctionQuerySet:
        return self.filter(kind__in=[Sanction.Kind.SUSPENSION, Sanction.Kind.BAN])


class Sanction(models.Model):
    """Limit on a person, and its end (``until`` empty: for good)."""

    class Kind(models.TextChoices):
        TIME_OUT = "time_out", _("Cannot post or upload")
        SUSPENSION = "suspension", _("Cannot sign in")
        BAN = "ban", _("Permanently banned")

    person = models.ForeignKey(User, models.CASCADE, related_name="sanctions", verbose_name=_("person"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    decision = models.OneToOneField(Decision, models.PROTECT, related_name="sanction")
    until = models.DateTimeField(_("until"), null=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = SanctionQuerySet.as_manager()

    class Meta:
        verbose_name = _("sanction")
        verbose_name_plural = _("sanctions")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["person", "until"], condition=Q(ended_at=None), name="sanction_in_force"),
            models.Index(fields=["until"], condition=Q(ended_at=None), name="sanction_lapsing"),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_kind_display()}"
