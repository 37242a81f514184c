import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from PIL import Image
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts import services
from accounts.models import Channel, Follow, User
from accounts.tests.factories import UserFactory

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


# --- Settings -----------------------------------------------------------------------


def test_the_profile_is_saved(own: Client, user: User) -> None:
    response = own.post(reverse("account_settings"), {"display_name": "Mara M.", "bio": "Films."})

    assert response["Location"] == reverse("account_settings")
    channel = Channel.objects.get(owner=user)
    assert (channel.display_name, channel.bio) == ("Mara M.", "Films.")


def test_settings_are_for_those_signed_in(client: Client) -> None:
    response = client.get(reverse("account_settings"))

    assert response["Location"] == "/accounts/login/?next=/accounts/settings/"


def test_a_picture_that_is_none_is_refused_at_its_field(own: Client, user: User) -> None:
    file = SimpleUploadedFile("me.png", b"<svg onload=alert(1)>", "image/png")

    response = own.post(reverse("account_settings"), {"display_name": "New", "bio": "", "picture": file})

    assert response.context["form"].errors == {
        "picture": ["We cannot read this picture. Save it as JPEG or PNG and try again."]
    }
    assert Channel.objects.get(owner=user).display_name == ""


@pytest.mark.storage
def test_a_picture_is_stored_as_a_square_and_the_old_one_goes(
    own: Client, user: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    own.post(reverse("account_settings"), {"display_name": "", "bio": "", "picture": picture()})
    first = str(Channel.objects.get(owner=user).avatar.name)
    with default_storage.open(first) as file:
        assert Image.open(file).size == (512, 512)

    with django_capture_on_commit_callbacks(execute=True):
        own.post(reverse("account_settings"), {"display_name": "", "bio": "", "remove_picture": "on"})

    assert Channel.objects.get(owner=user).avatar_url is None
    assert not default_storage.exists(first)


def test_a_new_token_is_shown_once(own: Client, user: User) -> None:
    shown = own.post(reverse("account_token_create"))

    secret = shown.context["new_token"]
    assert secret in shown.content.decode()
    assert shown["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert secret not in own.get(reverse("account_settings")).content.decode()
    assert AuthToken.objects.get().user == user


def test_one_revokes_one_s_own_tokens_only(own: Client, user: User) -> None:
    mine, _secret = services.create_token(user=user)
    hers, _secret = services.create_token(user=UserFactory())

    for token in (mine, hers):
        own.post(reverse("account_token_revoke"), {"digest": token.digest})

    assert list(AuthToken.objects.all()) == [hers]


@pytest.mark.parametrize("tokens", [1, 3])
def test_the_settings_page_asks_the_same_whatever_it_lists(
    own: Client, user: User, tokens: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _token in range(tokens):
        services.create_token(user=user)

    with django_assert_num_queries(5):
        own.get(reverse("account_settings"))


# --- Following ------------------------------------------------------------------------


def test_following_goes_back_to_where_one_was(own: Client, user: User) -> None:
    UserFactory(username="noor")
    address = reverse("channel-follow", args=["noor"])

    response = own.post(address, {"following": "true", "next": "/watch/abc/"})
    assert (response["Location"], Follow.objects.count()) == ("/watch/abc/", 1)

    response = own.post(address, {"following": "false", "next": "//evil.example/"})
    assert (response["Location"], Follow.objects.count()) == ("/@noor/", 0)


def test_htmx_gets_the_button_anew(own: Client) -> None:
    UserFactory(username="noor")

    response = own.post(
        reverse("channel-follow", args=["noor"]), {"following": "true"}, headers={"HX-Request": "true"}
    )

    html = response.content.decode()
    assert (response.status_code, response.templates[0].name) == (200, "includes/follow_button.html")
    assert 'value="false"' in html
    assert "csrfmiddlewaretoken" in html


def test_a_stranger_signs_in_first(client: Client) -> None:
    UserFactory(username="noor")
    address = reverse("channel-follow", args=["noor"])
    login = "/accounts/login/?next=/%40noor/"

    assert client.post(address, {"following": "true"})["Location"] == login
    by_htmx = client.post(address, {"following": "true"}, headers={"HX-Request": "true"})
    assert (by_htmx.status_code, by_htmx["HX-Redirect"]) == (204, login)


def test_nobody_follows_themselves_or_the_suspended(own: Client) -> None:
    UserFactory(username="noor", is_active=False)

    own.post(reverse("channel-follow", args=["mara"]), {"following": "true"})
    gone = own.post(reverse("channel-follow", args=["noor"]), {"following": "true"})

    assert gone.status_code == 404
    assert not Follow.objects.exists()
