"""The language check of ``bin/check``."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoplatform.testing import wording

PLAIN = '"""Reads frames."""\n\n\ndef size() -> int:\n    """Return the size in bytes."""\n    return 1\n'
RIDDLE = '"""What is read."""\n'


def write(base_dir: Path, source: str) -> None:
    (base_dir / "live").mkdir()
    (base_dir / "live" / "frames.py").write_text(source)


def test_plain_docstrings_pass(tmp_path: Path) -> None:
    write(tmp_path, PLAIN)

    assert wording.main(tmp_path) == 0


def test_docstring_that_begins_with_a_wh_word_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, RIDDLE)

    assert wording.main(tmp_path) == 1
    assert "live/frames.py:1: begin with a verb or a noun" in capsys.readouterr().out


@pytest.mark.parametrize(
    "comment", ["# Whoever asks is told.", "# Says what it is, what it was and what is left."]
)
def test_comment_in_clauses_fails(tmp_path: Path, comment: str) -> None:
    write(tmp_path, f"{PLAIN}{comment}\n")

    assert wording.main(tmp_path) == 1


@pytest.mark.parametrize(
    "source",
    [
        "/** Whether it plays. */\n",
        "/**\n * What is read.\n */\n",
        "let a = 1; // what it is, whatever it was\n",
    ],
)
def test_script_in_clauses_fails(tmp_path: Path, source: str) -> None:
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "player.js").write_text(source)

    assert wording.main(tmp_path) == 1


def test_plain_script_and_its_addresses_pass(tmp_path: Path) -> None:
    (tmp_path / "static" / "js").mkdir(parents=True)
    source = '/** Return whether it plays. */\nconst url = "https://what.test/";\n'
    (tmp_path / "static" / "js" / "player.js").write_text(source)

    assert wording.main(tmp_path) == 0
