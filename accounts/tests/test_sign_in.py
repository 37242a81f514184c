from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import services
from accounts.services import Role
from accounts.tests.authenticator import code_of
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

Letters = Callable[[], list[EmailMessage]]
PAGES = ["account_login", "account_signup", "account_reset_password", "account_inactive"]
OWN_PAGES = [
    "account_settings",
    "account_email",
    "account_change_password",
    "account_logout",
    "mfa_index",
    "account_reset_password_done",
    "account_email_verification_sent",
]


def sign_in(client: Client, login: str, password: str = PASSWORD, **more: str) -> str:
    """Sign in, and return the redirect's address, or an empty string if the form comes back."""
    response = client.post(reverse("account_login"), {"login": login, "password": password, **more})
    return response.headers.get("Location", "")


@pytest.mark.parametrize("login", ["mara", "MARA", "mara@example.org", "Mara@Example.ORG"])
def test_sign_in_by_name_or_address_in_any_case(client: Client, login: str) -> None:
    UserFactory(username="Mara", email="mara@example.org")

    assert sign_in(client, login, next="/studio/") == "/studio/"


def test_wrong_password_and_unknown_name_have_the_same_error(client: Client) -> None:
    UserFactory(username="mara")

    texts = [
        client.post(reverse("account_login"), {"login": login, "password": "wrong"}).context["form"].errors
        for login in ("mara", "nobody-here")
    ]

    assert texts[0] == texts[1] == {"__all__": ["Incorrect username or password."]}


def test_suspended_person_sees_the_reason_and_is_not_signed_in(client: Client) -> None:
    UserFactory(username="mara", is_active=False)

    assert sign_in(client, "mara") == reverse("account_inactive")
    assert "_auth_user_id" not in client.session


def test_suspension_ends_the_session(client: Client) -> None:
    user = UserFactory()
    client.force_login(user)

    user.is_active = False
    user.save()

    assert client.get(reverse("account_settings")).status_code == 302


def test_second_factor_is_required(client: Client) -> None:
    user = UserFactory(username="mara")
    auth.TOTP.activate(user, auth.generate_totp_secret())
    code = RecoveryCodes.activate(user).get_unused_codes()[0]

    assert sign_in(client, "mara") == reverse("mfa_authenticate")
    assert client.get(reverse("mfa_authenticate")).status_code == 200
    assert client.get(reverse("account_settings")).status_code == 302
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert client.get(reverse("account_settings")).status_code == 200


def test_activated_factor_has_recovery_codes(client: Client) -> None:
    user = UserFactory(username="mara")
    sign_in(client, "mara")

    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    code = code_of(page.context["form"].secret)
    client.post(reverse("mfa_activate_totp"), {"code": code})

    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    assert kinds == {"totp", "recovery_codes"}
    for name in (
        "mfa_index",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_deactivate_totp",
    ):
        assert client.get(reverse(name)).status_code == 200
    assert client.get(reverse("mfa_download_recovery_codes"))["Content-Type"] == "text/plain"


def test_admin_login_redirects_to_the_site_s(client: Client) -> None:
    response = client.get("/admin/login/?next=/admin/")

    assert response["Location"] == "/accounts/login/?next=%2Fadmin%2F"


@pytest.mark.parametrize("role", Role)
def test_admin_requires_the_second_factor_if_one_is_set(client: Client, role: Role) -> None:
    user = UserFactory(username="mara")
    services.grant_role(user=user, role=role)
    auth.TOTP.activate(user, secret := auth.generate_totp_secret())

    leads_to = sign_in(client, "mara", next="/admin/")
    before = [
        client.get(page).status_code for page in ("/admin/", "/admin/accounts/user/", "/admin/figures/")
    ]
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    guessed = client.get("/admin/").status_code
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})

    assert leads_to.partition("?")[0] == reverse("mfa_authenticate")
    assert (before, guessed) == ([302, 302, 302], 302)
    assert client.get("/admin/").status_code == 200


def test_forgotten_password_is_reset_by_mail(client: Client, letters: Letters) -> None:
    UserFactory(username="mara", email="mara@example.org")

    client.post(reverse("account_reset_password"), {"email": "MARA@example.org"})
    link = next(word for word in str(letters()[0].body).split() if "/password/reset/key/" in word)
    form = client.get(link.removeprefix("http://testserver"), follow=True)
    new = "a quite different sentence"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})

    assert sign_in(client, "mara", new) == "/"


def test_new_address_is_used_after_its_confirmation(client: Client, letters: Letters) -> None:
    user = UserFactory(username="mara", email="mara@example.org")
    sign_in(client, "mara")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    client.post(reverse("account_email"), {"action_add": "", "email": "new@example.org"})
    user.refresh_from_db()
    assert user.email == "mara@example.org"
    link = next(word for word in str(letters()[-1].body).split() if "/confirm-email/" in word)
    client.post(link.removeprefix("http://testserver"))

    user.refresh_from_db()
    assert user.email == "new@example.org"


def test_change_to_an_address_in_use_is_refused(client: Client) -> None:
    UserFactory(email="noor@example.org")
    UserFactory(username="mara")
    sign_in(client, "mara")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    response = client.post(reverse("account_email"), {"action_add": "", "email": "NOOR@example.org"})

    assert response.context["form"].errors == {"email": ["This email address is already in use."]}


def test_account_s_own_address_cannot_be_removed(client: Client) -> None:
    user = UserFactory(username="mara", email="mara@example.org")
    sign_in(client, "mara")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    client.post(reverse("account_email"), {"action_remove": "", "email": "mara@example.org"})

    user.refresh_from_db()
    assert user.email == "mara@example.org"


def test_guessing_passwords_is_limited(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}
    cache.clear()
    UserFactory(username="mara")

    for _attempt in range(5):
        sign_in(client, "mara", "wrong")

    assert sign_in(client, "mara") == ""
    cache.clear()


@pytest.mark.parametrize("name", PAGES)
def test_public_pages_are_shown_to_anonymous_visitors(client: Client, name: str) -> None:
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", OWN_PAGES)
def test_own_pages_are_shown_to_signed_in_people(client: Client, name: str) -> None:
    UserFactory(username="mara")
    sign_in(client, "mara")

    assert client.get(reverse(name)).status_code == 200
