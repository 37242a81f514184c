"""Pending deletions from the bucket, and its differences from SQL."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PendingDeletion(models.Model):
    """Objects to delete from the bucket; the row stays until the bucket no longer has them.

    A process that does not know of the deletion may still write for a while, so the
    objects are deleted at once, and again at ``last_pass_at``.
    """

    path = models.CharField(
        _("key or prefix"), max_length=255, help_text=_("A prefix ends in / and includes all keys below it.")
    )
    last_pass_at = models.DateTimeField(_("last pass"))
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now, db_index=True)
    attempts = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("pending deletion")
        verbose_name_plural = _("pending deletions")

    def __str__(self) -> str:
        return self.path


class Discrepancy(models.Model):
    """A difference between the bucket and SQL that ``manage.py reconcile`` found."""

    class Kind(models.TextChoices):
        NO_ROW = "no_row", _("Objects that belong to nothing")
        NO_OBJECT = "no_object", _("Missing object")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    path = models.CharField(
        _("key or prefix"), max_length=255, help_text=_("A prefix ends in / and includes all keys below it.")
    )
    objects_count = models.PositiveIntegerField(_("objects"), default=1)
    size_bytes = models.PositiveBigIntegerField(_("size"), default=0)
    found_at = models.DateTimeField(_("found"), auto_now_add=True)

    class Meta:
        verbose_name = _("storage discrepancy")
        verbose_name_plural = _("storage discrepancies")
        ordering = ["kind", "path"]

    def __str__(self) -> str:
        return self.path
