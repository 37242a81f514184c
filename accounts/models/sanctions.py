"""Sanctions: limits that decisions put on people, for some time or for good."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.decisions import Decision
from accounts.models.people import User


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
