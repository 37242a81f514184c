"""Playback tokens: frames of chosen domains that play videos which are not open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from videos import services
from videos.models import PlaybackToken, Video
from videos.services import playback_tokens
from videos.services.errors import BadDomain, BadExpiry, TooManyPlaybackTokens
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def private() -> Video:
    video: Video = VideoFactory(visibility="private")
    return video


def secret_for(video: Video, *domains: str) -> str:
    in_a_day = timezone.now() + DAY
    return services.create_playback_token(video, domains=domains or ["example.org"], expires_at=in_a_day)[1]


def frame(video: Video, secret: str) -> str:
    return f"/embed/{video.public_id}/?token={secret}"


def playlist(video: Video, name: str = "multivariant") -> str:
    return f"/videos/{video.public_id}/hls/{video.encode_key}/{name}.m3u8"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.org", "example.org"),
        (" Example.ORG. ", "example.org"),
        ("https://example.org/a/page", "example.org"),
        ("*.example.org", "*.example.org"),
        ("localhost:8000", "localhost:8000"),
        ("例子.测试", "xn--fsqu00a.xn--0zwm56d"),
    ],
)
def test_domain_is_reduced_to_its_host(text: str, domain: str) -> None:
    assert playback_tokens.clean_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "*.org",
        "",
        "a b",
        "example.org; script-src *",
        "'self'",
        "data:",
        "a..b",
        "x" * 300,
        "-a.org",
        "a.org:port",
        "a.org:\u0663\u0663",  # digits of another script
    ],
)
def test_domain_that_a_policy_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(BadDomain):
        playback_tokens.clean_domain(text)


def test_token_plays_a_private_video_in_frames_of_its_domains(client: Client, private: Video) -> None:
    secret = secret_for(private, "example.org", "*.example.net")

    page = client.get(frame(private, secret))
    html = page.content.decode()
    multivariant = client.get(f"{playlist(private)}?token={secret}")
    media = next(line for line in multivariant.content.decode().splitlines() if line.startswith("720p"))

    assert page.status_code == 200
    assert "frame-ancestors example.org *.example.net;" in f"{page['Content-Security-Policy']};"
    assert "X-Frame-Options" not in page
    assert page["Referrer-Policy"] == "same-origin"
    assert f'data-src="{playlist(private)}?token={secret}"' in html
    assert client.get(playlist(private).replace("multivariant.m3u8", media)).status_code == 200
    assert "Access-Control-Allow-Origin" not in multivariant
    assert client.get(frame(private, "")).status_code == 404
    assert client.get(playlist(private)).status_code == 404
    assert client.get(f"/watch/{private.public_id}/?token={secret}").status_code == 404


def test_secret_is_stored_only_as_its_digest(private: Video) -> None:
    secret = secret_for(private)

    assert secret not in str(PlaybackToken.objects.values())


@pytest.mark.parametrize(
    ("dest", "status"), [("iframe", 200), ("embed", 200), ("document", 404), ("empty", 404)]
)
def test_frame_does_not_open_as_a_page_of_its_own(
    client: Client, private: Video, dest: str, status: int
) -> None:
    path = frame(private, secret_for(private))

    assert client.get(path, headers={"Sec-Fetch-Dest": dest}).status_code == status


def test_revoked_and_expired_tokens_open_nothing(client: Client, private: Video) -> None:
    revoked, expired = secret_for(private), secret_for(private)
    first, second = private.playback_tokens.order_by("pk")
    client.force_login(private.channel.owner)
    answer = client.post(f"/studio/{private.public_id}/tokens/{first.public_id}/revoke/")
    PlaybackToken.objects.filter(pk=second.pk).update(expires_at=timezone.now())
    client.logout()

    assert answer.status_code == 302
    for secret in (revoked, expired):
        assert client.get(frame(private, secret)).status_code == 404
        assert client.get(f"{playlist(private)}?token={secret}").status_code == 404


def test_token_of_one_video_opens_no_other(client: Client, private: Video) -> None:
    other: Video = VideoFactory(visibility="private")

    assert client.get(frame(other, secret_for(private))).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"withheld": "hidden"},
        {"status": "failed"},
        {"publish_at": timezone.now() + DAY, "is_premiere": True, "visibility": "public"},
    ],
)
def test_token_opens_nothing_that_is_withheld_or_awaited(
    client: Client, private: Video, fields: dict[str, Any]
) -> None:
    secret = secret_for(private)
    Video.objects.filter(pk=private.pk).update(**fields)

    assert client.get(frame(private, secret)).status_code == 404
    assert client.get(f"{playlist(private)}?token={secret}").status_code == 404


def test_suspended_owners_tokens_open_nothing(client: Client, private: Video) -> None:
    secret = secret_for(private)
    owner = private.channel.owner
    owner.is_active = False
    owner.save(update_fields=["is_active"])

    assert client.get(frame(private, secret)).status_code == 404


def test_player_in_a_frame_reports_its_views(client: Client, private: Video) -> None:
    secret = secret_for(private)
    api = f"/api/v1/videos/{private.public_id}/views/"

    assert f'data-token="{secret}"' in client.get(frame(private, secret)).content.decode()
    assert client.post(f"{api}?token={secret}", {"position_s": 1}).status_code == 200
    assert client.post(api, {"position_s": 1}).status_code == 404


def test_bounds_of_tokens(private: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    for expires_at in (now - DAY, now + timedelta(days=1000)):
        with pytest.raises(BadExpiry):
            services.create_playback_token(private, domains=["a.org"], expires_at=expires_at)
    for domains in ([], [f"{number}.org" for number in range(21)]):
        with pytest.raises(BadDomain):
            services.create_playback_token(private, domains=domains, expires_at=now + DAY)
    monkeypatch.setattr(playback_tokens, "MAX_TOKENS", 1)
    secret_for(private)
    with pytest.raises(TooManyPlaybackTokens):
        secret_for(private)
    PlaybackToken.objects.update(expires_at=now)
    assert secret_for(private), "expired ones make room"


def test_owner_creates_lists_and_revokes_by_the_api(client: Client, private: Video) -> None:
    client.force_login(private.channel.owner)
    path = f"/api/v1/videos/{private.public_id}/playback-tokens/"
    body = {"domains": ["Example.org"], "expires_at": (timezone.now() + DAY).isoformat()}

    created = client.post(path, body, content_type="application/json")
    listed = client.get(path).json()["results"]
    refused = client.post(path, body | {"domains": ["a b"]}, content_type="application/json")
    opened = Client().get(created.json()["embed_url"])
    deleted = client.delete(f"{path}{created.json()['id']}/")

    assert (created.status_code, opened.status_code, deleted.status_code) == (201, 200, 204)
    assert [(one["domains"], "token" in one) for one in listed] == [(["example.org"], False)]
    assert refused.json()["errors"][0] == {
        "code": "bad_domain", "detail": str(BadDomain.sentence), "attr": "domains",
    }  # fmt: skip
    assert Client().get(created.json()["embed_url"]).status_code == 404


def test_studio_shows_the_code_of_a_new_token_once(client: Client, private: Video) -> None:
    client.force_login(private.channel.owner)
    path = f"/studio/{private.public_id}/tokens/"

    created = client.post(path, {"domains": "example.org\nwww.example.org", "days": "7"}).content.decode()
    again = client.get(path).content.decode()
    refused = client.post(path, {"domains": "a;b", "days": "7"})

    assert "?token=pt_" in created
    assert "pt_" not in again
    assert "example.org, www.example.org" in again
    assert refused.status_code == 422
