"""SQLite backend with case-insensitive text comparison in every script.

SQLite's own ``LOWER`` and ``LIKE`` know ASCII alone.
"""
