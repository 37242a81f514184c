"""Tests of ``bin/test``: the runs that its arguments select, and the emptied databases."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import User
from accounts.tests.factories import UserFactory
from videoplatform.embedded import npm
from videoplatform.embedded.configuration import Configuration
from videoplatform.testing import browser, checks, suite
from videoplatform.testing.postgres import PostgresServer
from videoplatform.tests.databases import Tables
from videoplatform.tests.programs import encoders_in

SQLITE, POSTGRES = "sqlite:///db", "postgres://db"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """Return a configuration on SQLite."""
    values: dict[str, Any] = dict.fromkeys(Configuration.__dataclass_fields__, mock.sentinel.unused)
    values |= {"base_dir": tmp_path, "environment": {"DATABASE_URL": SQLITE}}
    return Configuration(**values)


def runs(arguments: list[str], configuration: Configuration, url: str = "") -> list[tuple[str, list[str]]]:
    """Return the database and the arguments of each pytest run."""
    chosen = suite.steps(arguments, configuration, PostgresServer(url))
    return [
        (one.environment["DATABASE_URL"], [*command[3:]]) for command, one in chosen if "pytest" in command
    ]


def test_whole_run_ends_with_every_test_on_sqlite(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "find_browser", lambda: "/bin/chromium")
    assert runs([], configuration, POSTGRES) == [
        (POSTGRES, [*suite.SIDE_BY_SIDE, "--only-sql"]),
        (SQLITE, [*suite.WITH_WAITING]),
    ]


def test_quick_run_leaves_out_browsers_ffmpeg_and_slow_tests(configuration: Configuration) -> None:
    expected = [*suite.WITH_WAITING, "-m", "not browser and not ffmpeg and not slow", "-x"]
    assert runs(["--quick", "-x"], configuration) == [(SQLITE, expected)]


@pytest.mark.parametrize(("url", "database"), [("", SQLITE), (POSTGRES, POSTGRES)])
def test_selected_tests_run_on_the_requested_database(
    url: str, database: str, configuration: Configuration
) -> None:
    assert runs(["--postgres", "accounts", "-q"], configuration, url) == [(database, ["accounts", "-q"])]


def test_checks_return_the_highest_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    table = [checks.Check("good", ("echo", "fine")), checks.Check("bad", ("sh", "-c", "echo worse; exit 3"))]
    monkeypatch.setattr(checks, "every_check", lambda _base_dir: table)
    monkeypatch.setattr(checks, "script_checks", list)
    monkeypatch.setattr(npm, "install", lambda _folder, _log: None)
    assert checks.main(tmp_path) == 3
    printed = capfd.readouterr().out
    assert "--- good\nfine\n" in printed
    assert "--- bad\nworse\n" in printed


@pytest.mark.django_db(transaction=True)
def test_emptied_database_has_the_rows_of_migrations_and_no_others() -> None:
    tables = Tables()
    group = Group.objects.get(name="moderators")
    granted, names = {*group.permissions.all()}, {*Group.objects.values_list("name", flat=True)}
    assert granted
    UserFactory()
    group.permissions.clear()
    group.permissions.add(*Permission.objects.all()[:3])
    Group.objects.exclude(pk=group.pk).delete()

    tables.empty()

    assert not User.objects.exists()
    assert {*Group.objects.values_list("name", flat=True)} == names
    assert {*group.permissions.all()} == granted


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (["/x/ffmpeg-linux-x86_64-v7.0.2", "-i", "a.mp4", "b.mp4"], 1),
        (["python", "-I", "sandbox.py", "{}", "/usr/bin/ffprobe", "a.mp4"], 1),
        (["gst-launch-1.0", "videotestsrc", "!", "x264enc"], 1),
        (["/x/ffmpeg", "-hide_banner", "-version"], 0),
        (["python", "-c", "print('ffmpeg -i')"], 0),
    ],
)
def test_command_that_encodes_is_recognised(command: list[str], count: int) -> None:
    assert len(encoders_in(command)) == count
