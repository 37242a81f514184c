"""What people report, what moderators decide, and what that means for who they decided about.

A *case* is everything reported about one target; its row is the queue of the
desk and its lock.  A *decision* is one line of the audit trail and never
changes: taking one back is another line.  A *sanction* is what a decision
forbids a person, for how long.
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
    SPAM = "spam", _("Spam or a trick")
    HARASSMENT = "harassment", _("Harassment or bullying")
    HATE = "hate", _("Hate against a group")
    SEXUAL = "sexual", _("Sexual content")
    VIOLENCE = "violence", _("Violence or dangerous acts")
    CHILD_SAFETY = "child_safety", _("Harm to children")
    COPYRIGHT = "copyright", _("Somebody else’s work")
    PRIVACY = "privacy", _("Private information")
    MISINFORMATION = "misinformation", _("Harmful misinformation")
    OTHER = "other", _("Something else")

    @property
    def urgency(self) -> int:
        """What cannot wait is decided first, however few have reported it."""
        return {Reason.CHILD_SAFETY: 2, Reason.VIOLENCE: 1, Reason.PRIVACY: 1}.get(self, 0)


class CaseQuerySet(models.QuerySet["Case"]):
    def open(self) -> CaseQuerySet:
        return self.filter(status=Case.Status.OPEN)

    def in_order(self) -> CaseQuerySet:
        """As the desk takes them: what cannot wait, what many reported, what waits longest."""
        return self.order_by("-urgency", "-report_count", "opened_at", "pk")

    def after(self, case: Case) -> CaseQuerySet:
        """What comes behind ``case`` in that order."""
        return self.filter(_beyond(case, "lt", "gt")).in_order()

    def before(self, case: Case) -> CaseQuerySet:
        """What comes ahead of ``case``, the nearest first."""
        return self.filter(_beyond(case, "gt", "lt")).in_order().reverse()

    def free_for(self, user: User) -> CaseQuerySet:
        """Not in the hands of another moderator."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lt=timezone.now()) | Q(claimed_by=user))


def _beyond(case: Case, counts: str, ages: str) -> Q:
    """Strictly to one side of ``case`` by urgency, reports, age and key."""
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
    report_count = models.PositiveIntegerField(_("reports"), default=0, help_text="open ones")
    urgency = models.PositiveSmallIntegerField(default=0)
    opened_at = models.DateTimeField(_("waiting since"), default=timezone.now)
    reported_at = models.DateTimeField(_("last reported"), default=timezone.now)
    # Counts decisions: one that was made on a page older than this decides nothing.
    version = models.PositiveIntegerField(default=0)
    claimed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("in the hands of")
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
        permissions = [("decide_case", "Can decide what is reported")]

    def __str__(self) -> str:
        return self.title

    def holder(self, now: datetime | None = None) -> User | None:
        """Whoever has it in hand at the moment."""
        is_held = self.claimed_until and self.claimed_until > (now or timezone.now())
        return self.claimed_by if is_held else None


class Report(models.Model):
    """One person's report, with what they saw: it may be edited or gone when a moderator looks."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Something was done")
        DISMISSED = "dismissed", _("Left as it is")

    case = models.ForeignKey(Case, models.PROTECT, related_name="reports")
    reporter = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="reports", verbose_name=_("reporter")
    )
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    detail = models.CharField(_("detail"), max_length=MAX_DETAIL, blank=True)
    offset_s = models.FloatField(_("at"), null=True, help_text="where in what is played")
    title = models.CharField(_("about"), max_length=MAX_TITLE)
    text = models.TextField(_("text"), max_length=MAX_TEXT, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    decision = models.ForeignKey("Decision", models.PROTECT, null=True, related_name="reports")
    created_at = models.DateTimeField(_("reported"), default=timezone.now)

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
    """A line of the audit trail was to be changed or taken out."""


class DecisionQuerySet(models.QuerySet["Decision"]):
    def standing(self) -> DecisionQuerySet:
        """Decisions that were not taken back."""
        return self.filter(undone_by=None).exclude(action=Decision.Action.UNDO)

    def update(self, **_fields: Any) -> NoReturn:
        raise NeverChanges

    def delete(self) -> NoReturn:
        raise NeverChanges

    def bulk_update(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NeverChanges


class Decision(models.Model):
    """One line of the audit trail: who decided what, about what, about whom, and why.

    Names stand beside the keys, so that a line reads the same when an account is gone.
    """

    class Action(models.TextChoices):
        LEAVE = "leave", _("Leave")
        HIDE = "hide", _("Hide")
        REMOVE = "remove", _("Remove")
        TIME_OUT = "time_out", _("Time out")
        SUSPEND = "suspend", _("Suspend")
        BAN = "ban", _("Ban")
        UNDO = "undo", _("Take back")

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
    title = models.CharField(_("about"), max_length=MAX_TITLE, blank=True)
    content_before = models.CharField(max_length=8, choices=Case.Content.choices, blank=True)
    content_after = models.CharField(_("content"), max_length=8, choices=Case.Content.choices, blank=True)
    report_count = models.PositiveIntegerField(_("reports"), default=0)
    undoes = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="undone_by", verbose_name=_("takes back")
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
        return f"{self.get_action_display()}: {self.title or self.person_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise NeverChanges
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NeverChanges

    @property
    def changes_content(self) -> bool:
        return self.content_before != self.content_after


class SanctionQuerySet(models.QuerySet["Sanction"]):
    def in_force(self, now: datetime | None = None) -> SanctionQuerySet:
        return self.filter(Q(until=None) | Q(until__gt=now or timezone.now()), ended_at=None)

    def lapsed(self, now: datetime | None = None) -> SanctionQuerySet:
        """Over by the clock, and not yet written down as over."""
        return self.filter(until__lte=now or timezone.now(), ended_at=None)

    def that_lock_out(self) -> SanctionQuerySet:
        return self.filter(kind__in=[Sanction.Kind.SUSPENSION, Sanction.Kind.BAN])


class Sanction(models.Model):
    """What a person may not do, and until when (``until`` empty: for good)."""

    class Kind(models.TextChoices):
        TIME_OUT = "time_out", _("May not speak or upload")
        SUSPENSION = "suspension", _("May not sign in")
        BAN = "ban", _("May not sign in, for good")

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
