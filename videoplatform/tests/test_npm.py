"""Tests of the installation of npm packages: once for each lock, and never half."""

from pathlib import Path

import pytest

from videoplatform.embedded import npm
from videoplatform.embedded.failure import CannotStart

INSTALLS = 'mkdir -p node_modules && echo "$@" >> runs'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "package-lock.json").write_text('{"lockfileVersion": 3}')
    return tmp_path


def use_npm(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(npm, "npm", lambda: ("sh", "-c", script, "npm"))


def test_packages_are_installed_once_for_each_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_npm(monkeypatch, INSTALLS)
    assert not npm.is_installed(folder)

    npm.install(folder, folder / "log")
    npm.install(folder, folder / "log")

    assert npm.is_installed(folder)
    (run,) = (folder / "runs").read_text().splitlines()
    assert run.startswith("ci --ignore-scripts")
    (folder / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    assert not npm.is_installed(folder)
    npm.install(folder, folder / "log")
    assert len((folder / "runs").read_text().splitlines()) == 2


def test_failed_installation_gives_its_last_line_and_is_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_npm(monkeypatch, "mkdir -p node_modules; echo trying; echo the registry is away >&2; exit 1")

    with pytest.raises(CannotStart, match="the registry is away"):
        npm.install(folder, folder / "log")

    assert not npm.is_installed(folder)
    use_npm(monkeypatch, INSTALLS)
    npm.install(folder, folder / "log")
    assert npm.is_installed(folder)
