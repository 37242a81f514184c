"""Tests of production settings: Django's deploy checks pass, and every page has security headers."""

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


def test_deploy_check_has_no_warnings(tmp_path: Path) -> None:
    production = os.environ | {
        "HTTPS": "1",
        "SECRET_KEY": "a-key-of-fifty-characters-and-more-that-nobody-will-ever-use-again",
        "ALLOWED_HOSTS": "video.example",
        "DATA_DIR": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    found = subprocess.run(command, cwd=BASE_DIR, env=production, capture_output=True, text=True, check=False)

    # A machine that lacks a layer of FFmpeg's sandbox says so, which is no warning.
    assert (found.returncode, "WARNINGS" in found.stderr) == (0, False)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/live/", "/accounts/login/", "/api/v1/videos/", "/nowhere/"])
def test_every_answer_has_security_headers(client: Client, path: str) -> None:
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
def test_embedded_player_may_be_framed(client: Client) -> None:
    video = VideoFactory()

    embedded = client.get(f"/embed/{video.public_id}/")

    assert "X-Frame-Options" not in embedded.headers
    assert "frame-ancestors *" in embedded.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("chosen", "header"),
    [
        ({}, "3600 False False"),
        (
            {"HSTS_SECONDS": "31536000", "HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_PRELOAD": "1"},
            "31536000 True True",
        ),
        ({"HTTPS": "0", "HSTS_PRELOAD": "1"}, "0 False False"),
    ],
)
def test_hsts_is_short_and_for_one_host_by_default(
    tmp_path: Path, chosen: dict[str, str], header: str
) -> None:
    names = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD")
    script = f"from django.conf import settings as s; print({', '.join(f's.{name}' for name in names)})"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "videoplatform.settings",
        "HTTPS": "1",
        "SECRET_KEY": "x",
        "DATA_DIR": str(tmp_path),
    }

    printed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env=environment | chosen,
        capture_output=True,
        check=True,
    )

    assert printed.stdout.decode().strip() == header


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "evil.example", "a b", "x:1:2", ""])
def test_healthz_accepts_any_host(client: Client, settings: Any, host: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = client.get("/healthz", headers={"Host": host})

    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_https_redirects_and_sends_hsts(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True

    plain, secure, balancer = client.get("/"), client.get("/", secure=True), client.get("/healthz")

    assert (plain.status_code, plain.headers["Location"]) == (301, "https://testserver/")
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert balancer.status_code == 200
