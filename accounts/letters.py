"""Plain text mails as blocks of a designed page: one source for both forms, without Django."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMES: Final = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class LetterLine:
    """Line of a mail; ``url`` is its text if that is an address, else empty."""

    text: str

    @property
    def url(self) -> str:
        is_address = self.text.startswith(SCHEMES) and " " not in self.text
        return self.text if is_address else ""


@dataclass(frozen=True, slots=True)
class Block:
    """Paragraph of a mail.  An address that stands alone in one is its ``button``."""

    lines: tuple[LetterLine, ...]

    @property
    def button(self) -> str:
        return self.lines[0].url if len(self.lines) == 1 else ""


def blocks_of(text: str) -> list[Block]:
    """Return the paragraphs of a plain text mail, which empty lines divide."""
    paragraphs: list[list[LetterLine]] = [[]]
    for line in text.splitlines():
        if line.strip():
            paragraphs[-1].append(LetterLine(line.strip()))
        elif paragraphs[-1]:
            paragraphs.append([])
    return [Block(tuple(lines)) for lines in paragraphs if lines]
