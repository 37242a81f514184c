"""Everything that happens now: streams, broadcasts, chat (arrives with its own issue)."""
