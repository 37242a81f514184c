import pytest
from pytest_django import Settings

from accounts import services
from accounts.models import User
from accounts.moderation import registry
from accounts.services import Role
from accounts.tests.factories import UserFactory
from accounts.tests.reportable import Wall, notes_on


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """A quarter of a second for every password is meant for those who guess them."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """An empty wall whose notes can be reported."""
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
