from io import StringIO

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts import services, tokens
from accounts.errors import NotTheirs
from accounts.models import User
from accounts.services import Role
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def grant(*arguments: str) -> str:
    out = StringIO()
    call_command("grant", *arguments, stdout=out)
    return out.getvalue()


def powers(user: User) -> tuple[bool, bool, bool, set[str]]:
    user = User.objects.get(pk=user.pk)
    return user.is_moderator, user.is_staff, user.is_superuser, set(user.role_names)


def test_migration_creates_the_groups() -> None:
    moderators = Group.objects.get(name="moderators")
    may = set(moderators.permissions.values_list("codename", flat=True))

    assert Group.objects.filter(name="administrators").exists()
    assert {"view_user", "suspend_user", "view_channel", "change_channel"} <= may


def test_granting_is_idempotent() -> None:
    user = UserFactory(username="mara")

    assert [grant("MARA", "moderator") for _time in range(2)] == ["mara is now a moderator.\n"] * 2
    assert powers(user) == (True, True, False, {"moderators"})


def test_administrator_has_all_powers_and_keeps_the_other_role_after_revocation() -> None:
    user = UserFactory(username="mara")

    grant("mara", "moderator")
    assert grant("mara", "administrator") == "mara is now an administrator.\n"
    assert powers(user) == (True, True, True, {"moderators", "administrators"})
    assert grant("mara", "administrator", "--revoke") == "mara is no longer an administrator.\n"
    assert powers(user) == (True, True, False, {"moderators"})
    grant("mara", "moderator", "--revoke")
    assert powers(user) == (False, False, False, set())


def test_granted_role_counts_at_once_for_the_loaded_user() -> None:
    user = UserFactory()
    assert not user.is_moderator

    services.grant_role(user=user, role=Role.MODERATOR)

    assert user.is_moderator


def test_suspended_moderator_has_no_powers() -> None:
    user = UserFactory(is_active=False)
    services.grant_role(user=user, role=Role.MODERATOR)

    assert not user.is_moderator


def test_command_explains_its_errors() -> None:
    with pytest.raises(CommandError, match=r"There is no user named nobody1\."):
        grant("nobody1", "moderator")
    with pytest.raises(CommandError, match="invalid choice: 'king'"):
        grant("nobody1", "king")


def test_moderators_suspend_neither_themselves_nor_people_with_a_role() -> None:
    moderator, other, admin = UserFactory(), UserFactory(), UserFactory(is_superuser=True)
    for user in (moderator, other):
        services.grant_role(user=user, role=Role.MODERATOR)

    for user in (moderator, other, admin):
        with pytest.raises(NotTheirs):
            services.set_active(user=user, active=False, by=moderator)
    services.set_active(user=other, active=False, by=admin)

    assert not User.objects.get(pk=other.pk).is_active


@pytest.fixture
def moderator(client: Client) -> Client:
    user = UserFactory(username="moderator1")
    services.grant_role(user=user, role=Role.MODERATOR)
    client.force_login(user)
    return client


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(UserFactory(username="boss", is_staff=True, is_superuser=True))
    return client


def test_moderator_suspends_and_lifts_in_the_admin(moderator: Client) -> None:
    user = UserFactory(username="mara")
    people = reverse("admin:accounts_user_changelist")
    chosen = {"_selected_action": [user.pk]}

    answer = moderator.post(people, {**chosen, "action": "suspend"}, follow=True)
    assert "1 user was suspended." in answer.content.decode()
    assert not User.objects.get(pk=user.pk).is_active

    moderator.post(people, {**chosen, "action": "lift_all"})
    assert User.objects.get(pk=user.pk).is_active


def test_moderator_cannot_grant_themselves_powers(moderator: Client) -> None:
    user = User.objects.get(username="moderator1")
    page = reverse("admin:accounts_user_change", args=[user.pk])

    assert moderator.get(page).status_code == 200
    assert moderator.post(page, {"username": "moderator1", "is_superuser": "on"}).status_code == 403


def test_admin_shows_no_secrets(administrator: Client) -> None:
    user = UserFactory(username="mara")
    token, _secret = tokens.create_token(user=user)
    secret = generate_totp_secret()
    factor = TOTP.activate(user, secret).instance

    pages = [
        reverse("admin:accounts_user_change", args=[user.pk]),
        reverse("admin:accounts_apitoken_changelist"),
        reverse("admin:mfa_authenticator_change", args=[factor.pk]),
    ]
    texts = [administrator.get(page).content.decode() for page in pages]

    for text in texts:
        assert "mara" in text
        for hidden in (user.password[-20:], "pbkdf2", "md5$", token.token_key, secret):
            assert hidden not in text


def test_user_added_in_the_admin_has_a_channel(administrator: Client) -> None:
    form = {
        "username": "noor",
        "email": "noor@example.org",
        "password1": "x9!lampshade",
        "password2": "x9!lampshade",
    }

    administrator.post(reverse("admin:accounts_user_add"), form)

    assert User.objects.get(username="noor").channel.name == "noor"


@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.parametrize(("model", "queries"), [("user", 5), ("channel", 4), ("follow", 4)])
def test_admin_list_query_count_is_constant(
    administrator: Client,
    model: str,
    queries: int,
    people: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    channel = UserFactory().channel
    for _person in range(people):
        services.follow(user=UserFactory(), channel=channel)

    with django_assert_num_queries(queries):
        administrator.get(reverse(f"admin:accounts_{model}_changelist"))
