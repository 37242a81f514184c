"""Users and their channels (``people``), what moderators decide (``moderation``), what people are told."""

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
    "Channel",
    "ChannelQuerySet",
    "Follow",
    "User",
    "UserManager",
    "validate_username",
]
