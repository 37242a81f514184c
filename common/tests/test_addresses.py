"""Tests of client addresses: trusted proxies only, and IPv6 by network."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory, override_settings
from rest_framework.test import APIClient

from common.addresses import client_address, network_of, requester_key
from videoplatform.asgi import application
from videoplatform.embedded.processes import web_command


def scope(peer: str, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "websocket", "client": (peer, 4711), "headers": headers}


def test_header_is_ignored_without_trusted_proxies() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.7")

    assert client_address(request) == "127.0.0.1"
    assert client_address(scope("127.0.0.1", "198.51.100.7")) == "127.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.7:5123", "198.51.100.7"),
        (1, "[2001:db8::1]:5123", "2001:db8::1"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
        (1, "unknown", "10.0.0.1"),
        (1, "", "10.0.0.1"),
    ],
)
def test_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    proxies: int, forwarded: str, address: str
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    with override_settings(TRUSTED_PROXIES=proxies):
        assert client_address(request) == address
        assert client_address(scope("10.0.0.1", forwarded)) == address


def test_several_headers_are_read_as_one_list() -> None:
    with override_settings(TRUSTED_PROXIES=1):
        assert client_address(scope("10.0.0.1", "203.0.113.9", "198.51.100.7")) == "198.51.100.7"


def test_unix_socket_has_no_address() -> None:
    assert client_address({"type": "http", "client": None, "headers": []}) == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_ipv6_is_counted_by_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_web_server_does_not_rewrite_the_address() -> None:
    """Check the option without which uvicorn would trust the header from the loopback address."""
    command = web_command(mock.Mock(host="127.0.0.1", port=8000))

    assert "--no-proxy-headers" in command
    assert "--proxy-headers" not in command


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"])
def test_form_with_any_forwarded_header_is_answered(settings: Any, client: Any, path: str) -> None:
    settings.TRUSTED_PROXIES = 2
    settings.ACCOUNT_RATE_LIMITS = {}

    answers = [
        client.post(path, {}, REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded}).status_code
        for peer, forwarded in [("192.0.2.1", "198.51.100.7"), ("192.0.2.1", "unknown, x"), ("", "")]
    ]

    assert answers == [200, 200, 200]


@pytest.mark.redis
@pytest.mark.django_db
@pytest.mark.usefixtures("slow_limits")
def test_api_limit_cannot_be_escaped_by_a_header() -> None:
    wrong = {"username": "nobody", "password": "wrong"}

    codes = [
        APIClient()
        .post("/api/v1/accounts/token/", wrong, headers={"X-Forwarded-For": f"10.0.0.{number}"})
        .status_code
        for number in range(11)
    ]

    assert codes == [401] * 5 + [429] * 6


@pytest.mark.django_db
def test_scheme_comes_from_the_proxy_that_speaks_tls(settings: Any, client: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True

    secure = client.get("/live/", headers={"X-Forwarded-Proto": "https"})
    plain = client.get("/live/", headers={"X-Forwarded-Proto": "http"})

    assert (secure.status_code, plain.status_code) == (200, 301)


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("origin", "is_open"), [("https://localhost", True), ("https://evil.example", False)]
)
async def test_socket_behind_tls_is_open_only_to_pages_of_the_site(origin: str, is_open: bool) -> None:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode()), (b"x-forwarded-proto", b"https")]
    socket = WebsocketCommunicator(application, "/ws/videos/unknown/progress/", headers)

    connected, _code = await socket.connect()

    assert connected == is_open
    await socket.disconnect()


def test_viewers_of_one_ipv6_network_are_counted_together(rf: RequestFactory) -> None:
    asked: list[Any] = [rf.get("/", REMOTE_ADDR=f"2001:db8::{host}") for host in (1, 2)]
    for request in asked:
        request.user = AnonymousUser()

    assert [requester_key(request) for request in asked] == ["address-2001:db8::/64"] * 2
