"""Tests of reports over the API and through the page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Report, User
from accounts.tests.factories import UserFactory
from accounts.tests.reportable import Note, Wall
from accounts.views.reports import REPORTED, REPORTED_BEFORE

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

API = "/api/v1/reports/"
ABOUT = {"target_type": "note", "target_id": "n1", "reason": "spam"}


@pytest.fixture
def note(wall: Wall) -> Note:
    return wall.add(Note("n1", UserFactory(username="lampseller")))


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_authenticate(UserFactory())
    return client


@pytest.fixture
def reader(client: Client) -> User:
    user = UserFactory()
    client.force_login(user)
    return user


def test_second_report_returns_the_first(api: APIClient, note: Note) -> None:
    answers = [api.post(API, {**ABOUT, "detail": "Look", "offset_s": 3.5}) for _time in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    body = answers[0].json()
    assert body | {"id": "", "created_at": ""} == {
        "id": "", "target_type": "note", "target_id": "n1", "reason": "spam", "detail": "Look",
        "offset_s": 3.5, "status": "open", "created_at": "",
    }  # fmt: skip


def test_channel_report_has_the_exact_name(api: APIClient) -> None:
    UserFactory(username="Mara")

    answer = api.post(API, {"target_type": "channel", "target_id": "mara", "reason": "other"})

    assert (answer.status_code, answer.json()["target_id"]) == (201, "Mara")


def test_anonymous_report_is_refused(note: Note) -> None:
    assert APIClient().post(API, ABOUT).status_code == 401


@pytest.mark.parametrize("change", [{"target_id": "n2"}, {"target_type": "channel"}])
def test_unknown_target_is_not_found(api: APIClient, note: Note, change: dict[str, str]) -> None:
    answer = api.post(API, ABOUT | change)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")


def test_secret_target_is_not_found(api: APIClient, note: Note) -> None:
    note.is_secret = True

    assert api.post(API, ABOUT).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "boredom"},
        {"reason": None},
        {"target_type": "nonsense"},
        {"target_type": None},
        {"target_id": "a\0b"},
        {"target_id": "x" * 41},
        {"detail": "x" * 1001},
        {"offset_s": -1},
        {"offset_s": "inf"},
        {"offset_s": "nan"},
        {"offset_s": "soon"},
    ],
)
def test_invalid_field_is_refused(api: APIClient, note: Note, change: dict[str, Any]) -> None:
    assert api.post(API, ABOUT | change).status_code == 400
    assert not Report.objects.exists()


@pytest.mark.parametrize("body", [[], "x", None, {}])
def test_malformed_body_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(API, body).status_code == 400


def test_report_above_the_limit_is_a_429_with_retry_after(
    api: APIClient, wall: Wall, settings: Settings, monkeypatch: Any
) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr("accounts.moderation.reports.REPORTS_PER_HOUR", 1)
    author = UserFactory()
    for name in ("n1", "n2"):
        wall.add(Note(name, author))

    answers = [api.post(API, {**ABOUT, "target_id": name}) for name in ("n1", "n2")]

    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1].json()["errors"][0]["code"] == "too_many_reports"
    assert answers[1]["Retry-After"] == "3600"


def test_page_reports_and_redirects_back(client: Client, reader: User, note: Note) -> None:
    page = reverse("report", args=["note", "n1"])

    html = client.get(f"{page}?next=/@mara/").content.decode()
    answer = client.post(page, {"reason": "hate", "next": "/@mara/", "offset_s": "4"})

    assert "Buy my lamps" in html
    assert (answer.status_code, answer["Location"]) == (302, "/@mara/")
    report = Report.objects.get()
    assert (report.reporter, report.reason, report.offset_s) == (reader, "hate", 4)


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_page_does_not_redirect_to_another_site(client: Client, reader: User, note: Note, away: str) -> None:
    answer = client.post(reverse("report", args=["note", "n1"]), {"reason": "hate", "next": away})

    assert answer["Location"] == "/notes/n1/"


def test_report_without_reason_is_refused(client: Client, reader: User, note: Note) -> None:
    answer = client.post(reverse("report", args=["note", "n1"]), {"reason": ""})

    assert answer.status_code == 422
    assert "required" in answer.content.decode()


def test_dialog_is_only_the_form(client: Client, reader: User, note: Note) -> None:
    html = client.get(reverse("report", args=["note", "n1"]) + "?dialog").content.decode()

    assert html.strip().startswith("<dialog")
    assert "<html" not in html


@pytest.mark.parametrize("address", ["/report/note/n9/", "/report/nonsense/n1/"])
def test_report_page_of_unknown_target_is_not_found(
    client: Client, reader: User, note: Note, address: str
) -> None:
    assert client.get(address).status_code == 404


def test_channel_has_a_report_button_except_for_its_owner(client: Client, reader: User) -> None:
    other = UserFactory(username="mara")

    assert 'data-report="channel" data-report-id="mara"' in client.get("/@mara/").content.decode()
    client.force_login(other)
    assert "data-report=" not in client.get("/@mara/").content.decode()


def test_repeated_report_gets_another_message(client: Client, reader: User, note: Note) -> None:
    address = reverse("report", args=["note", "n1"])
    shown = []
    for _time in range(2):
        dialog = client.get(f"{address}?dialog").content.decode()
        answer = client.post(address, {"reason": "spam"})
        *_older, thanks = [str(message) for message in get_messages(answer.wsgi_request)]
        shown.append(("Thank you." in dialog, thanks))

    assert shown == [(True, str(REPORTED)), (False, str(REPORTED_BEFORE))]
    assert Report.objects.count() == 1
