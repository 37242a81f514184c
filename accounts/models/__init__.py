"""Users and their channels (``people``), what moderators decide (``moderation``), what people are told."""

from accounts.models.moderation import Case, Decision, NeverChanges, Reason, Report, Sanction
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

__all__ = [
    "ADMINISTRATORS",
    "MODERATORS",
    "Case",
    "Channel",
    "ChannelQuerySet",
    "Decision",
    "Follow",
    "NeverChanges",
    "Notification",
    "Reason",
    "Report",
    "Sanction",
    "User",
    "UserManager",
    "validate_username",
]
