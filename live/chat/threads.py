"""Threads for the chat's SQL queries; moderation has its own, because it waits for locks."""

from __future__ import annotations

from common.threads import SqlThreads

MAX_READERS = 4
MAX_MODERATORS = 2

reading = SqlThreads("chat-reading", MAX_READERS)
moderating = SqlThreads("chat-moderating", MAX_MODERATORS)
