"""Debian packages for the tests: found, installed if permitted, or named for a person."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from videoplatform.embedded.failure import CannotStart
from videoplatform.testing import browser, gstreamer, packages

NEED = "The tests need {names} (apt-get install {packages})."


class Apt:
    """A stand-in for ``apt-get``: it keeps its commands, and installs unless it ``fails``."""

    def __init__(self, missing: list[str]) -> None:
        self.missing_packages = missing
        self.commands: list[list[str]] = []
        self.environment: dict[str, str] = {}
        self.fails_at = ""

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        self.commands.append(command)
        environment = options["env"]
        assert isinstance(environment, dict)
        self.environment = environment
        if command[1] == self.fails_at:
            return subprocess.CompletedProcess(command, 100)
        if command[1] == "install":
            self.missing_packages = [name for name in self.missing_packages if name not in command]
        return subprocess.CompletedProcess(command, 0)

    def missing(self) -> list[str]:
        return list(self.missing_packages)


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> Apt:
    """Return an ``apt-get`` that may be used, with two packages missing."""
    made = Apt(["chromium", "fonts-noto-cjk"])
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(packages, "may_install", lambda: True)
    return made


def ensure(apt: Apt, folder: Path) -> list[str]:
    """Ensure the packages; return the lines for the person at the terminal."""
    said: list[str] = []
    packages.ensure(apt.missing, folder / "apt.log", said.append, NEED)
    return said


def test_present_packages_are_not_installed(apt: Apt, tmp_path: Path) -> None:
    apt.missing_packages = []

    assert ensure(apt, tmp_path) == []
    assert apt.commands == []


def test_missing_packages_are_installed_without_questions(apt: Apt, tmp_path: Path) -> None:
    assert ensure(apt, tmp_path) == ["Installing chromium fonts-noto-cjk"]
    assert apt.commands == [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"],
    ]
    assert apt.environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert apt.environment["PATH"] == os.environ["PATH"]


def test_missing_packages_are_named_if_they_may_not_be_installed(
    apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "may_install", lambda: False)

    with pytest.raises(CannotStart) as refused:
        ensure(apt, tmp_path)

    assert str(refused.value) == (
        "The tests need chromium and fonts-noto-cjk (apt-get install chromium fonts-noto-cjk)."
    )
    assert apt.commands == []


@pytest.mark.parametrize(("fails_at", "tried"), [("update", 1), ("install", 2)])
def test_failed_installation_names_its_log(apt: Apt, tmp_path: Path, fails_at: str, tried: int) -> None:
    apt.fails_at = fails_at

    with pytest.raises(CannotStart, match=rf"apt-get {fails_at} failed .*{tmp_path}/apt\.log"):
        ensure(apt, tmp_path)
    assert len(apt.commands) == tried


def test_package_that_is_missing_after_its_installation_is_named(
    apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "missing", lambda: ["chromium"])

    with pytest.raises(CannotStart, match="The tests need chromium"):
        ensure(apt, tmp_path)


@pytest.mark.parametrize(
    ("user", "release", "program", "expected"),
    [
        (0, 'NAME="Debian"\nID=debian\nVERSION=12', "/usr/bin/apt-get", True),
        (0, "ID=debian\n", "/usr/bin/apt-get", True),
        (0, "NAME=Debian\nID=debian", "/usr/bin/apt-get", True),
        (1000, "ID=debian\n", "/usr/bin/apt-get", False),
        (0, "ID=ubuntu\nID_LIKE=debian", "/usr/bin/apt-get", False),
        (0, "ID=debian\n", None, False),
        (0, None, "/usr/bin/apt-get", False),
    ],
    ids=[
        "root on Debian",
        "one line",
        "no newline at the end",
        "not root",
        "Ubuntu",
        "without apt-get",
        "without a release file",
    ],
)
def test_only_root_on_debian_may_install(
    user: int, release: str | None, program: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda _name: program)
    monkeypatch.setattr(Path, "exists", lambda _path: release is not None)
    monkeypatch.setattr(Path, "read_text", lambda _path: release)

    assert packages.may_install() is expected


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> str:
    """Write an executable file and return its path."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_given_browser_is_used_before_those_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = program(tmp_path, "chromium")
    given = program(tmp_path, "given")
    monkeypatch.setenv("PATH", str(tmp_path))

    monkeypatch.delenv("CHROMIUM", raising=False)
    assert browser.find_browser() == other
    monkeypatch.setenv("CHROMIUM", given)
    assert browser.find_browser() == given
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "missing"))
    assert browser.find_browser() is None


def test_chromium_that_points_to_a_snap_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "chromium", "#!/bin/sh\nexec /snap/bin/chromium\n")
    chrome = program(tmp_path, "google-chrome")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    assert browser.find_browser() == chrome


def test_elements_of_gstreamer_are_asked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = 'case "$2" in rtmp*|x264enc) exit 1;; esac'
    program(tmp_path, "gst-launch-1.0")
    program(tmp_path, "gst-inspect-1.0", f'#!/bin/sh\n[ "$1" = --exists ] && {lacks}\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert gstreamer.missing_packages() == ["gstreamer1.0-plugins-bad", "gstreamer1.0-plugins-ugly"]


def test_gstreamer_without_its_tools_is_missing_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    missing = gstreamer.missing_packages()

    assert missing[:2] == ["gstreamer1.0-tools", "gstreamer1.0-plugins-base"]
    assert sorted(missing[2:]) == sorted(set(gstreamer.ELEMENTS.values()))
