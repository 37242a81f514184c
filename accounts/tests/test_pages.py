import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts import tokens
from accounts.models import ApiToken, Channel, Follow, User
from accounts.tests.factories import PASSWORD, UserFactory
from common import deletion

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return UserFactory(username="mara")


@pytest.fixture
def own(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def picture() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(out, "PNG")
    return SimpleUploadedFile("me.png", out.getvalue(), "image/png")


def test_profile_is_saved(own: Client, user: User) -> None:
    response = own.post(reverse("account_settings"), {"display_name": "Mara M.", "bio": "Films."})

    assert response["Location"] == reverse("account_settings")
    channel = Channel.objects.get(owner=user)
    assert (channel.display_name, channel.bio) == ("Mara M.", "Films.")


def test_settings_require_sign_in(client: Client) -> None:
    response = client.get(reverse("account_settings"))

    assert response["Location"] == "/accounts/login/?next=/accounts/settings/"


def test_unreadable_picture_is_refused_at_its_field(own: Client, user: User) -> None:
    file = SimpleUploadedFile("me.png", b"<svg onload=alert(1)>", "image/png")

    response = own.post(reverse("account_settings"), {"display_name": "New", "bio": "", "picture": file})

    assert response.context["form"].errors == {
        "picture": ["Cannot read this image. Save it as JPEG or PNG and try again."]
    }
    assert Channel.objects.get(owner=user).display_name == ""


@pytest.mark.storage
def test_picture_is_stored_as_a_square_and_deleted_after_removal(
    own: Client, user: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    own.post(reverse("account_settings"), {"display_name": "", "bio": "", "picture": picture()})
    first = str(Channel.objects.get(owner=user).avatar.name)
    with default_storage.open(first) as file:
        assert Image.open(file).size == (512, 512)

    with django_capture_on_commit_callbacks(execute=True):
        own.post(reverse("account_settings"), {"display_name": "", "bio": "", "remove_picture": "on"})
    deletion.delete_pending()

    assert Channel.objects.get(owner=user).avatar_url is None
    assert not default_storage.exists(first)


def test_new_token_is_shown_once(own: Client, user: User) -> None:
    own.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    shown = own.post(reverse("account_token_create"))

    secret = shown.context["new_token"]
    assert secret in shown.content.decode()
    assert shown["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert secret not in own.get(reverse("account_settings")).content.decode()
    assert ApiToken.objects.get().user == user


def test_only_own_tokens_can_be_revoked(own: Client, user: User) -> None:
    mine, _secret = tokens.create_token(user=user)
    hers, _secret = tokens.create_token(user=UserFactory())

    for token in (mine, hers):
        own.post(reverse("account_token_revoke"), {"digest": token.digest})

    assert list(ApiToken.objects.all()) == [hers]


@pytest.mark.parametrize("count", [1, 3])
def test_settings_query_count_is_constant(
    own: Client, user: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _token in range(count):
        tokens.create_token(user=user)

    with django_assert_num_queries(5):
        own.get(reverse("account_settings"))


def test_follow_redirects_back(own: Client, user: User) -> None:
    UserFactory(username="noor")
    address = reverse("channel-follow", args=["noor"])

    response = own.post(address, {"following": "true", "next": "/watch/abc/"})
    assert (response["Location"], Follow.objects.count()) == ("/watch/abc/", 1)

    response = own.post(address, {"following": "false", "next": "//evil.example/"})
    assert (response["Location"], Follow.objects.count()) == ("/@noor/", 0)


def test_htmx_follow_returns_the_button(own: Client) -> None:
    UserFactory(username="noor")

    response = own.post(
        reverse("channel-follow", args=["noor"]), {"following": "true"}, headers={"HX-Request": "true"}
    )

    html = response.content.decode()
    assert (response.status_code, response.templates[0].name) == (200, "includes/follow_button.html")
    assert 'value="false"' in html
    assert "csrfmiddlewaretoken" in html


def test_anonymous_follow_redirects_to_sign_in(client: Client) -> None:
    UserFactory(username="noor")
    address = reverse("channel-follow", args=["noor"])
    login = "/accounts/login/?next=/%40noor/"

    assert client.post(address, {"following": "true"})["Location"] == login
    by_htmx = client.post(address, {"following": "true"}, headers={"HX-Request": "true"})
    assert (by_htmx.status_code, by_htmx["HX-Redirect"]) == (204, login)


def test_own_or_suspended_channel_cannot_be_followed(own: Client) -> None:
    UserFactory(username="noor", is_active=False)

    own.post(reverse("channel-follow", args=["mara"]), {"following": "true"})
    gone = own.post(reverse("channel-follow", args=["noor"]), {"following": "true"})

    assert gone.status_code == 404
    assert not Follow.objects.exists()
