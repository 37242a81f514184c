"""Tests of plain text mails as blocks of a page."""

from __future__ import annotations

from accounts.letters import blocks_of

LETTER = """Hello mara,

Open this link to confirm:

https://example.org/confirm/a:b/

Time: 12:00
See https://example.org/ for more

Zoetrope
https://example.org
"""


def test_empty_lines_divide_blocks_and_a_lone_address_is_a_button() -> None:
    blocks = blocks_of(LETTER)

    assert [[line.text for line in block.lines] for block in blocks] == [
        ["Hello mara,"],
        ["Open this link to confirm:"],
        ["https://example.org/confirm/a:b/"],
        ["Time: 12:00", "See https://example.org/ for more"],
        ["Zoetrope", "https://example.org"],
    ]
    assert [block.button for block in blocks] == ["", "", "https://example.org/confirm/a:b/", "", ""]
    assert [line.url for line in blocks[4].lines] == ["", "https://example.org"]


def test_only_web_addresses_are_links() -> None:
    (block,) = blocks_of("javascript:alert(1)")

    assert (block.button, block.lines[0].url) == ("", "")


def test_mail_without_words_has_no_blocks() -> None:
    assert blocks_of("\n \n") == []
