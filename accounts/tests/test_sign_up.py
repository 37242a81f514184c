import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import services
from accounts.models import User
from accounts.names import is_reserved
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

MARA = {"username": "Mara", "email": "Mara@Example.org", "password1": PASSWORD}


def test_signing_up_makes_a_channel_signs_in_and_goes_on(client: Client) -> None:
    response = client.post(reverse("account_signup"), {**MARA, "next": "/upload/"})

    assert (response.status_code, response["Location"]) == (302, "/upload/")
    user = User.objects.get()
    assert (user.username, user.email, user.channel.name) == ("Mara", "mara@example.org", "Mara")
    assert client.session["_auth_user_id"] == str(user.pk)


def test_an_address_too_long_is_refused_and_never_cut(client: Client) -> None:
    long = f"{'a' * 60}@{'.'.join(['b' * 60] * 4)}.org"

    response = client.post(reverse("account_signup"), {**MARA, "email": long})

    assert list(response.context["form"].errors) == ["email"]


def test_signing_up_works_while_the_mail_server_does_not(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    client.post(reverse("account_signup"), MARA)

    assert client.session["_auth_user_id"] == str(User.objects.get().pk)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "Confirmation mail not sent"
    ]


def test_signing_up_never_leaves_for_another_site(client: Client) -> None:
    response = client.post(reverse("account_signup"), {**MARA, "next": "https://evil.example/"})

    assert response["Location"] == "/"


def test_the_address_is_confirmed_by_the_link_in_the_mail(client: Client) -> None:
    client.post(reverse("account_signup"), MARA)

    assert mail.outbox[0].subject == "[Zoetrope] Please Confirm Your Email Address"
    assert "Hello from Zoetrope!" in mail.outbox[0].body
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+/)", str(mail.outbox[0].body))
    assert link
    assert client.get(link[1]).status_code == 200
    client.post(link[1])
    assert EmailAddress.objects.get().verified


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("username", "MARA", "This name is taken."),
        ("username", "Admin", "This name is reserved. Choose another."),
        (
            "username",
            "no spaces",
            "3 to 30 letters, digits, dots, dashes or underscores, beginning with a letter or a digit.",
        ),
        ("email", "MARA@example.org", "This address is in use."),
        ("password1", "password", "This password is too common."),
    ],
)
def test_the_form_says_at_the_field_what_will_not_do(
    client: Client, field: str, value: str, sentence: str
) -> None:
    UserFactory(username="mara", email="mara@example.org")

    response = client.post(
        reverse("account_signup"),
        {"username": "noor", "email": "noor@example.org", "password1": PASSWORD, field: value},
    )

    assert response.context["form"].errors == {field: [sentence]}
    assert f'id="id_{field}_error"' in response.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["api", "STUDIO", "live", "static", "admin_", "embed"])
def test_our_own_names_are_reserved(name: str) -> None:
    assert is_reserved(name)


def test_the_address_of_somebody_s_pending_change_is_in_use() -> None:
    EmailAddress.objects.create(user=UserFactory(), email="new@example.org")

    with pytest.raises(ValidationError, match="in use"):
        services.check_email("New@example.org")


def test_every_way_to_make_a_user_makes_the_channel() -> None:
    by_manager = User.objects.create_user("mara", "mara@example.org", PASSWORD)
    superuser = User.objects.create_superuser("root1", "root@example.org", PASSWORD)
    by_hand = User(username="noor", email="noor@example.org")
    by_hand.save()
    by_service = services.register(username="ana", email="ana@example.org", password=PASSWORD)

    names = [User.objects.get(pk=u.pk).channel.name for u in (by_manager, superuser, by_hand, by_service)]
    assert names == ["mara", "root1", "noor", "ana"]


def test_addresses_are_kept_in_lower_case() -> None:
    assert UserFactory(email="Mara@EXAMPLE.org").email == "mara@example.org"
