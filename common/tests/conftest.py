"""Fixtures of the project's tests that the tests of the shared foundation use as well."""

from videoplatform.tests.conftest import dead_redis, own_valkey

__all__ = ["dead_redis", "own_valkey"]
