"""What production adds: Django's own checks are silent, and every page says what browsers may do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from videos.tests.factories import VideoFactory

BASE_DIR = Path(__file__).resolve().parents[2]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def test_django_finds_nothing_to_say_about_production(tmp_path: Path) -> None:
    production = os.environ | {
        "HTTPS": "1",
        "SECRET_KEY": "a-key-of-fifty-characters-and-more-that-nobody-will-ever-use-again",
        "ALLOWED_HOSTS": "video.example",
        "DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    found = subprocess.run(command, cwd=BASE_DIR, env=production, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/live/", "/accounts/login/", "/api/v1/videos/", "/nowhere/"])
def test_every_answer_says_what_a_browser_may_do_with_it(client: Client, path: str) -> None:
    answer = client.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["X-Frame-Options"] == "DENY"
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src ")]
    assert "unsafe" not in scripts
    powers = answer.headers["Permissions-Policy"]
    assert "camera=()" in powers
    assert "fullscreen=(self)" in powers


@pytest.mark.django_db
def test_only_the_embedded_player_may_stand_in_a_frame(client: Client) -> None:
    video = VideoFactory()

    embedded = client.get(f"/embed/{video.public_id}/")

    assert "X-Frame-Options" not in embedded.headers
    assert "frame-ancestors *" in embedded.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_over_tls_browsers_are_told_to_stay_there(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True

    plain, secure, balancer = client.get("/"), client.get("/", secure=True), client.get("/healthz")

    assert (plain.status_code, plain.headers["Location"]) == (301, "https://testserver/")
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert balancer.status_code == 200
