"""Tests that malformed addresses and bodies get a clear answer, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient, Client
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

QUERIES = [
    "page_size=9999999999999999999999",
    "cursor=abc",
    "cursor=%00",
    "q=%00",
    "q=%F0%9F%92%A9" + "a" * 300,
    "q=" + "a%20" * 50,
    "tag=%00",
    "category=%00",
    "channel=%00",
    "length=x",
    "ordering=%00",
    "page=99999999999999999999",
    "page=abc",
    "cursor=cD1nYXJiYWdl",
    "cursor=cD1nYXJiYWdl&ordering=-views",
    "cursor=cD0wMDAxLTAxLTAxVDAwOjAwOjAwJTJCMjM6NTk=",
    "after=" + "W1tb" * 5000,
    "after=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwxXQ",
    "channel=" + "a" * 55_000,
]
PATHS = [
    "/watch/%00/",
    "/@%00/",
    "/embed/%00/",
    "/oembed/",
    "/oembed/?url=%00",
    "/oembed/?url=http://[",
    "/oembed/?url=http://127.0.0.1/watch/zzz/&maxwidth=abc&maxheight=-1",
    "/videos/%00/hls/%00/multivariant.m3u8",
    "/api/v1/channels/%00/",
    "/api/v1/nope/",
    f"/@{'a' * 55_000}/",
]
UPLOADS: list[Any] = [
    {"title": "\0", "filename": "a", "size_bytes": 1},
    {"title": "a", "filename": "a", "size_bytes": 10**30},
    {"title": "a", "filename": "a", "size_bytes": -1},
    {"title": "a", "filename": "a", "size_bytes": 1, "tags": ["\0", ""]},
    {"title": "a", "filename": "a", "size_bytes": 1, "tags": "x"},
    {"title": "a", "filename": "", "size_bytes": 1},
    {"title": None},
    [],
    "x",
]
TOKEN = "/api/v1/accounts/token/"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n'
EDITS: list[Any] = [{"title": "a\0b"}, {"tags": ["a\0"]}, {"visibility": "x"}, []]
REPORTS: list[Any] = [
    {"position_s": "nan"},
    {"position_s": "inf"},
    {"position_s": 1, "session": "\0"},
    {"position_s": None},
]


@pytest.fixture
def video() -> Video:
    return VideoFactory()


@pytest.fixture
def api(video: Video) -> APIClient:
    client = APIClient()
    client.force_authenticate(video.channel.owner)
    return client


@pytest.mark.parametrize("query", QUERIES)
def test_nonsense_query_causes_no_server_error(query: str, video: Video) -> None:
    client = Client()
    client.force_login(video.channel.owner)
    pages = ["/", "/search/", "/studio/", f"/@{video.channel.username}/", "/api/v1/videos/"]

    statuses = {page: client.get(f"{page}?{query}").status_code for page in pages}

    assert {page: status for page, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize("path", PATHS)
def test_nonsense_address_is_answered_400_or_404(path: str) -> None:
    assert Client().get(path).status_code in {400, 404}


@pytest.mark.parametrize("body", UPLOADS)
def test_nonsense_upload_is_refused(body: Any, api: APIClient) -> None:
    assert api.post("/api/v1/videos/", body, format="json").status_code == 400


@pytest.mark.parametrize("body", EDITS)
def test_nonsense_edit_is_refused(body: Any, api: APIClient, video: Video) -> None:
    assert api.patch(f"/api/v1/videos/{video.public_id}/", body, format="json").status_code == 400


def test_lone_surrogate_is_refused(api: APIClient, video: Video) -> None:
    answer = api.patch(
        f"/api/v1/videos/{video.public_id}/", b'{"title": "\\ud800"}', content_type="application/json"
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("body", REPORTS)
def test_nonsense_view_report_is_refused_or_starts_a_new_session(body: Any, video: Video) -> None:
    answer = APIClient().post(f"/api/v1/videos/{video.public_id}/views/", body, format="json")

    assert answer.status_code in {200, 400}


def test_deeply_nested_json_is_refused() -> None:
    answer = APIClient().post(
        "/api/v1/accounts/token/", b'{"username": ' + b"[" * 50_000, content_type="application/json"
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("content_type", ["application/json", FORM])
def test_huge_body_is_refused(content_type: str) -> None:
    answer = APIClient().post(TOKEN, b"username=" + b"a" * 3_000_000, content_type=content_type)

    assert (answer.status_code, code_of(answer)) == (413, "too_large")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(FORM, b"a=1&" * 2000), (MULTIPART, FIELD * 2000), (MULTIPART, FILE * 200)],
    ids=["fields", "parts", "files"],
)
def test_form_with_too_many_fields_is_refused(content_type: str, body: bytes) -> None:
    answer = APIClient().post(TOKEN, body, content_type=content_type)

    assert (answer.status_code, code_of(answer)) == (400, "parse_error")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("charset", ["hex", "idna", "punycode", "undefined", "zip", "utf-16"])
@pytest.mark.parametrize("path", [TOKEN, "/accounts/login/"])
async def test_text_that_is_not_unicode_is_refused(path: str, charset: str) -> None:
    """Use ASGI, as in production: under WSGI, Django itself fails on these charsets."""
    for kind in (FORM, MULTIPART, "application/json"):
        answer = await AsyncClient().generic("POST", path, FIELD, content_type=f"{kind}; charset={charset}")

        assert answer.status_code == 415
        assert "UTF-8" in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "host", "code"),
    [
        ("/api/v1/videos/a-b/", "testserver", "not_found"),
        ("/api/v1/videos/?q=%00", "testserver", "bad_address"),
        ("/api/v1/videos/", "a b", "bad_request"),
    ],
)
def test_request_without_endpoint_is_refused_in_api_format(path: str, host: str, code: str) -> None:
    answer = Client(headers={"host": host}).get(path)

    assert answer.json()["type"] == "client_error"
    assert code_of(answer) == code


def code_of(answer: Any) -> str:
    (error,) = json.loads(answer.content)["errors"]
    assert set(error) == {"code", "detail", "attr"}
    return str(error["code"])


def test_nonsense_registrations_and_sign_ins_are_refused() -> None:
    UserFactory(username="alice")
    for path, body in (
        ("register", {"username": "a\0b", "password": "x", "email": "a@b.c"}),
        ("register", {}),
        ("token", {"username": "a\0b", "password": "x"}),
        ("token", {"username": "alice", "password": "\0" * 10}),
    ):
        answer = APIClient().post(f"/api/v1/accounts/{path}/", body, format="json")
        assert answer.status_code in {400, 401}, (path, body)
