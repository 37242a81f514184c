"""Audit trail: each line is a decision and never changes; undoing one adds another line."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.cases import MAX_TITLE, Case, Reason
from accounts.models.people import User

MAX_NOTE = 500


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
