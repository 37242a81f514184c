"""Admin: the moderators' desk, the audit trail, people, invitations, and stored work."""

from accounts.admin import desk, invitations, people, trail, work

__all__ = ["desk", "invitations", "people", "trail", "work"]
