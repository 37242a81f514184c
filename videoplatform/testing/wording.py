"""A check of the language in docstrings, JSDoc and comments: nouns of the field instead of clauses.

Readers need a second reading for "What the other said" and none for "The reply".  The limits
are those of well-written Django projects (healthchecks, pretalx), which were counted alike.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APPS = ("common", "accounts", "comments", "videos", "live", "videoplatform", "benchmarks")
MOST_WHAT_PER_1000_WORDS = 0.3
MOST_WH_SENTENCES = 0.013

WHAT = {"what", "whatever", "whoever"}
WH = WHAT | {"who", "whom", "whose", "which", "where", "when", "why", "how", "whether"}
WORD = re.compile(r"[A-Za-z']+")
SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+")
SCRIPT_COMMENT = re.compile(r"/\*(?P<block>.*?)\*/|(?:^|\s)//(?P<line>.*?)$", re.DOTALL | re.MULTILINE)
MARGIN = re.compile(r"^\s*\*+ ?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """One docstring or comment, with the line on which it begins."""

    path: Path
    line: int
    text: str
    is_docstring: bool


@dataclass(slots=True)
class Wording:
    """Counts over many texts."""

    words: int = 0
    whats: int = 0
    sentences: int = 0
    wh_sentences: int = 0

    def add(self, text: str) -> None:
        words = [word.lower() for word in WORD.findall(text)]
        self.words += len(words)
        self.whats += sum(word in WHAT for word in words)
        for sentence in SENTENCE_END.split(text):
            self.sentences += 1
            self.wh_sentences += begins_with_wh(sentence)

    @property
    def whats_per_1000(self) -> float:
        return 1000 * self.whats / max(1, self.words)

    @property
    def wh_share(self) -> float:
        return self.wh_sentences / max(1, self.sentences)


def begins_with_wh(sentence: str) -> bool:
    first = WORD.match(sentence)
    return first is not None and first[0].lower() in WH


def texts(path: Path) -> Iterator[Text]:
    """Yield the docstrings and comments of a Python file."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield Text(path, getattr(node, "lineno", 1), docstring, is_docstring=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(path, token.start[0], token.string.lstrip("# "), is_docstring=False)


def script_texts(path: Path) -> Iterator[Text]:
    """Yield the JSDoc and the comments of a JavaScript file."""
    source = path.read_text()
    for found in SCRIPT_COMMENT.finditer(source):
        is_block = found["block"] is not None
        text = MARGIN.sub("", found["block"] if is_block else found["line"]).strip()
        yield Text(path, source.count("\n", 0, found.start()) + 1, text, is_docstring=is_block)


def every_text(base_dir: Path) -> Iterator[Text]:
    """Yield the texts of the apps and of the scripts. Migrations are written by Django."""
    for app in APPS:
        for path in sorted((base_dir / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from texts(path)
    for path in sorted((base_dir / "static" / "js").rglob("*.js")):
        yield from script_texts(path)


def main(base_dir: Path) -> int:
    """Print riddling docstrings and the figures; return 1 if a limit is passed."""
    wording = Wording()
    riddles = []
    for text in every_text(base_dir):
        wording.add(text.text)
        if text.is_docstring and begins_with_wh(text.text):
            riddles.append(text)
    for text in riddles:
        place = f"{text.path.relative_to(base_dir)}:{text.line}"
        print(f"{place}: begin with a verb or a noun: {text.text[:60]!r}")
    print(f"'what' in 1,000 words: {wording.whats_per_1000:.2f}, at most {MOST_WHAT_PER_1000_WORDS}")
    print(f"sentences that begin with a wh-word: {wording.wh_share:.2%}, at most {MOST_WH_SENTENCES:.1%}")
    return int(
        bool(riddles)
        or wording.whats_per_1000 > MOST_WHAT_PER_1000_WORDS
        or wording.wh_share > MOST_WH_SENTENCES
    )


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2]))
