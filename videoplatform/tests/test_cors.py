"""Tests of CORS: each is one request that a browser sends for a script of another site."""

from __future__ import annotations

import pytest
from django.test import AsyncClient, Client

from accounts.tests.factories import UserFactory
from accounts.tokens import create_token
from videos.models import Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

ASKS = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize(
    "path",
    [
        "/videos/abc/hls/def/multivariant.m3u8",
        "/videos/abc/hls/def/720p.m3u8",
        "/live-dvr/abc/open/multivariant.m3u8",
        "/api/v1/videos/",
        "/api/v1/videos/abc/like/",
    ],
)
def test_preflight_allows_headers_of_players_and_tokens(client: Client, path: str) -> None:
    asks = ASKS | {"Access-Control-Request-Headers": "cmcd-session,authorization"}

    answer = client.options(path, headers=asks)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Access-Control-Allow-Headers"] == "*, Authorization"
    assert "GET" in answer["Access-Control-Allow-Methods"]
    assert ("DELETE" in answer["Access-Control-Allow-Methods"]) == path.startswith("/api/")
    assert "Access-Control-Allow-Credentials" not in answer


async def test_api_is_open_to_other_sites_under_asgi(async_client: AsyncClient) -> None:
    preflight = await async_client.options("/api/v1/videos/", headers=ASKS)
    answer = await async_client.get("/api/v1/accounts/me/", headers=ASKS)

    assert (preflight.status_code, answer.status_code) == (204, 401)
    assert [one["Access-Control-Allow-Origin"] for one in (preflight, answer)] == ["*", "*"]


def test_options_of_a_playlist_lists_its_methods(client: Client) -> None:
    answer = client.options("/videos/abc/hls/def/720p.m3u8")
    assert (answer.status_code, answer["Allow"]) == (204, "GET, HEAD, OPTIONS")


def test_options_without_preflight_headers_reaches_the_api(client: Client) -> None:
    assert client.options("/api/v1/videos/").status_code == 200


def test_page_is_closed_to_other_sites(client: Client) -> None:
    assert client.options("/upload/", headers=ASKS).status_code != 204
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=ASKS)


@pytest.mark.parametrize("path", ["/api/v1/videos/", "/api/v1/accounts/me/", "/api/v1/videos/nothing/"])
def test_every_answer_of_the_api_is_open_to_other_sites(client: Client, path: str) -> None:
    answer = client.get(path, headers={"Origin": "https://other.example"})

    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]


def test_playlist_of_a_private_video_is_open_only_with_a_token() -> None:
    owner = UserFactory()
    video = VideoFactory(channel=owner.channel, visibility=Video.Visibility.PRIVATE)
    path = f"/videos/{video.public_id}/hls/{video.encode_key}/multivariant.m3u8"
    session = Client()
    session.force_login(owner)
    _row, token = create_token(user=owner)

    by_token = Client().get(path, headers={"Authorization": f"Token {token}"})
    by_session = session.get(path)

    assert (by_token.status_code, by_token["Access-Control-Allow-Origin"]) == (200, "*")
    assert by_session.status_code == 200
    assert "Access-Control-Allow-Origin" not in by_session
