"""People: users, their channels, follows, API tokens."""
