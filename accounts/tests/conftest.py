from collections.abc import Callable

import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from accounts import outbox, services
from accounts.models import User
from accounts.moderation import registry
from accounts.services import Role
from accounts.tests.factories import UserFactory
from accounts.tests.reportable import Wall, notes_on


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Use a fast hash: the real one takes a quarter of a second, to slow down guessing."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def letters(mailoutbox: list[EmailMessage]) -> Callable[[], list[EmailMessage]]:
    """Return a function that works the outbox and returns all mail so far."""

    def work() -> list[EmailMessage]:
        outbox.work()
        return mailoutbox

    return work


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Return an empty wall whose notes can be reported."""
    made = Wall()
    monkeypatch.setitem(registry._kinds, "note", notes_on(made))
    return made


@pytest.fixture
def moderator(db: None) -> User:
    user = UserFactory(username="moderator1")
    services.grant_role(user=user, role=Role.MODERATOR)
    return user


@pytest.fixture
def administrator(db: None) -> User:
    return UserFactory(username="boss", is_staff=True, is_superuser=True)
