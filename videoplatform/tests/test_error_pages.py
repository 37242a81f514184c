"""Tests of error pages: in our design, in the reader's language, without the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from common import outages
from common.bounded import TooSlow
from videoplatform import bodies, middleware, pages

CHINESE = {"accept-language": "zh-CN"}


def is_chinese_page(html: str) -> bool:
    return '<html lang="zh-Hans">' in html and "/static/css/tokens." in html and "返回首页" in html


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (pages.bad_request, 400, "请求无效"),
        (pages.server_error, 500, "服务器出了点问题"),
        (outages.unavailable, 503, "马上回来"),
    ],
)
def test_error_page_has_our_design_in_chinese(
    answer: Callable[..., HttpResponse], status: int, words: str
) -> None:
    response = answer(RequestFactory().get("/", headers=CHINESE))
    html = response.content.decode()

    assert response.status_code == status
    assert is_chinese_page(html)
    assert words in html


def test_search_that_takes_too_long_has_a_chinese_page(client: Client, monkeypatch: Any) -> None:
    def refuse() -> None:
        raise TooSlow

    monkeypatch.setattr("videoplatform.pages.bounded", refuse)
    response = client.get("/search/?q=a", headers=CHINESE)

    assert response.status_code == 503
    assert is_chinese_page(response.content.decode())


@pytest.mark.parametrize("path", ["/@%00/", "/?q=%00"])
def test_impossible_address_has_a_chinese_page(client: Client, path: str) -> None:
    response = client.get(path, headers=CHINESE)

    assert response.status_code == 400
    assert is_chinese_page(response.content.decode())
    # It leaves before the middleware that has the site's policy.
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_wrong_method_has_a_chinese_page(client: Client) -> None:
    response = client.post("/", headers=CHINESE)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert is_chinese_page(response.content.decode())
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_error_page_keeps_the_theme(rf: RequestFactory) -> None:
    rf.cookies["theme"] = "dark"

    assert '<html lang="en" data-theme="dark">' in pages.server_error(rf.get("/")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "lang", "words"),
    [("en", "en", "This page has expired"), ("zh-CN", "zh-Hans", "页面已过期")],
)
def test_form_without_csrf_token_is_refused_with_a_link_back(language: str, lang: str, words: str) -> None:
    client = Client(enforce_csrf_checks=True)
    form = "http://testserver/accounts/login/"

    response = client.post("/accounts/login/", headers={"accept-language": language, "referer": form})
    html = response.content.decode()

    assert response.status_code == 403
    assert f'<html lang="{lang}">' in html
    assert words in html
    assert f'href="{form}"' in html


@pytest.mark.django_db
def test_refused_form_of_another_site_is_not_linked() -> None:
    response = Client(enforce_csrf_checks=True).post(
        "/accounts/login/", headers={"referer": "https://evil.example.org/"}
    )

    assert response.status_code == 403
    assert "evil" not in response.content.decode()


@pytest.mark.django_db
def test_api_call_without_csrf_token_is_refused_in_chinese() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(UserFactory())

    response = client.patch("/api/v1/accounts/me/", {"bio": "a"}, headers={"accept-language": "zh-CN"})

    assert response.status_code == 403
    assert response.json()["errors"][0]["detail"] == "页面已过期，请刷新后重试。"


@pytest.mark.parametrize("path", ["/studio/abc/", "/api/v1/videos/"])
async def test_too_large_body_is_refused_in_chinese(path: str) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    headers = [(b"content-length", b"99999999"), (b"accept-language", b"zh-CN")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    await bodies.BoundedBodies(None)(scope, receive, send)
    body = sent[1]["body"].decode()

    assert sent[0]["status"] == 413
    is_api = path.startswith("/api/")
    assert "过大" in json.loads(body)["errors"][0]["detail"] if is_api else is_chinese_page(body)


def test_refusal_before_the_locale_middleware_is_chinese(rf: RequestFactory) -> None:
    request = rf.get("/api/v1/videos/?q=%00", headers=CHINESE)

    refused = middleware.refusal(request)

    assert isinstance(refused, HttpResponse)
    assert json.loads(refused.content)["errors"][0]["detail"] == "链接无效。"
