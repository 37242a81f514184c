"""Charts of this app for the admin's first page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.charts import Chart, per_day, register
from accounts.models import Decision, Report, User


def register_charts() -> None:
    register(
        Chart(
            name="reports",
            title=_("Reports"),
            question=_("Reports and decisions per day"),
            lines={"reports": _("Reports"), "decisions": _("Decisions")},
            permission="accounts.view_report",
            count=lambda since: {
                "reports": per_day(Report.objects, "created_at", since),
                "decisions": per_day(Decision.objects, "created_at", since),
            },
        )
    )
    register(
        Chart(
            name="people",
            title=_("New users"),
            question=_("New accounts per day"),
            lines={"people": _("Accounts")},
            permission="accounts.add_user",
            count=lambda since: {"people": per_day(User.objects, "date_joined", since)},
        )
    )
