from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.mail import EmailMessage
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts import services, tokens
from accounts.models import ApiToken, Follow, User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/accounts/register/"
TOKEN = "/api/v1/accounts/token/"
ME = "/api/v1/accounts/me/"


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def as_user(user: User) -> APIClient:
    """Return a client that sends a token of the user."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {tokens.create_token(user=user)[1]}")
    return client


def errors(response: Any) -> list[tuple[str, str | None]]:
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def test_registration_returns_a_working_token(
    api: APIClient, letters: Callable[[], list[EmailMessage]]
) -> None:
    response = api.post(REGISTER, {"username": "Mara", "email": "mara@example.org", "password": PASSWORD})

    assert response.status_code == 201
    assert response.json().keys() == {"username", "token"}
    api.credentials(HTTP_AUTHORIZATION=f"Token {response.json()['token']}")
    assert api.get(ME).json()["username"] == "Mara"
    assert [letter.to for letter in letters()] == [["mara@example.org"]]


def test_registration_names_every_wrong_field(api: APIClient) -> None:
    UserFactory(username="mara", email="mara@example.org")

    response = api.post(REGISTER, {"username": "MARA", "email": "Mara@example.org", "password": "12345"})

    assert response.status_code == 400
    assert response.json()["type"] == "validation_error"
    assert errors(response) == [
        ("unique", "username"),
        ("unique", "email"),
        ("password_too_short", "password"),
        ("password_too_common", "password"),
        ("password_entirely_numeric", "password"),
    ]


@pytest.mark.parametrize(
    "body", [[], "x", {"username": 5}, {"username": "a\0b", "email": {}, "password": []}]
)
def test_malformed_body_is_a_validation_error(api: APIClient, body: Any) -> None:
    assert api.post(REGISTER, body).status_code == 400
    assert api.post(TOKEN, body).status_code == 400


@pytest.mark.parametrize("name", ["mara", "MARA", "Mara@Example.org"])
def test_token_is_issued_for_name_or_address(api: APIClient, name: str) -> None:
    UserFactory(username="Mara", email="mara@example.org")

    response = api.post(TOKEN, {"username": name, "password": PASSWORD})

    assert response.status_code == 200
    assert response.json().keys() == {"token"}


def test_wrong_password_is_a_401_with_the_scheme(api: APIClient) -> None:
    UserFactory(username="mara")

    response = api.post(TOKEN, {"username": "mara", "password": "wrong"})

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")
    assert response.json() == {
        "type": "client_error",
        "errors": [
            {
                "code": "wrong_credentials",
                "detail": "Incorrect username or password.",
                "attr": None,
            }
        ],
    }


def test_second_factor_is_required_and_a_code_works_once(api: APIClient) -> None:
    user = UserFactory(username="mara")
    TOTP.activate(user, generate_totp_secret())
    code = RecoveryCodes.activate(user).get_unused_codes()[0]
    credentials = {"username": "mara", "password": PASSWORD}

    answers = [
        api.post(TOKEN, credentials),
        api.post(TOKEN, {**credentials, "code": "00000000"}),
        api.post(TOKEN, {**credentials, "code": code}),
        api.post(TOKEN, {**credentials, "code": code}),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 200, 401]
    assert errors(answers[0]) == [("mfa_required", None)]
    assert errors(answers[1]) == errors(answers[3]) == [("mfa_code_invalid", None)]


def test_wrong_password_does_not_reveal_the_second_factor(api: APIClient) -> None:
    TOTP.activate(UserFactory(username="mara"), generate_totp_secret())

    response = api.post(TOKEN, {"username": "mara", "password": "wrong", "code": "123456"})

    assert errors(response) == [("wrong_credentials", None)]


def test_tokens_are_stored_hashed() -> None:
    token, secret = tokens.create_token(user=UserFactory())

    stored = ApiToken.objects.filter(pk=token.pk).values().get()
    assert len(secret) == 64
    assert secret not in str(stored)
    assert token.expiry is not None


@pytest.mark.parametrize("header", ["Token", "Token x y", "Token nonsense", "Token \xff", "Token a\0b"])
def test_malformed_token_is_a_401(api: APIClient, header: str) -> None:
    response = api.get(ME, HTTP_AUTHORIZATION=header)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


def test_suspended_person_loses_tokens_and_gets_no_new_one(api: APIClient) -> None:
    user = UserFactory(username="mara")
    client = as_user(user)

    services.set_active(user=user, active=False, by=UserFactory(is_superuser=True))

    assert client.get(ME).status_code == 401
    assert api.post(TOKEN, {"username": "mara", "password": PASSWORD}).status_code == 401


@pytest.mark.usefixtures("slow_limits")
def test_guessing_is_limited_by_account_in_any_case(api: APIClient) -> None:
    UserFactory(username="mara")

    codes = [api.post(TOKEN, {"username": "Mara", "password": "wrong"}).status_code for _attempt in range(5)]
    stopped = api.post(TOKEN, {"username": "mara", "password": PASSWORD})
    other = api.post(TOKEN, {"username": "noor", "password": "wrong"})

    assert codes == [401] * 5
    assert (stopped.status_code, other.status_code) == (429, 401)
    assert 0 < int(stopped["Retry-After"]) <= 300


@pytest.mark.usefixtures("slow_limits")
def test_forged_forwarding_header_does_not_lift_the_limit(api: APIClient) -> None:
    codes = [api.post(REGISTER, {}, HTTP_X_FORWARDED_FOR=f"10.0.0.{n}").status_code for n in range(31)]

    assert codes == [400] * 30 + [429]


def test_me_is_the_requester(api: APIClient) -> None:
    user = UserFactory(username="mara", email="mara@example.org")

    assert as_user(user).get(ME).json() == {
        "username": "mara",
        "email": "mara@example.org",
        "display_name": "",
        "bio": "",
        "avatar_url": None,
        "is_moderator": False,
    }
    assert api.get(ME).status_code == 401


def test_me_changes_only_the_profile() -> None:
    user = UserFactory(username="mara", email="mara@example.org")

    response = as_user(user).patch(
        ME, {"display_name": "玛拉", "is_moderator": True, "email": "evil@example.org", "username": "root"}
    )

    assert response.status_code == 200
    user.refresh_from_db()
    assert (user.username, user.email, user.channel.display_name) == ("mara", "mara@example.org", "玛拉")
    assert response.json()["is_moderator"] is False


def test_me_refuses_a_too_long_display_name() -> None:
    response = as_user(UserFactory()).patch(ME, {"display_name": "x" * 61})

    assert errors(response) == [("max_length", "display_name")]


def test_channel_is_found_in_any_case(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    channel = UserFactory(username="Mara").channel
    for _follower in range(3):
        services.follow(user=UserFactory(), channel=channel)

    with django_assert_num_queries(2):  # the channel, and its broadcast
        body = api.get("/api/v1/channels/mara/").json()

    assert body.pop("created_at")
    assert body == {
        "username": "Mara",
        "display_name": "Mara",
        "bio": "",
        "avatar_url": None,
        "follower_count": 3,
        "is_following": False,
        "live": False,
    }


def test_suspended_person_s_channel_is_not_found(api: APIClient) -> None:
    UserFactory(username="mara", is_active=False)

    assert api.get("/api/v1/channels/mara/").status_code == 404
    assert as_user(UserFactory()).put("/api/v1/channels/mara/follow/").status_code == 404


def test_following_is_idempotent() -> None:
    channel = UserFactory(username="mara").channel
    client = as_user(UserFactory())

    answers = [client.put("/api/v1/channels/mara/follow/").status_code for _time in range(2)]

    assert answers == [204, 204]
    assert Follow.objects.filter(channel=channel).count() == 1
    assert client.get("/api/v1/channels/mara/").json()["is_following"] is True


def test_unfollowing_is_idempotent() -> None:
    UserFactory(username="mara")
    client = as_user(UserFactory())
    client.put("/api/v1/channels/mara/follow/")

    answers = [client.delete("/api/v1/channels/mara/follow/").status_code for _time in range(2)]

    assert answers == [204, 204]
    assert not Follow.objects.exists()


def test_own_channel_cannot_be_followed() -> None:
    response = as_user(UserFactory(username="mara")).put("/api/v1/channels/mara/follow/")

    assert response.status_code == 400
    assert errors(response) == [("own_channel", None)]


def test_anonymous_follow_is_refused(api: APIClient) -> None:
    UserFactory(username="mara")

    assert api.put("/api/v1/channels/mara/follow/").status_code == 401


def test_schema_describes_token_authentication(api: APIClient) -> None:
    schemes = api.get("/api/schema/?format=json").json()["components"]["securitySchemes"]

    assert schemes["token"]["name"] == "Authorization"
