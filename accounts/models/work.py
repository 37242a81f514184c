"""Work that a worker does after a request, and the rows that a sweep could not handle."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutboxEntry(models.Model):
    """Call of a function, stored in the caller's transaction (see ``accounts.outbox``)."""

    handler = models.CharField(_("handler"), max_length=200, help_text=_("dotted path of the function"))
    arguments = models.JSONField(_("arguments"), default=list)
    attempt = models.PositiveSmallIntegerField(_("attempts"), default=0)
    not_before = models.DateTimeField(_("not before"), default=timezone.now)
    error = models.TextField(_("last error"), blank=True)
    is_given_up = models.BooleanField(_("given up"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("outbox entry")
        verbose_name_plural = _("outbox")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["not_before"], condition=models.Q(is_given_up=False), name="outbox_due"),
        ]

    def __str__(self) -> str:
        return f"{self.handler} {self.pk}"


class SweepFailure(models.Model):
    """Row that a sweep could not handle; the sweep skips it until ``retry_at``."""

    sweep = models.CharField(_("sweep"), max_length=60)
    row_pk = models.BigIntegerField(_("row"))
    label = models.CharField(_("about"), max_length=200, blank=True)
    error = models.TextField(_("error"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    first_failed_at = models.DateTimeField(_("first failed"), default=timezone.now)
    failed_at = models.DateTimeField(_("last failed"), default=timezone.now)
    retry_at = models.DateTimeField(_("next attempt"), default=timezone.now)

    class Meta:
        verbose_name = _("sweep failure")
        verbose_name_plural = _("sweep failures")
        ordering = ["-failed_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["sweep", "row_pk"], name="sweep_failure_once")]

    def __str__(self) -> str:
        return f"{self.sweep}: {self.label or self.row_pk}"
