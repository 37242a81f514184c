"""The moderators' desk (``desk``), the trail of what was decided (``trail``), and people (``people``)."""

from accounts.admin import desk, people, trail

__all__ = ["desk", "people", "trail"]
