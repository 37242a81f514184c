"""Danmaku: written at the playhead, read in buckets of 30 seconds."""
