"""Forms for decisions, at the desk and in lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models import Case, Decision, Reason
from accounts.models.decisions import MAX_NOTE
from accounts.moderation.decisions import offers
from accounts.moderation.registry import Kind

DURATIONS = [
    (3600, _("1 hour")),
    (24 * 3600, _("1 day")),
    (3 * 24 * 3600, _("3 days")),
    (7 * 24 * 3600, _("7 days")),
    (30 * 24 * 3600, _("30 days")),
]
USUAL_DURATION_S = 24 * 3600


class BulkDecisionForm(ActionForm):
    """Form beside the actions of a list: the reason and the duration."""

    reason = forms.ChoiceField(
        label=_("Reason:"), choices=Reason.choices, initial=Reason.SPAM, required=False
    )
    duration_s = forms.TypedChoiceField(
        label=_("Duration:"), choices=DURATIONS, coerce=int, initial=USUAL_DURATION_S, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].label = _("Decision:")

    @classmethod
    def reason_in(cls, data: QueryDict) -> str:
        """Return the chosen reason, or an empty string if it is unknown."""
        chosen = data.get("reason", "")
        return chosen if chosen in Reason.values else ""

    @classmethod
    def duration_in(cls, data: QueryDict) -> timedelta:
        """Return the chosen duration, or the usual one."""
        chosen = {str(seconds): seconds for seconds, _label in DURATIONS}.get(data.get("duration_s", ""))
        return timedelta(seconds=chosen or USUAL_DURATION_S)


class DecisionForm(forms.Form):
    """Form of one decision at the desk; ``version`` is the case as the moderator saw it."""

    action = forms.ChoiceField(
        choices=[choice for choice in Decision.Action.choices if choice[0] != Decision.Action.UNDO]
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Reason.choices, initial=Reason.OTHER)
    duration_s = forms.TypedChoiceField(
        label=_("Duration"), choices=DURATIONS, coerce=int, initial=USUAL_DURATION_S
    )
    content = forms.ChoiceField(
        label=_("Content"),
        choices=[
            ("", _("no action")),
            (Case.Content.HIDDEN, _("hide")),
            (Case.Content.REMOVED, _("remove")),
        ],
        required=False,
    )
    note = forms.CharField(
        label=_("Message to the author"),
        max_length=MAX_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: Kind | None, **kwargs: Any) -> None:
        """Limit the choices for the content to those that its ``kind`` offers."""
        super().__init__(*args, **kwargs)
        content: Any = self.fields["content"]
        content.choices = [choice for choice in content.choices if not choice[0] or offers(kind, choice[0])]

    def as_decision(self) -> dict[str, Any]:
        """Return the arguments of :func:`accounts.moderation.decide`."""
        given = self.cleaned_data
        return {
            **{name: given[name] for name in ("action", "reason", "content", "note")},
            "duration": timedelta(seconds=given["duration_s"]),
        }
