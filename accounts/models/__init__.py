"""People, their API tokens, reports, decisions, sanctions, notifications, stored work: one module each."""

from accounts.models.cases import Case, Reason, Report
from accounts.models.decisions import Decision, NeverChanges
from accounts.models.invitations import Invitation
from accounts.models.notifications import Notification
from accounts.models.people import (
    ADMINISTRATORS,
    MODERATORS,
    Channel,
    ChannelQuerySet,
    Follow,
    User,
    UserManager,
    validate_username,
)
from accounts.models.sanctions import Sanction
from accounts.models.tokens import ApiToken
from accounts.models.work import OutboxEntry, SweepFailure

__all__ = [
    "ADMINISTRATORS",
    "MODERATORS",
    "ApiToken",
    "Case",
    "Channel",
    "ChannelQuerySet",
    "Decision",
    "Follow",
    "Invitation",
    "NeverChanges",
    "Notification",
    "OutboxEntry",
    "Reason",
    "Report",
    "Sanction",
    "SweepFailure",
    "User",
    "UserManager",
    "validate_username",
]
