"""Who people are: users, their channels, follows, API tokens."""
