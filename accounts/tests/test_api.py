from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.core.cache import cache
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from accounts import services
from accounts.models import Follow, User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/accounts/register/"
TOKEN = "/api/v1/accounts/token/"
ME = "/api/v1/accounts/me/"


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def as_user(user: User) -> APIClient:
    """A client that sends one of the user's tokens."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {services.create_token(user=user)[1]}")
    return client


def errors(response: Any) -> list[tuple[str, str | None]]:
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


# --- Registering ------------------------------------------------------------------


def test_registering_answers_with_a_token_that_works(
    api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = api.post(REGISTER, {"username": "Mara", "email": "mara@example.org", "password": PASSWORD})

    assert response.status_code == 201
    assert response.json().keys() == {"username", "token"}
    api.credentials(HTTP_AUTHORIZATION=f"Token {response.json()['token']}")
    assert api.get(ME).json()["username"] == "Mara"
    assert [message.to for message in mail.outbox] == [["mara@example.org"]]


def test_registering_names_every_field_that_will_not_do(api: APIClient) -> None:
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
def test_nonsense_is_a_validation_error(api: APIClient, body: Any) -> None:
    assert api.post(REGISTER, body).status_code == 400
    assert api.post(TOKEN, body).status_code == 400


# --- Signing in -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mara", "MARA", "Mara@Example.org"])
def test_a_token_is_given_for_name_or_address(api: APIClient, name: str) -> None:
    UserFactory(username="Mara", email="mara@example.org")

    response = api.post(TOKEN, {"username": name, "password": PASSWORD})

    assert response.status_code == 200
    assert response.json().keys() == {"token"}


def test_a_wrong_password_is_a_401_that_names_the_scheme(api: APIClient) -> None:
    UserFactory(username="mara")

    response = api.post(TOKEN, {"username": "mara", "password": "wrong"})

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")
    assert response.json() == {
        "type": "client_error",
        "errors": [
            {
                "code": "wrong_credentials",
                "detail": "The name or the password is not right.",
                "attr": None,
            }
        ],
    }


def test_a_second_factor_is_asked_for_and_a_code_works_once(api: APIClient) -> None:
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


def test_a_wrong_password_does_not_tell_of_the_second_factor(api: APIClient) -> None:
    TOTP.activate(UserFactory(username="mara"), generate_totp_secret())

    response = api.post(TOKEN, {"username": "mara", "password": "wrong", "code": "123456"})

    assert errors(response) == [("wrong_credentials", None)]


def test_tokens_are_kept_hashed() -> None:
    token, secret = services.create_token(user=UserFactory())

    stored = AuthToken.objects.filter(pk=token.pk).values().get()
    assert len(secret) == 64
    assert secret not in str(stored)
    assert token.expiry is not None


@pytest.mark.parametrize("header", ["Token", "Token x y", "Token nonsense", "Token \xff", "Token a\0b"])
def test_a_token_that_is_none_is_a_401(api: APIClient, header: str) -> None:
    response = api.get(ME, HTTP_AUTHORIZATION=header)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


def test_a_suspended_person_s_token_stops_working_and_none_is_given(api: APIClient) -> None:
    user = UserFactory(username="mara")
    client = as_user(user)

    services.set_active(user=user, active=False, by=UserFactory(is_superuser=True))

    assert client.get(ME).status_code == 401
    assert api.post(TOKEN, {"username": "mara", "password": PASSWORD}).status_code == 401


def test_guessing_is_stopped_per_account_in_any_case(api: APIClient, settings: Settings) -> None:
    settings.RATE_LIMITS = True
    cache.clear()
    UserFactory(username="mara")

    codes = [api.post(TOKEN, {"username": "Mara", "password": "wrong"}).status_code for _attempt in range(10)]
    stopped = api.post(TOKEN, {"username": "mara", "password": PASSWORD})
    other = api.post(TOKEN, {"username": "noor", "password": "wrong"})

    assert codes == [401] * 10
    assert (stopped.status_code, other.status_code) == (429, 401)
    assert 0 < int(stopped["Retry-After"]) <= 60
    cache.clear()


def test_a_forged_forwarding_header_does_not_lift_a_limit(api: APIClient, settings: Settings) -> None:
    settings.RATE_LIMITS = True
    cache.clear()

    codes = [api.post(REGISTER, {}, HTTP_X_FORWARDED_FOR=f"10.0.0.{n}").status_code for n in range(31)]

    assert codes == [400] * 30 + [429]
    cache.clear()


# --- Oneself ------------------------------------------------------------------------


def test_me_is_whoever_asks(api: APIClient) -> None:
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


def test_me_changes_the_profile_and_nothing_else() -> None:
    user = UserFactory(username="mara", email="mara@example.org")

    response = as_user(user).patch(
        ME, {"display_name": "玛拉", "is_moderator": True, "email": "evil@example.org", "username": "root"}
    )

    assert response.status_code == 200
    user.refresh_from_db()
    assert (user.username, user.email, user.channel.display_name) == ("mara", "mara@example.org", "玛拉")
    assert response.json()["is_moderator"] is False


def test_me_refuses_what_is_too_long() -> None:
    response = as_user(UserFactory()).patch(ME, {"display_name": "x" * 61})

    assert errors(response) == [("max_length", "display_name")]


# --- Channels -------------------------------------------------------------------------


def test_a_channel_is_found_in_any_case(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    channel = UserFactory(username="Mara").channel
    for _follower in range(3):
        services.follow(user=UserFactory(), channel=channel)

    with django_assert_num_queries(2):  # the channel, and whether it is on air
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


def test_a_suspended_person_s_channel_is_not_found(api: APIClient) -> None:
    UserFactory(username="mara", is_active=False)

    assert api.get("/api/v1/channels/mara/").status_code == 404
    assert as_user(UserFactory()).put("/api/v1/channels/mara/follow/").status_code == 404


def test_following_twice_is_following_once() -> None:
    channel = UserFactory(username="mara").channel
    client = as_user(UserFactory())

    answers = [client.put("/api/v1/channels/mara/follow/").status_code for _time in range(2)]

    assert answers == [204, 204]
    assert Follow.objects.filter(channel=channel).count() == 1
    assert client.get("/api/v1/channels/mara/").json()["is_following"] is True


def test_unfollowing_twice_is_unfollowing_once() -> None:
    UserFactory(username="mara")
    client = as_user(UserFactory())
    client.put("/api/v1/channels/mara/follow/")

    answers = [client.delete("/api/v1/channels/mara/follow/").status_code for _time in range(2)]

    assert answers == [204, 204]
    assert not Follow.objects.exists()


def test_nobody_follows_themselves() -> None:
    response = as_user(UserFactory(username="mara")).put("/api/v1/channels/mara/follow/")

    assert response.status_code == 400
    assert errors(response) == [("own_channel", None)]


def test_strangers_do_not_follow(api: APIClient) -> None:
    UserFactory(username="mara")

    assert api.put("/api/v1/channels/mara/follow/").status_code == 401


def test_the_schema_names_the_token(api: APIClient) -> None:
    schemes = api.get("/api/schema/?format=json").json()["components"]["securitySchemes"]

    assert schemes["token"]["name"] == "Authorization"
