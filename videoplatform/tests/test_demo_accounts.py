"""Tests of the accounts that ``manage.py create_demo`` makes."""

import io

import pytest
from django.core.management import call_command
from pytest_django import Settings

from accounts.models import User
from videos.demo import uploading


@pytest.fixture
def without_videos(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # thirty people, at once
    monkeypatch.setattr(uploading, "upload_clips", lambda _channels: ())


def create_demo() -> str:
    output = io.StringIO()
    call_command("create_demo", stdout=output)
    return output.getvalue()


@pytest.mark.django_db
@pytest.mark.usefixtures("without_videos")
def test_administrator_is_made_on_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "127.0.0.1")
    output = create_demo()
    assert User.objects.filter(is_superuser=True).count() == 1
    assert "administrator" in output
    assert "createsuperuser" not in output


@pytest.mark.django_db
@pytest.mark.usefixtures("without_videos")
def test_no_administrator_is_made_if_the_machine_faces_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104  (compared, not bound)
    output = create_demo()
    assert not User.objects.filter(is_superuser=True).exists()
    assert User.objects.filter(username="lumi").exists()
    assert "manage.py createsuperuser` makes one" in output
