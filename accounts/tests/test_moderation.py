"""Tests of moderation services: reports, decisions and undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core import mail
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import moderation, services
from accounts.errors import (
    AlreadyDecided,
    CannotUndo,
    DurationMissing,
    InOtherHands,
    NoSuchTarget,
    NotOffered,
    NotTheirs,
    OwnCase,
    TooManyReports,
)
from accounts.mail import mail_decision
from accounts.models import Case, Decision, NeverChanges, Notification, Report, Sanction, SweepFailure, User
from accounts.moderation import sanctions
from accounts.moderation.desk import LEASE, neighbour, next_case
from accounts.notifications import sentence
from accounts.services import Role
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.reportable import Note, Wall

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

DAY = timedelta(days=1)


@pytest.fixture
def note(wall: Wall) -> Note:
    return wall.add(Note("n1", UserFactory(username="lampseller")))


def report(note: Note, *, by: User | None = None, **more: Any) -> Report:
    asked = {"reason": "spam", **more}
    reporter = by or UserFactory()
    return moderation.report(by=reporter, target_type="note", target_id=note.public_id, **asked)[0]


def notifications_of(person: User) -> list[str]:
    return [sentence(notification) for notification in Notification.objects.of(person).order_by("pk")]


def test_report_opens_a_case_and_keeps_the_content(note: Note) -> None:
    made = report(note, detail="  Again!", offset_s=12.5)
    note.text = "I never sold lamps"

    case = Case.objects.get()
    assert (case.target_type, case.target_id, case.author) == ("note", "n1", note.author)
    assert (case.status, case.report_count) == ("open", 1)
    assert (made.title, made.text, made.offset_s) == ("Buy my lamps", "Buy my lamps", 12.5)


def test_second_report_returns_the_open_one(note: Note) -> None:
    person = UserFactory()

    first = moderation.report(by=person, target_type="note", target_id="n1", reason="spam")
    second = moderation.report(by=person, target_type="note", target_id="n1", reason="hate")

    assert first == (second[0], True)
    assert (second[1], second[0].reason) == (False, "spam")
    assert Case.objects.get().report_count == 1


def test_reports_about_one_target_share_a_case(note: Note) -> None:
    for _person in range(3):
        report(note)

    assert Case.objects.get().report_count == 3


@pytest.mark.parametrize(("kind", "target"), [("note", "n2"), ("note", "n1"), ("nonsense", "n1")])
def test_invisible_or_unknown_target_is_not_found(wall: Wall, note: Note, kind: str, target: str) -> None:
    note.is_secret = True

    with pytest.raises(NoSuchTarget):
        moderation.report(by=UserFactory(), target_type=kind, target_id=target, reason="spam")


def test_reports_above_the_hourly_limit_are_refused(wall: Wall, settings: Settings, monkeypatch: Any) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr("accounts.moderation.reports.REPORTS_PER_HOUR", 2)
    person, author = UserFactory(), UserFactory()
    notes = [wall.add(Note(f"n{number}", author)) for number in range(3)]

    report(notes[0], by=person)
    report(notes[1], by=person)
    with pytest.raises(TooManyReports):
        report(notes[2], by=person)
    report(notes[1], by=person)  # its report is open already

    assert Report.objects.count() == 2


def test_queue_is_ordered_by_urgency_then_report_count(wall: Wall, moderator: User) -> None:
    author = UserFactory()
    reports = {"a": ["spam"], "b": ["spam", "other"], "c": ["child_safety"], "d": ["spam"]}
    for name, reasons in reports.items():
        made = wall.add(Note(name, author))
        for reason in reasons:
            report(made, reason=reason)

    queue = list(Case.objects.open().in_order())

    assert [case.target_id for case in queue] == ["c", "b", "a", "d"]
    assert [neighbour(case, by=moderator, forward=True) for case in queue] == [*queue[1:], None]
    assert [neighbour(case, by=moderator, forward=False) for case in queue] == [None, *queue[:-1]]
    assert next_case(queue[-1], by=moderator) == queue[0]


@pytest.fixture
def case(note: Note) -> Case:
    report(note)
    return Case.objects.get()


@pytest.mark.parametrize(
    ("action", "state", "outcome"),
    [("leave", "shown", "dismissed"), ("hide", "hidden", "upheld"), ("remove", "removed", "upheld")],
)
def test_decision_changes_the_content_and_closes_the_reports(
    case: Case, note: Note, moderator: User, action: str, state: str, outcome: str
) -> None:
    moderation.decide(case, by=moderator, action=action, reason="spam")

    case.refresh_from_db()
    assert note.state == state
    assert (case.status, case.content, case.report_count) == ("closed", state, 0)
    assert Report.objects.get().status == outcome


def test_author_and_reporter_are_notified_without_the_moderator_s_name(
    case: Case, note: Note, moderator: User
) -> None:
    reporter = Report.objects.get().reporter
    assert reporter is not None

    moderation.decide(case, by=moderator, action="remove", reason="spam", note="Lamps are off topic.")

    assert notifications_of(note.author) == ["Moderators removed “Buy my lamps”: Spam or scam"]
    assert notifications_of(reporter) == [
        "Moderators reviewed your report of “Buy my lamps” and took action."
    ]
    assert Notification.objects.of(note.author).get().data["note"] == "Lamps are off topic."
    assert "moderator1" not in str(list(Notification.objects.values_list("data", "url", "key")))


def test_reporter_of_a_redecided_case_keeps_only_the_last_outcome(case: Case, moderator: User) -> None:
    reporter = Report.objects.get().reporter
    assert reporter is not None

    decision = moderation.decide(case, by=moderator, action="remove", reason="spam")
    moderation.undo(decision, by=moderator)
    meanwhile = notifications_of(reporter)
    moderation.decide(Case.objects.get(), by=moderator, action="leave")

    assert meanwhile == []
    assert notifications_of(reporter) == [
        "Moderators reviewed your report of “Buy my lamps” and found no violation."
    ]


def test_leave_notifies_only_the_reporter(case: Case, note: Note, moderator: User) -> None:
    reporter = Report.objects.get().reporter
    assert reporter is not None

    moderation.decide(case, by=moderator, action="leave")

    assert notifications_of(note.author) == []
    assert "found no violation" in notifications_of(reporter)[0]


def test_outdated_case_cannot_be_decided(
    case: Case, note: Note, moderator: User, administrator: User
) -> None:
    seen_by_another = Case.objects.get()
    moderation.decide(case, by=moderator, action="leave")

    with pytest.raises(AlreadyDecided):
        moderation.decide(seen_by_another, by=administrator, action="remove")

    assert note.state == "shown"
    assert Decision.objects.count() == 1


def test_case_is_claimed_by_one_moderator_until_the_lease_ends(
    case: Case, moderator: User, administrator: User
) -> None:
    assert moderation.claim(case, by=moderator)
    assert moderation.claim(case, by=moderator)
    assert not moderation.claim(case, by=administrator)
    with pytest.raises(InOtherHands):
        moderation.decide(case, by=administrator, action="leave")

    Case.objects.update(claimed_until=timezone.now() - LEASE)
    assert moderation.claim(case, by=administrator)
    moderation.release(case, by=moderator)
    assert Case.objects.get().holder() == administrator


def test_moderator_cannot_decide_their_own_case(wall: Wall, moderator: User) -> None:
    report(wall.add(Note("n1", moderator)))

    with pytest.raises(OwnCase):
        moderation.decide(Case.objects.get(), by=moderator, action="leave")


@pytest.mark.parametrize("action", ["time_out", "suspend", "ban"])
def test_only_administrators_sanction_people_with_a_role(
    wall: Wall, moderator: User, administrator: User, action: str
) -> None:
    colleague = UserFactory()
    services.grant_role(user=colleague, role=Role.MODERATOR)
    report(wall.add(Note("n1", colleague)))

    with pytest.raises(NotTheirs):
        moderation.decide(Case.objects.get(), by=moderator, action=action, duration=DAY)
    moderation.decide(Case.objects.get(), by=administrator, action=action, duration=DAY)

    assert Sanction.objects.count() == 1


def test_kind_without_hide_is_not_hidden(moderator: User) -> None:
    UserFactory(username="mara")
    case = moderation.open_case("channel", "MARA", by=moderator)

    assert case.target_id == "mara"
    with pytest.raises(NotOffered):
        moderation.decide(case, by=moderator, action="hide")


@pytest.mark.parametrize("action", ["time_out", "suspend"])
def test_time_out_and_suspension_require_a_duration(case: Case, moderator: User, action: str) -> None:
    with pytest.raises(DurationMissing):
        moderation.decide(case, by=moderator, action=action)


def test_act_without_report_is_recorded_in_the_trail(note: Note, moderator: User) -> None:
    moderation.act("note", "n1", by=moderator, action="remove", reason="hate")

    assert note.state == "removed"
    assert (Case.objects.get().status, Decision.objects.get().reason) == ("closed", "hate")


def test_new_report_reopens_a_decided_case(case: Case, note: Note, moderator: User) -> None:
    moderation.decide(case, by=moderator, action="leave")
    report(note)

    assert (Case.objects.get().status, Case.objects.get().report_count) == ("open", 1)


def test_case_of_a_deleted_target_can_be_decided(case: Case, wall: Wall, moderator: User) -> None:
    wall.notes.clear()

    moderation.decide(case, by=moderator, action="remove", reason="spam")

    assert Case.objects.get().status == "closed"


def test_timed_out_person_may_sign_in_but_not_speak(case: Case, note: Note, moderator: User) -> None:
    moderation.decide(case, by=moderator, action="time_out", duration=DAY, content="removed")

    person = User.objects.get(pk=note.author.pk)
    silence = moderation.silence(person)
    assert person.is_active
    assert not moderation.may_speak(person)
    assert silence is not None
    assert silence.until == Decision.objects.get().until
    assert note.state == "removed"


def test_suspension_locks_the_account_and_ends_by_itself(
    case: Case,
    note: Note,
    moderator: User,
) -> None:
    moderation.decide(case, by=moderator, action="suspend", duration=DAY)
    assert authenticate(username="lampseller", password=PASSWORD) is None
    assert moderation.lift_lapsed() == 0

    Sanction.objects.update(until=timezone.now())
    assert moderation.lift_lapsed() == 1

    person = User.objects.get(pk=note.author.pk)
    assert person.is_active
    assert moderation.may_speak(person)
    assert notifications_of(person)[-1] == "Your suspension has ended. Welcome back."
    assert moderation.lift_lapsed() == 0


def test_sanction_that_cannot_be_ended_does_not_keep_others_locked(
    note: Note, moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: list[User] = [note.author, UserFactory()]
    for person in people:
        moderation.decide_about(person, by=moderator, action="suspend", duration=DAY)
    Sanction.objects.update(until=timezone.now())
    set_active = sanctions.set_active

    def fail_for_the_first(person: User, *, active: bool, by: User | None) -> None:
        if person == people[0]:
            raise ValueError("broken row")
        set_active(person, active=active, by=by)

    monkeypatch.setattr(sanctions, "set_active", fail_for_the_first)

    assert moderation.lift_lapsed() == 1

    assert [User.objects.get(pk=person.pk).is_active for person in people] == [False, True]
    assert SweepFailure.objects.get().sweep == "end sanctions"


@pytest.mark.parametrize("backend", ["accounts.authentication.PersonBackend"])
def test_lapsed_suspension_is_lifted_at_sign_in(
    case: Case, moderator: User, settings: Settings, backend: str
) -> None:
    settings.AUTHENTICATION_BACKENDS = [backend]
    moderation.decide(case, by=moderator, action="suspend", duration=DAY)
    assert authenticate(username="lampseller", password=PASSWORD) is None

    Sanction.objects.update(until=timezone.now())

    assert authenticate(username="lampseller", password=PASSWORD) is not None


def test_longer_of_two_suspensions_counts(note: Note, moderator: User) -> None:
    for days in (1, 3):
        moderation.decide_about(note.author, by=moderator, action="suspend", duration=days * DAY)
    Sanction.objects.filter(until__lt=timezone.now() + 2 * DAY).update(until=timezone.now())

    moderation.lift_lapsed()

    assert not User.objects.get(pk=note.author.pk).is_active
    assert Sanction.objects.in_force().count() == 1


def test_ban_has_no_end_and_is_mailed(case: Case, note: Note, moderator: User) -> None:
    decision = moderation.decide(
        case, by=moderator, action="ban", reason="hate", note="We warned you.", duration=DAY
    )
    mail_decision(decision.pk)

    assert Sanction.objects.get().until is None
    assert mail.outbox[0].to == [note.author.email]
    for words in ("banned", "Hate speech", "We warned you."):
        assert words in mail.outbox[0].body
    assert "moderator1" not in mail.outbox[0].body


def test_may_speak_costs_one_query(
    note: Note, moderator: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    moderation.decide_about(note.author, by=moderator, action="time_out", duration=DAY)

    with django_assert_num_queries(1):
        assert not moderation.may_speak(note.author)


def test_undo_restores_content_person_and_reports(case: Case, note: Note, moderator: User) -> None:
    decision = moderation.decide(case, by=moderator, action="suspend", duration=DAY, content="removed")

    moderation.undo(decision, by=moderator)

    case.refresh_from_db()
    assert note.state == "shown"
    assert User.objects.get(pk=note.author.pk).is_active
    assert (case.status, case.content, case.report_count) == ("open", "shown", 1)
    assert Report.objects.get().status == "open"
    assert notifications_of(note.author)[-1] == "Moderators reversed their decision about “Buy my lamps”"


def test_undo_restores_the_previous_state(case: Case, note: Note, moderator: User) -> None:
    moderation.decide(case, by=moderator, action="hide")
    removed = moderation.decide(case, by=moderator, action="remove")

    moderation.undo(removed, by=moderator)

    assert note.state == "hidden"


def test_decisions_are_undone_once_and_latest_first(case: Case, moderator: User) -> None:
    first = moderation.decide(case, by=moderator, action="hide")
    second = moderation.decide(case, by=moderator, action="remove")
    with pytest.raises(CannotUndo):
        moderation.undo(Decision.objects.get(pk=first.pk), by=moderator)

    line = moderation.undo(second, by=moderator)
    for decision in (second, line):
        with pytest.raises(CannotUndo):
            moderation.undo(Decision.objects.get(pk=decision.pk), by=moderator)
    moderation.undo(Decision.objects.get(pk=first.pk), by=moderator)

    assert Case.objects.get().content == "shown"


def test_undo_leaves_one_open_report_per_reporter(case: Case, note: Note, moderator: User) -> None:
    reporter = Report.objects.get().reporter
    decision = moderation.decide(case, by=moderator, action="leave")
    report(note, by=reporter)

    moderation.undo(decision, by=moderator)

    assert sorted(Report.objects.values_list("status", flat=True)) == ["dismissed", "open"]
    assert Case.objects.get().report_count == 1


def change(decision: Decision) -> None:
    decision.note = "rewritten"
    decision.save()


@pytest.mark.parametrize(
    "attempt",
    [
        change,
        lambda decision: decision.delete(),
        lambda _decision: Decision.objects.all().delete(),
        lambda _decision: Decision.objects.update(note="rewritten"),
        lambda decision: Decision.objects.bulk_update([decision], ["note"]),
    ],
)
def test_decisions_cannot_be_changed_or_deleted(
    case: Case, moderator: User, attempt: Callable[[Decision], object]
) -> None:
    decision = moderation.decide(case, by=moderator, action="leave")

    with pytest.raises(NeverChanges):
        attempt(decision)

    assert list(Decision.objects.values_list("note", flat=True)) == [""]


def test_decisions_outlive_the_accounts_they_name(case: Case, note: Note, moderator: User) -> None:
    moderation.decide(case, by=moderator, action="ban", reason="spam")

    note.author.delete()
    moderator.delete()

    decision = Decision.objects.get()
    assert (decision.moderator, decision.person) == (None, None)
    assert (decision.moderator_name, decision.person_name) == ("moderator1", "lampseller")
