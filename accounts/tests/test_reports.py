"""Reporting over the API and through the page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Report, User
from accounts.tests.factories import UserFactory
from accounts.tests.reportable import Note, Wall

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


def test_a_report_is_made_once(api: APIClient, note: Note) -> None:
    answers = [api.post(API, {**ABOUT, "detail": "Look", "offset_s": 3.5}) for _time in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    body = answers[0].json()
    assert body | {"id": "", "created_at": ""} == {
        "id": "", "target_type": "note", "target_id": "n1", "reason": "spam", "detail": "Look",
        "offset_s": 3.5, "status": "open", "created_at": "",
    }  # fmt: skip


def test_a_channel_is_reported_under_its_own_name(api: APIClient) -> None:
    UserFactory(username="Mara")

    answer = api.post(API, {"target_type": "channel", "target_id": "mara", "reason": "other"})

    assert (answer.status_code, answer.json()["target_id"]) == (201, "Mara")


def test_strangers_do_not_report(note: Note) -> None:
    assert APIClient().post(API, ABOUT).status_code == 401


@pytest.mark.parametrize("change", [{"target_id": "n2"}, {"target_type": "channel"}])
def test_what_is_not_there_is_not_found(api: APIClient, note: Note, change: dict[str, str]) -> None:
    answer = api.post(API, ABOUT | change)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")


def test_a_secret_is_not_found(api: APIClient, note: Note) -> None:
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
def test_nonsense_is_refused(api: APIClient, note: Note, change: dict[str, Any]) -> None:
    assert api.post(API, ABOUT | change).status_code == 400
    assert not Report.objects.exists()


@pytest.mark.parametrize("body", [[], "x", None, {}])
def test_a_body_that_is_none_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(API, body).status_code == 400


def test_the_pace_is_told(api: APIClient, wall: Wall, settings: Settings, monkeypatch: Any) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr("accounts.moderation.reports.REPORTS_PER_HOUR", 1)
    author = UserFactory()
    for name in ("n1", "n2"):
        wall.add(Note(name, author))

    answers = [api.post(API, {**ABOUT, "target_id": name}) for name in ("n1", "n2")]

    assert [answer.status_code for answer in answers] == [201, 429]
    assert answers[1].json()["errors"][0]["code"] == "too_many_reports"
    assert answers[1]["Retry-After"] == "3600"


# --- The page -------------------------------------------------------------------------


def test_the_page_reports_and_leads_back(client: Client, reader: User, note: Note) -> None:
    page = reverse("report", args=["note", "n1"])

    html = client.get(f"{page}?next=/@mara/").content.decode()
    answer = client.post(page, {"reason": "hate", "next": "/@mara/", "offset_s": "4"})

    assert "Buy my lamps" in html
    assert (answer.status_code, answer["Location"]) == (302, "/@mara/")
    report = Report.objects.get()
    assert (report.reporter, report.reason, report.offset_s) == (reader, "hate", 4)


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_the_page_leads_nowhere_else(client: Client, reader: User, note: Note, away: str) -> None:
    answer = client.post(reverse("report", args=["note", "n1"]), {"reason": "hate", "next": away})

    assert answer["Location"] == "/notes/n1/"


def test_a_report_without_a_reason_says_so(client: Client, reader: User, note: Note) -> None:
    answer = client.post(reverse("report", args=["note", "n1"]), {"reason": ""})

    assert answer.status_code == 422
    assert "required" in answer.content.decode()


def test_the_dialog_is_the_form_alone(client: Client, reader: User, note: Note) -> None:
    html = client.get(reverse("report", args=["note", "n1"]) + "?dialog").content.decode()

    assert html.strip().startswith("<dialog")
    assert "<html" not in html


@pytest.mark.parametrize("address", ["/report/note/n9/", "/report/nonsense/n1/"])
def test_there_is_no_page_for_what_is_not_there(
    client: Client, reader: User, note: Note, address: str
) -> None:
    assert client.get(address).status_code == 404


def test_a_channel_has_a_button_for_others_and_none_for_its_owner(client: Client, reader: User) -> None:
    other = UserFactory(username="mara")

    assert 'data-report="channel" data-report-id="mara"' in client.get("/@mara/").content.decode()
    client.force_login(other)
    assert "data-report=" not in client.get("/@mara/").content.decode()
