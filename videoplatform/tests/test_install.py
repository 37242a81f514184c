"""Tests of the installation by ``bin/run`` and ``bin/test``, and of pip's settings for uv."""

from pathlib import Path

import pytest

from videoplatform.embedded import install


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the files of a clone that an installation reads, in the current folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in (*install.REQUIREMENTS, str(install.UV_REQUIREMENTS)):
        (tmp_path / name).write_text(f"{name}==1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_installed_file_stays_recorded_after_another_is_installed(clone: Path) -> None:
    venv, run, tests = clone / ".venv", Path("requirements.txt"), Path("requirements-test.txt")
    install.mark_installed(venv, run)
    install.mark_installed(venv, tests)
    assert install.installed(venv) == {install.digest(run), install.digest(tests)}


def test_changed_file_is_forgotten_after_another_is_installed(clone: Path) -> None:
    venv, run, tests = clone / ".venv", Path("requirements.txt"), Path("requirements-test.txt")
    install.mark_installed(venv, run)
    run.write_text("django==2\n")
    install.mark_installed(venv, tests)
    # If the older requirements.txt is checked out again, .venv no longer matches it.
    assert install.installed(venv) == {install.digest(tests)}


@pytest.mark.parametrize(
    ("configured", "own", "expected"),
    [
        ({"index-url": "https://mirror/simple"}, {}, {"UV_DEFAULT_INDEX": "https://mirror/simple"}),
        ({"cert": "/etc/ca.pem"}, {}, {"SSL_CERT_FILE": "/etc/ca.pem"}),
        ({"proxy": "http://proxy:3128"}, {}, {"ALL_PROXY": "http://proxy:3128"}),
        (
            {"index-url": "https://mirror/simple"},
            {"UV_DEFAULT_INDEX": "https://other/simple"},
            {"UV_DEFAULT_INDEX": "https://other/simple"},
        ),
    ],
)
def test_uv_gets_the_configuration_of_pip(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: dict[str, str],
    own: dict[str, str],
    expected: dict[str, str],
) -> None:
    for name in ("UV_DEFAULT_INDEX", "SSL_CERT_FILE", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(install, "pip_configuration", lambda _venv, _log: configured)
    environment = install.uv_environment(tmp_path, tmp_path / "install.log")
    assert {name: environment.get(name) for name in expected} == expected
