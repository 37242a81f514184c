"""A person who is signed in, for tests of pages in every app."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory


@pytest.fixture
def person(db: None) -> User:
    user: User = UserFactory()
    return user


@pytest.fixture
def signed_in(client: Client, person: User) -> Client:
    """Return the client of ``person``."""
    client.force_login(person)
    return client
