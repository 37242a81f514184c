"""Fixtures of the ingest's tests."""

from live.tests.doorkeeping import door, server
from live.tests.ingesting import one_rung_below

__all__ = ["door", "one_rung_below", "server"]
