"""Tests of the desk in the admin: permissions and decisions, from the list and on the page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import moderation, tokens
from accounts.admin.desk import desk_url
from accounts.models import ApiToken, Case, Decision, Report, Sanction, User
from accounts.moderation import registry
from accounts.tests.factories import UserFactory
from accounts.tests.reportable import Note, Wall

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

DESK = "/admin/accounts/case/"


@pytest.fixture
def note(wall: Wall) -> Note:
    return wall.add(Note("n1", UserFactory(username="lampseller"), text="Buy <b>my</b> lamps"))


@pytest.fixture
def case(note: Note) -> Case:
    return reported(note)


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def reported(note: Note, **more: Any) -> Case:
    asked = {"reason": "spam", **more}
    report, _is_new = moderation.report(
        by=UserFactory(), target_type="note", target_id=note.public_id, **asked
    )
    return Case.objects.get(pk=report.case_id)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form(case: Case, action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "reason": "spam", "duration_s": "86400", "version": case.version, **more}


def act(client: Client, case: Case, name: str, data: dict[str, Any] | None = None) -> Any:
    return client.post(reverse(f"admin:accounts_case_{name}", args=[case.pk]), data or {})


@pytest.mark.parametrize(
    ("who", "status"), [("stranger", 302), ("person", 302), ("moderator", 200), ("administrator", 200)]
)
def test_desk_is_limited_to_moderators_and_administrators(
    who: str, status: int, case: Case, moderator: User, administrator: User
) -> None:
    people: dict[str, User] = {
        "person": UserFactory(),
        "moderator": moderator,
        "administrator": administrator,
    }
    client = signed_in(people[who]) if who in people else Client()

    for address in (DESK, desk_url(case), "/admin/accounts/decision/", "/admin/accounts/report/"):
        assert client.get(address).status_code == status, address


def test_staff_without_role_cannot_see_or_decide(case: Case) -> None:
    client = signed_in(UserFactory(is_staff=True))

    for address in (DESK, desk_url(case), f"{DESK}next/"):
        assert client.get(address).status_code == 403, address
    for name in ("decide", "claim", "release"):
        assert act(client, case, name, form(case, "remove")).status_code == 403, name
    assert not Decision.objects.exists()


def test_moderator_sees_moderation_and_administrator_sees_everything(
    moderator: User, administrator: User
) -> None:
    seen = {user: links(signed_in(user)) for user in (moderator, administrator)}

    assert "/admin/accounts/case/" in seen[moderator]
    for address in ("/admin/accounts/apitoken/", "/admin/auth/group/"):
        assert address not in seen[moderator]
        assert address in seen[administrator]
    assert seen[moderator] < seen[administrator]


def links(client: Client) -> set[str]:
    """Return the addresses of the lists on the admin's first page."""
    apps = client.get("/admin/").context["app_list"]
    return {model["admin_url"] for app in apps for model in app["models"]}


def test_decisions_require_post(desk: Client, case: Case) -> None:
    for name in ("decide", "claim", "release"):
        assert desk.get(reverse(f"admin:accounts_case_{name}", args=[case.pk])).status_code == 405


def test_list_shows_open_cases_with_their_reasons(desk: Client, wall: Wall, note: Note) -> None:
    for reason in ("spam", "spam", "hate"):
        reported(note, reason=reason)
    decided = reported(wall.add(Note("n2", note.author, text="Decided one")))
    moderation.decide(decided, by=UserFactory(is_superuser=True), action="leave")

    html = desk.get(DESK).content.decode()

    assert "Spam or scam × 2, Hate speech" in html
    assert "Buy &lt;b&gt;my&lt;/b&gt; lamps" in html
    assert "Decided one" not in html
    assert "Decided one" in desk.get(f"{DESK}?state=all").content.decode()
    assert "Buy" not in desk.get(f"{DESK}?reason=sexual").content.decode()
    assert "Buy" in desk.get(f"{DESK}?target_type=note&reason=hate&q=lamps").content.decode()


def test_bulk_decision_skips_cases_claimed_by_others(desk: Client, wall: Wall, administrator: User) -> None:
    notes = [wall.add(Note(f"n{number}", UserFactory())) for number in range(3)]
    cases = [reported(note) for note in notes]
    moderation.claim(cases[2], by=administrator)

    answer = desk.post(
        DESK,
        {"action": "remove", "reason": "hate", "_selected_action": [case.pk for case in cases]},
        follow=True,
    )

    assert [note.state for note in notes] == ["removed", "removed", "shown"]
    html = answer.content.decode()
    assert "2 cases are decided." in html
    assert "Another moderator is reviewing this." in html
    assert set(Decision.objects.values_list("reason", flat=True)) == {"hate"}


@pytest.mark.parametrize(
    ("action", "kind"), [("time_out", "time_out"), ("suspend", "suspension"), ("ban", "ban")]
)
def test_authors_are_sanctioned_from_the_list_for_the_chosen_duration(
    desk: Client, case: Case, action: str, kind: str
) -> None:
    desk.post(DESK, {"action": action, "duration_s": "3600", "_selected_action": [case.pk]})

    sanction = Sanction.objects.get()
    assert sanction.kind == kind
    if sanction.until:
        assert timedelta(minutes=59) < sanction.until - timezone.now() <= timedelta(hours=1)


@pytest.mark.parametrize("count", [1, 4])
def test_list_query_count_is_constant(
    desk: Client, wall: Wall, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        reported(wall.add(Note(f"n{number}", UserFactory())))

    with django_assert_num_queries(9):
        desk.get(DESK)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(("model", "queries"), [("decision", 6), ("sanction", 6), ("report", 7)])
def test_trail_query_count_is_constant(
    desk: Client,
    wall: Wall,
    moderator: User,
    count: int,
    model: str,
    queries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(count):
        case = reported(wall.add(Note(f"n{number}", UserFactory())))
        moderation.decide(case, by=moderator, action="time_out", duration=timedelta(days=1))

    with django_assert_num_queries(queries):
        desk.get(f"/admin/accounts/{model}/")


def test_page_shows_content_reports_and_author(desk: Client, case: Case, note: Note, moderator: User) -> None:
    moderation.decide_about(
        note.author, by=moderator, action="time_out", reason="hate", duration=timedelta(1)
    )
    reported(note, detail="<i>Lamps</i> again", offset_s=65)
    note.text = "Buy my chairs"

    html = desk.get(desk_url(case)).content.decode()

    for words in (
        "Buy my chairs",
        "Reported version",
        "Buy &lt;b&gt;my&lt;/b&gt; lamps",
        "&lt;i&gt;Lamps&lt;/i&gt; again",
        'data-offset="65.0"',
        "1:05",
        "2 open reports",
        "Cannot post or upload",
        "Time out × 1",
    ):
        assert words in html, words


def test_page_of_a_deleted_target_shows_the_reported_content(desk: Client, case: Case, wall: Wall) -> None:
    wall.notes.clear()

    html = desk.get(desk_url(case)).content.decode()

    assert "The content no longer exists" in html
    assert "Buy &lt;b&gt;my&lt;/b&gt; lamps" in html


def test_case_of_an_unregistered_kind_has_a_page(
    desk: Client, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(registry._kinds, "note")

    assert desk.get(desk_url(case)).status_code == 200
    assert desk.get(DESK).status_code == 200


def test_unknown_case_redirects(desk: Client) -> None:
    assert desk.get(f"{DESK}9/change/").status_code == 302
    assert desk.get(f"{DESK}x/change/").status_code == 302
    assert desk.get(f"{DESK}next/").headers["Location"] == DESK


def test_opening_the_page_claims_the_case(
    desk: Client, case: Case, moderator: User, administrator: User
) -> None:
    desk.get(desk_url(case))
    other = signed_in(administrator)
    seen_by_other = other.get(desk_url(case)).content.decode()

    assert Case.objects.get().holder() == moderator
    assert "moderator1 is reviewing this case" in seen_by_other
    assert act(other, case, "claim").status_code == 409
    assert act(desk, case, "claim").status_code == 200
    act(desk, case, "release")
    assert act(other, case, "claim").status_code == 200


def test_decision_redirects_to_the_next_case(desk: Client, case: Case, note: Note, wall: Wall) -> None:
    following = reported(wall.add(Note("n2", note.author)))

    answer = act(desk, case, "decide", form(case, "remove", note="Off topic"))

    assert answer.headers["Location"] == desk_url(following)
    assert note.state == "removed"
    decision = Decision.objects.get()
    assert (decision.action, decision.reason, decision.note, decision.moderator_name) == (
        "remove", "spam", "Off topic", "moderator1",
    )  # fmt: skip
    assert "Last decision:" in desk.get(desk_url(following)).content.decode()
    assert act(desk, following, "decide", form(following, "leave")).headers["Location"] == DESK


@pytest.mark.parametrize(
    ("change", "state"),
    [({"content": ""}, "shown"), ({"content": "hidden"}, "hidden"), ({"content": "removed"}, "removed")],
)
def test_sanction_of_the_author_includes_the_content(
    desk: Client, case: Case, note: Note, change: dict[str, str], state: str
) -> None:
    act(desk, case, "decide", form(case, "suspend", **change))

    assert note.state == state
    assert not User.objects.get(pk=note.author.pk).is_active


@pytest.mark.parametrize(
    "change",
    [
        {"action": "undo"},
        {"action": "burn"},
        {"reason": "boredom"},
        {"duration_s": "1"},
        {"content": "shown"},
        {"version": "x"},
        {"note": "x" * 501},
    ],
)
def test_invalid_form_decides_nothing(desk: Client, case: Case, change: dict[str, str]) -> None:
    assert act(desk, case, "decide", form(case, "remove") | change).status_code == 422
    assert not Decision.objects.exists()


def test_outdated_page_decides_nothing_and_shows_the_reason(
    desk: Client, case: Case, note: Note, administrator: User
) -> None:
    moderation.decide(Case.objects.get(), by=administrator, action="leave")

    answer = desk.post(
        reverse("admin:accounts_case_decide", args=[case.pk]), form(case, "remove"), follow=True
    )

    assert "This case was already decided." in answer.content.decode()
    assert note.state == "shown"


def test_decision_is_undone_from_the_page_and_from_the_trail(desk: Client, case: Case, note: Note) -> None:
    act(desk, case, "decide", form(case, "remove"))
    first = Decision.objects.get()
    desk.post(reverse("admin:accounts_case_undo", args=[case.pk, first.pk]))
    assert note.state == "shown"

    case.refresh_from_db()
    act(desk, case, "decide", form(case, "hide"))
    second = Decision.objects.standing().get()
    desk.post("/admin/accounts/decision/", {"action": "undo", "_selected_action": [second.pk, first.pk]})

    assert note.state == "shown"
    assert Decision.objects.count() == 4
    assert Report.objects.get().status == "open"


def test_decision_of_another_case_cannot_be_undone(desk: Client, case: Case, note: Note, wall: Wall) -> None:
    other = reported(wall.add(Note("n2", note.author)))
    act(desk, case, "decide", form(case, "remove"))

    address = reverse("admin:accounts_case_undo", args=[other.pk, Decision.objects.get().pk])

    assert desk.post(address).status_code == 404


def test_obstacles_of_decisions_are_shown(desk: Client, wall: Wall, administrator: User) -> None:
    case = reported(wall.add(Note("n1", administrator)))

    options = desk.get(desk_url(case)).context["options"]

    assert [bool(option.obstacle) for option in options] == [False] + [True] * 5
    assert "Only administrators" in options[5].obstacle


@pytest.mark.parametrize("count", [1, 4])
def test_page_query_count_is_constant(
    desk: Client,
    wall: Wall,
    moderator: User,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    author = UserFactory()
    for number in range(count):
        earlier = reported(wall.add(Note(f"e{number}", author)))
        moderation.decide(earlier, by=moderator, action="time_out", duration=timedelta(days=1))
    note = wall.add(Note("n1", author))
    for _report in range(count):
        case = reported(note)

    with django_assert_num_queries(21):
        desk.get(desk_url(case))


def test_trail_is_read_only_in_the_admin(case: Case, administrator: User, moderator: User) -> None:
    decision = moderation.decide(case, by=moderator, action="leave")
    client = signed_in(administrator)

    for address in ("add/", f"{decision.pk}/delete/"):
        assert client.get(f"/admin/accounts/decision/{address}").status_code == 403
    client.post(f"/admin/accounts/decision/{decision.pk}/change/", {"note": "rewritten"})
    client.post(
        "/admin/accounts/decision/",
        {"action": "delete_selected", "_selected_action": [decision.pk], "post": "yes"},
    )

    assert Decision.objects.get().note == ""


def people(client: Client, action: str, *users: User, **more: str) -> str:
    chosen = {"action": action, "_selected_action": [user.pk for user in users], **more}
    answer = client.post("/admin/accounts/user/", chosen, follow=True)
    return answer.content.decode()


def test_moderator_suspends_with_duration_and_reason_and_lifts_the_suspension(desk: Client) -> None:
    user = UserFactory()

    html = people(desk, "suspend", user, reason="harassment", duration_s="604800")
    sanction = Sanction.objects.get()
    assert "1 user was suspended." in html
    assert sanction.decision.reason == "harassment"
    assert sanction.until is not None
    assert timedelta(days=6) < sanction.until - timezone.now() <= timedelta(days=7)

    people(desk, "lift_all", user)
    assert User.objects.get(pk=user.pk).is_active
    assert moderation.may_speak(User.objects.get(pk=user.pk))


def test_tokens_of_people_with_a_role_are_not_revoked(desk: Client, administrator: User) -> None:
    user = UserFactory()
    for person in (user, administrator):
        tokens.create_token(user=person)

    html = people(desk, "revoke_tokens", user, administrator)

    assert "API tokens of 1 user were revoked." in html
    assert "Only administrators" in html
    assert list(ApiToken.objects.values_list("user", flat=True)) == [administrator.pk]


def test_only_administrators_grant_roles(desk: Client, administrator: User) -> None:
    user = UserFactory()

    people(desk, "make_administrator", user)
    assert not User.objects.get(pk=user.pk).is_superuser

    boss = signed_in(administrator)
    people(boss, "make_moderator", user)
    assert User.objects.get(pk=user.pk).is_moderator
    people(boss, "take_moderator", user)
    people(boss, "take_administrator", administrator)
    assert not User.objects.get(pk=user.pk).is_moderator
    assert User.objects.get(pk=administrator.pk).is_superuser


def test_powers_cannot_be_changed_by_the_form(administrator: User) -> None:
    user = UserFactory(username="mara")
    page = reverse("admin:accounts_user_change", args=[user.pk])
    data = {
        "username": "mara", "email": user.email, "is_superuser": "on", "is_staff": "on",
        "channel-TOTAL_FORMS": 0, "channel-INITIAL_FORMS": 0,
    }  # fmt: skip

    signed_in(administrator).post(page, data)

    changed = User.objects.get(pk=user.pk)
    assert (changed.is_active, changed.is_staff, changed.is_superuser) == (True, False, False)


def test_charts_require_the_permission_for_their_rows(moderator: User, administrator: User) -> None:
    cache.clear()
    address = reverse("admin-figures")

    names = {
        user: [chart["name"] for chart in signed_in(user).get(address).json()["charts"]]
        for user in (moderator, administrator)
    }

    assert "reports" in names[moderator]
    assert "people" not in names[moderator]
    assert {"reports", "people", "uploads", "encodes"} <= set(names[administrator])
    assert Client().get(address).status_code == 302


def test_chart_counts_by_day(case: Case, note: Note, moderator: User) -> None:
    cache.clear()
    reported(note)
    Report.objects.filter(pk=Report.objects.first().pk).update(  # type: ignore[union-attr]
        created_at=timezone.now() - timedelta(days=1)
    )

    figures = signed_in(moderator).get(reverse("admin-figures")).json()

    reports = next(chart for chart in figures["charts"] if chart["name"] == "reports")
    assert len(figures["days"]) == 30
    assert reports["lines"][0]["counts"][-2:] == [1, 1]
    assert reports["lines"][1]["counts"][-1] == 0


def test_admin_pages_have_no_inline_script_except_the_import_map(desk: Client, case: Case) -> None:
    for address in ("/admin/", DESK, desk_url(case)):
        html = desk.get(address).content.decode()
        scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", html)
        assert [script.strip() for script in scripts] == ['type="importmap"'], address
        assert 'style="' not in html, address
