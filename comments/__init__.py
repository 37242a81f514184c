"""Threads and danmaku under anything (arrives with its own issue)."""
