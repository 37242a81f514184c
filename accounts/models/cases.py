"""Cases and reports.

A *case* is everything reported about one target; its row is its place in the desk's
queue and its lock.
"""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User

MAX_TITLE = 200
MAX_TEXT = 5000
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
