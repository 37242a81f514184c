import re
from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import services
from accounts.models import OutboxEntry, User
from accounts.names import is_reserved
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

Letters = Callable[[], list[EmailMessage]]
MARA = {"username": "Mara", "email": "Mara@Example.org", "password1": PASSWORD}


def test_sign_up_creates_a_channel_signs_in_and_redirects(client: Client) -> None:
    response = client.post(reverse("account_signup"), {**MARA, "next": "/upload/"})

    assert (response.status_code, response["Location"]) == (302, "/upload/")
    user = User.objects.get()
    assert (user.username, user.email, user.channel.name) == ("Mara", "mara@example.org", "Mara")
    assert client.session["_auth_user_id"] == str(user.pk)


def test_too_long_address_is_refused_and_not_cut(client: Client) -> None:
    long = f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.org"

    response = client.post(reverse("account_signup"), {**MARA, "email": long})

    assert list(response.context["form"].errors) == ["email"]


def test_mail_waits_in_the_outbox_during_an_outage(
    client: Client, settings: Settings, letters: Letters
) -> None:
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    client.post(reverse("account_signup"), MARA)
    letters()
    waiting = OutboxEntry.objects.get()
    settings.EMAIL_BACKEND = working
    OutboxEntry.objects.update(not_before=timezone.now())

    assert client.session["_auth_user_id"] == str(User.objects.get().pk)
    assert waiting.error.startswith("ConnectionRefusedError")
    assert len(letters()) == 1
    assert not OutboxEntry.objects.exists()


def test_sign_up_does_not_redirect_to_another_site(client: Client) -> None:
    response = client.post(reverse("account_signup"), {**MARA, "next": "https://evil.example/"})

    assert response["Location"] == "/"


def test_link_in_the_mail_confirms_the_address(client: Client, letters: Letters) -> None:
    client.post(reverse("account_signup"), MARA)
    letter = letters()[0]

    assert letter.subject == "Welcome to Zoetrope: confirm your email address"
    assert "Hello Mara," in letter.body
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+/)", str(letter.body))
    assert link
    assert client.get(link[1]).status_code == 200
    client.post(link[1])
    assert EmailAddress.objects.get().verified


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("username", "MARA", "This username is taken."),
        ("username", "Admin", "This username is reserved. Choose another one."),
        (
            "username",
            "no spaces",
            "3 to 30 letters, digits, dots, dashes or underscores. Must begin with a letter or digit.",
        ),
        ("email", "MARA@example.org", "This email address is already in use."),
        ("password1", "password", "This password is too common."),
    ],
)
def test_form_shows_the_error_at_its_field(client: Client, field: str, value: str, sentence: str) -> None:
    UserFactory(username="mara", email="mara@example.org")

    response = client.post(
        reverse("account_signup"),
        {"username": "noor", "email": "noor@example.org", "password1": PASSWORD, field: value},
    )

    assert response.context["form"].errors == {field: [sentence]}
    assert f'id="id_{field}_error"' in response.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["api", "STUDIO", "live", "static", "admin_", "embed"])
def test_site_s_names_are_reserved(name: str) -> None:
    assert is_reserved(name)


def test_address_of_a_pending_change_is_in_use() -> None:
    EmailAddress.objects.create(user=UserFactory(), email="new@example.org")

    with pytest.raises(ValidationError, match="in use"):
        services.check_email("New@example.org")


def test_every_new_user_has_a_channel() -> None:
    by_manager = User.objects.create_user("mara", "mara@example.org", PASSWORD)
    superuser = User.objects.create_superuser("root1", "root@example.org", PASSWORD)
    by_hand = User(username="noor", email="noor@example.org")
    by_hand.save()
    by_service = services.register(username="ana", email="ana@example.org", password=PASSWORD)

    names = [User.objects.get(pk=u.pk).channel.name for u in (by_manager, superuser, by_hand, by_service)]
    assert names == ["mara", "root1", "noor", "ana"]


def test_addresses_are_stored_in_lower_case() -> None:
    assert UserFactory(email="Mara@EXAMPLE.org").email == "mara@example.org"
