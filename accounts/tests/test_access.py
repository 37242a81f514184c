"""Tests of revocation, and of each change that revokes access."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import access, moderation, services, tokens
from accounts.consumers import NotificationConsumer
from accounts.errors import WrongCredentials
from accounts.models import ApiToken, User
from accounts.tests.authenticator import code_of
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

Letters = Callable[[], list[EmailMessage]]

ME = "/api/v1/accounts/me/"
TOKEN = "/api/v1/accounts/token/"
NEW_PASSWORD = "a quite different sentence"
SETTINGS = "/accounts/settings/"


def test_api_tokens_have_a_single_table() -> None:
    tables = [name for name in connection.introspection.table_names() if "token" in name]
    # Tokens of playback open one video and sign nobody in.
    assert set(tables) == {ApiToken._meta.db_table, "videos_playbacktoken"}


class SignedIn:
    """Person signed in to two browsers and one program."""

    def __init__(self) -> None:
        self.user: User = UserFactory(username="mara")
        self.here, self.elsewhere = Client(), Client()
        self.here.force_login(self.user)
        self.elsewhere.force_login(self.user)
        self.program = APIClient()
        self.program.credentials(HTTP_AUTHORIZATION=f"Token {tokens.create_token(user=self.user)[1]}")

    def confirm(self) -> None:
        self.here.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    def who_is_in(self) -> tuple[bool, bool, bool]:
        """Return whether this browser, the other one and the program are still signed in."""
        pages = [client.get(SETTINGS).status_code == 200 for client in (self.here, self.elsewhere)]
        return pages[0], pages[1], self.program.get(ME).status_code == 200


@pytest.fixture
def mara() -> SignedIn:
    signed_in = SignedIn()
    assert signed_in.who_is_in() == (True, True, True)
    return signed_in


def change_password(mara: SignedIn) -> None:
    new = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    mara.here.post(reverse("account_change_password"), new)


def activate_factor(mara: SignedIn) -> None:
    mara.confirm()
    secret = mara.here.get(reverse("mfa_activate_totp")).context["form"].secret
    mara.here.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert Authenticator.objects.filter(user=mara.user, type="totp").exists()


@pytest.mark.parametrize("change", [change_password, activate_factor])
def test_new_password_or_factor_revokes_everything_but_the_current_session(
    mara: SignedIn, change: Callable[[SignedIn], None]
) -> None:
    change(mara)

    assert mara.who_is_in() == (True, False, False)


def test_deactivated_factor_revokes_everything_but_the_current_session(mara: SignedIn) -> None:
    auth.TOTP.activate(mara.user, auth.generate_totp_secret())
    mara.confirm()

    mara.here.post(reverse("mfa_deactivate_totp"))

    assert not Authenticator.objects.filter(user=mara.user).exists()
    assert mara.who_is_in() == (True, False, False)


def test_new_recovery_codes_revoke_everything_but_the_current_session(mara: SignedIn) -> None:
    auth.TOTP.activate(mara.user, auth.generate_totp_secret())
    mara.confirm()

    mara.here.post(reverse("mfa_generate_recovery_codes"))

    assert mara.who_is_in() == (True, False, False)


def test_password_reset_revokes_everything(mara: SignedIn, letters: Letters) -> None:
    stranger = Client()
    stranger.post(reverse("account_reset_password"), {"email": mara.user.email})
    link = next(word for word in str(letters()[0].body).split() if "/password/reset/key/" in word)
    form = stranger.get(link.removeprefix("http://testserver"), follow=True)

    stranger.post(form.request["PATH_INFO"], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assert mara.who_is_in() == (False, False, False)
    assert Client().login(username="mara", password=NEW_PASSWORD)


def test_suspension_revokes_everything_for_good(mara: SignedIn) -> None:
    chief = UserFactory(is_superuser=True)

    moderation.decide_about(mara.user, by=chief, action="suspend", reason="spam", duration=timedelta(days=1))
    moderation.lift_all(mara.user, by=chief)

    assert mara.who_is_in() == (False, False, False)


def test_password_set_by_administrator_revokes_everything(mara: SignedIn, administrator: User) -> None:
    desk = Client()
    desk.force_login(administrator)
    new = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    desk.post(reverse("admin:auth_user_password_change", args=[mara.user.pk]), new)

    assert mara.who_is_in() == (False, False, False)


def test_unusable_password_revokes_everything(mara: SignedIn) -> None:
    mara.user.set_unusable_password()
    mara.user.save()

    assert mara.who_is_in() == (False, False, False)


def test_password_set_by_command_revokes_everything(mara: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda **_prompt: NEW_PASSWORD)

    call_command("changepassword", "mara", stdout=StringIO())

    assert mara.who_is_in() == (False, False, False)


def test_factor_deleted_by_administrator_revokes_everything(mara: SignedIn, administrator: User) -> None:
    factor = auth.TOTP.activate(mara.user, auth.generate_totp_secret()).instance
    desk = Client()
    desk.force_login(administrator)

    desk.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})

    assert mara.who_is_in() == (False, False, False)


def test_renewed_hash_revokes_nothing(mara: SignedIn, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]

    assert User.objects.get(pk=mara.user.pk).check_password(PASSWORD)

    assert User.objects.get(pk=mara.user.pk).password.startswith("scrypt")
    assert mara.program.get(ME).status_code == 200


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_revocation_closes_the_bell_s_socket() -> None:
    user = await sync_to_async(UserFactory)()
    socket = WebsocketCommunicator(NotificationConsumer.as_asgi(), "/ws/notifications/")
    socket.scope["user"] = user
    await socket.connect()
    await socket.receive_json_from()

    await database_sync_to_async(access.revoke)(await User.objects.aget(pk=user.pk))

    assert await socket.receive_output(10) == {"type": "websocket.close", "code": 1012}


@pytest.mark.django_db(transaction=True)
async def test_socket_that_missed_the_revocation_is_anonymous() -> None:
    user = await sync_to_async(UserFactory)()
    await User.objects.filter(pk=user.pk).aupdate(access_version=1)

    still = await database_sync_to_async(services.as_of_now)(user)

    assert not still.is_authenticated


def test_token_above_the_limit_replaces_the_least_recently_used(settings: Settings) -> None:
    settings.API_TOKENS_PER_PERSON = 3
    user = UserFactory()
    first, second, third = (tokens.create_token(user=user)[0] for _number in range(3))
    ApiToken.objects.filter(pk__in=[first.pk, third.pk]).update(last_used_at=timezone.now())
    ApiToken.objects.filter(pk=second.pk).update(created=timezone.now() - timedelta(days=1))

    fourth, _secret = tokens.create_token(user=user)

    assert set(ApiToken.objects.filter(user=user)) == {first, third, fourth}


def test_token_in_use_expires_a_year_after_creation(settings: Settings) -> None:
    user = UserFactory()
    token, secret = tokens.create_token(user=user)
    made = timezone.now() - timedelta(days=settings.API_TOKEN_MAX_DAYS - 1)
    ApiToken.objects.filter(pk=token.pk).update(created=made, expiry=timezone.now() + timedelta(hours=1))

    answer = APIClient().get(ME, HTTP_AUTHORIZATION=f"Token {secret}")

    token.refresh_from_db()
    assert answer.status_code == 200
    assert token.expiry == made + timedelta(days=settings.API_TOKEN_MAX_DAYS)
    assert token.last_used_at is not None


def test_token_is_refused_after_a_concurrent_revocation() -> None:
    user = UserFactory()
    access.revoke(User.objects.get(pk=user.pk))

    with pytest.raises(WrongCredentials):
        tokens.create_token(user=user)


def test_sweep_deletes_expired_tokens() -> None:
    user = UserFactory()
    over, _secret = tokens.create_token(user=user)
    works, _secret = tokens.create_token(user=user)
    ApiToken.objects.filter(pk=over.pk).update(expiry=timezone.now() - timedelta(seconds=1))

    assert tokens.sweep() == 1
    assert list(ApiToken.objects.all()) == [works]


def test_token_creation_asks_for_the_password_again(client: Client) -> None:
    user = UserFactory(username="mara")
    client.post(reverse("account_login"), {"login": "mara", "password": PASSWORD})

    asked = client.post(reverse("account_token_create"), {"name": "backup"})
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    assert not ApiToken.objects.exists()
    shown = client.post(asked["Location"], {"password": PASSWORD})

    assert ApiToken.objects.get(user=user).name == "backup"
    assert shown.context["new_token"] in shown.content.decode()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("account_email", {"action_add": "", "email": "new@example.org"}),
        ("mfa_activate_totp", {"code": "123456"}),
    ],
)
def test_sensitive_changes_ask_for_the_password_again(
    client: Client, name: str, form: dict[str, str]
) -> None:
    client.force_login(UserFactory())

    asked = client.post(reverse(name), form)

    assert asked["Location"].startswith(reverse("account_reauthenticate"))


@pytest.fixture
def limited(settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}
    cache.clear()


@pytest.mark.redis
def test_page_and_api_share_the_limit_of_second_factor_attempts(
    limited: None, client: Client, settings: Settings
) -> None:
    user = UserFactory(username="mara")
    auth.TOTP.activate(user, secret := auth.generate_totp_secret())
    client.post(reverse("account_login"), {"login": "mara", "password": PASSWORD})
    api = APIClient()
    guess = {"username": "mara", "password": PASSWORD, "code": "000000"}

    for _attempt in range(3):
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    by_api = [api.post(TOKEN, guess).status_code for _attempt in range(2)]
    right = {**guess, "code": code_of(secret)}
    stopped = api.post(TOKEN, right)
    page = client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})

    assert by_api == [401, 401]
    assert (stopped.status_code, stopped.json()["errors"][0]["code"]) == (429, "too_many_attempts")
    assert int(stopped["Retry-After"]) > 0
    assert page.status_code == 200
    assert page.context["form"].errors


@pytest.mark.redis
def test_attempts_by_any_name_and_host_count_for_the_account(
    limited: None, client: Client, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    UserFactory(username="mara", email="mara@example.org")
    api = APIClient()
    logins = ["mara", "MARA", "mara@example.org"]

    for number, login in enumerate(logins):
        api.post(TOKEN, {"username": login, "password": "wrong"}, HTTP_HOST=f"host{number}.example")
    for login in logins[:2]:
        client.post(reverse("account_login"), {"login": login, "password": "wrong"})
    stopped = api.post(TOKEN, {"username": "mara", "password": PASSWORD})

    assert stopped.status_code == 429
