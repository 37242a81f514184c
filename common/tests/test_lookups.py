"""Tests of text lookups: without regard to case, by an index, and safe."""

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory
from common.lookups import is_storable

pytestmark = pytest.mark.django_db


def test_name_is_found_in_any_case() -> None:
    person = UserFactory(username="Mixed_Case")
    assert User.objects.get(username__iexact="mIXED_cASE") == person


def test_wildcards_of_like_are_plain_letters() -> None:
    UserFactory(username="axb")
    assert not User.objects.filter(username__iexact="a_b").exists()
    assert not User.objects.filter(username__iexact="a%").exists()


@pytest.mark.parametrize(("column", "index"), [("username", "user_username_ci"), ("email", "user_email_ci")])
def test_case_insensitive_lookup_uses_the_index(column: str, index: str) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in User.objects.filter(**{f"{column}__iexact": "Somebody"}).explain()


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("lookup", ["exact", "iexact", "contains", "icontains", "startswith", "istartswith"])
def test_text_that_no_database_stores_finds_nothing(lookup: str, text: str) -> None:
    person = UserFactory()
    assert not User.objects.filter(**{f"username__{lookup}": text}).exists()
    assert User.objects.exclude(**{f"username__{lookup}": text}).get() == person


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_database_stores_is_left_out_of_a_list(text: str) -> None:
    person = UserFactory()
    assert User.objects.get(username__in=[person.username, text]) == person


@pytest.mark.parametrize(("text", "expected"), [("直播", True), ("", True), ("\0", False), ("\udfff", False)])
def test_storable_text(text: str, *, expected: bool) -> None:
    assert is_storable(text) is expected


def test_session_cookie_with_an_escaped_nul_is_no_session(client: Client) -> None:
    response = client.get("/nobody/", headers={"cookie": 'sessionid="' + "\\000" * 32 + '"'})
    assert response.status_code == 404
