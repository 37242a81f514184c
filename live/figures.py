"""Charts of broadcasts and chats for the admin's first page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts import charts
from accounts.charts import per_day
from live.models import Broadcast, ChatMessage


def register_charts() -> None:
    charts.register(
        charts.Chart(
            name="live",
            title=_("Live"),
            question=_("Broadcasts per day"),
            lines={"broadcasts": _("Broadcasts")},
            permission="live.view_broadcast",
            count=lambda since: {"broadcasts": per_day(Broadcast.objects, "started_at", since)},
        )
    )
    charts.register(
        charts.Chart(
            name="chat",
            title=_("Chat"),
            question=_("Chat messages per day"),
            lines={"messages": _("Messages")},
            permission="live.view_chatmessage",
            count=lambda since: {"messages": per_day(ChatMessage.objects, "sent_at", since)},
        )
    )
