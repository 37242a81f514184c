"""Text of comments: cleaned before it is stored, turned into safe HTML when it is shown.

Text is stored plain, as the author wrote it.  Nothing here uses Django or a database.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import inf
from urllib.parse import quote

# Boundaries are ASCII on purpose: Chinese writes a time or a name without a space before it.
_URL = re.compile(r"(?<![A-Za-z0-9])https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)
_TIME = re.compile(r"(?<![A-Za-z0-9_:：./])(\d{1,3})[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![A-Za-z0-9_:：/])")
_MENTION = re.compile(r"(?<![A-Za-z0-9_@＠./-])[@＠]([A-Za-z0-9][A-Za-z0-9_.-]{1,28}[A-Za-z0-9_])")
# ``#walk``, and ``#散步#`` as Chinese sites write it: there the text goes on without a space.
_HASHTAG = re.compile(r"(?<![A-Za-z0-9_#＃&/])[#＃](?:(\w{1,40})[#＃]|(\w{1,40})(?![\w#＃]))")
# Addresses without a scheme: readers recognise them, although they do not become links.
_BARE_LINK = re.compile(
    r"(?<![A-Za-z0-9@/.-])(?:www\.[a-z0-9-]+\.|(?:[a-z0-9-]+\.)+[a-z]{2,12}/)\S", re.IGNORECASE
)
_INVISIBLE = dict.fromkeys(
    # Zero-width characters and direction marks;
    # the joiner stays, because emoji are made with it.
    [0x00AD, 0x180E, 0x200B, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
# Characters that fonts draw as nothing although Unicode calls them letters or symbols:
# fillers of Hangul and Khmer, the empty Braille pattern, and a musical null.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800\U0001d159\ufffc")
# Unassigned, and ignored by programs that do not know them (Default_Ignorable_Code_Point).
_IGNORED = (range(0x2065, 0x2066), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
_MARKS_IN_A_ROW = 4
_MAX_MENTIONS = 20


class Unshowable(ValueError):
    """Error for text with characters that cannot be shown."""


def clean(text: str) -> str:
    """Return ``text`` as it is stored: lines kept, spaces squeezed, no invisible characters.

    Raise :class:`Unshowable` for NUL, control characters and surrogates.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\n" for letter in text):
        raise Unshowable
    text = _without_towers(text.translate(_INVISIBLE))
    lines = (re.sub(r"[ \u00a0\u2028\u2029]+", " ", line).strip() for line in text.split("\n"))
    # Two line breaks make a paragraph; more only push others off the screen.
    cleaned = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return cleaned if has_visible(cleaned) else ""


def has_visible(text: str) -> bool:
    """Return whether ``text`` has a visible character: not only spaces, marks, fillers and tags."""
    return any(map(_is_visible, text))


def _is_visible(letter: str) -> bool:
    category = unicodedata.category(letter)
    if category in _INVISIBLE_CATEGORIES or category[0] in "ZM" or letter in _BLANK:
        return False
    # An emoji may be newer than our tables, so unassigned characters count as visible.
    return category != "Cn" or not any(ord(letter) in ignored for ignored in _IGNORED)


def clean_line(text: str) -> str:
    """Return ``text`` cleaned as a single line."""
    return re.sub(r"\s+", " ", clean(text))


def _without_towers(text: str) -> str:
    """Return ``text`` with at most four marks on a letter: more would cover the lines above."""
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= _MARKS_IN_A_ROW:
            kept.append(letter)
    return "".join(kept)


def mentioned(text: str) -> tuple[str, ...]:
    """Return the distinct names after ``@``, in lower case; they need not exist."""
    names = (match[1].lower() for match in _MENTION.finditer(_URL.sub(" ", text)))
    return tuple(dict.fromkeys(names))[:_MAX_MENTIONS]


def link_count(text: str) -> int:
    """Return the number of links in ``text``, including addresses without a scheme."""
    return len(_URL.findall(text)) + len(_BARE_LINK.findall(_URL.sub(" ", text)))


def gist(text: str) -> str:
    """Return ``text`` without case, spaces and signs, to compare texts."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(letter for letter in folded if letter.isalnum())
    return words or folded


def to_html(
    text: str,
    mentions: Collection[str] = (),
    length_s: float | None = None,
    moved_s: Callable[[float], float | None] | None = None,
) -> str:
    """Return safe HTML: everything escaped; URLs, times, hashtags and the names in ``mentions`` are links.

    Times at or beyond ``length_s`` stay text; None means that the length is not known.
    ``moved_s`` returns where a time leads today, or None if it leads nowhere.
    """
    length_s = inf if length_s is None else length_s
    links = _Links({name.lower(): name for name in mentions}, length_s, moved_s)
    return "".join(_pieces(text, links)).replace("\n", "<br>")


@dataclass(frozen=True, slots=True)
class _Links:
    """The words that become links: names by their lower case, and times that lead below ``length_s``."""

    names: Mapping[str, str]
    length_s: float
    moved_s: Callable[[float], float | None] | None


def _pieces(text: str, links: _Links) -> Iterator[str]:
    at = 0
    for match in _URL.finditer(text):
        url = match[0]
        # The punctuation that ends the sentence around a URL is not part of it.
        while url[-1] in ".,;:!?'*_~" or (url[-1] in ")]" and _is_unopened(url)):
            url = url[:-1]
        yield from _words(text[at : match.start()], links)
        yield _link(url)
        at = match.start() + len(url)
    yield from _words(text[at:], links)


def _words(text: str, links: _Links) -> Iterator[str]:
    """Yield text with times, names and hashtags as links; of two that overlap, the first one is linked."""
    at = 0
    found = [match for pattern in (_TIME, _MENTION, _HASHTAG) for match in pattern.finditer(text)]
    for match in sorted(found, key=lambda match: match.start()):
        if match.re is _HASHTAG:
            linked = _hashtag(match)
        else:
            linked = _time(match, links) if match.re is _TIME else _mention(match, links)
        if linked and match.start() >= at:
            yield escape(text[at : match.start()])
            yield linked
            at = match.end()
    yield escape(text[at:])


def _time(match: re.Match[str], links: _Links) -> str:
    """Return a link to a time: ``1:23`` is minutes and seconds, ``1:02:03`` begins with hours."""
    first, second, third = match.groups()
    if third is None:
        seconds = int(first) * 60 + int(second)
    else:
        seconds = int(first) * 3600 + int(second) * 60 + int(third)
    moved_s = links.moved_s(seconds) if links.moved_s else seconds
    if moved_s is None or moved_s >= links.length_s:
        return ""
    seconds = int(moved_s)
    return f'<a class="time-link" href="?t={seconds}" data-seek="{seconds}">{escape(match[0])}</a>'


def _mention(match: re.Match[str], links: _Links) -> str:
    name = links.names.get(match[1].lower())
    return f'<a class="mention" href="/@{escape(name)}/">{escape(match[0])}</a>' if name else ""


def _hashtag(match: re.Match[str]) -> str:
    """Return a link to the search for a word; a number alone is the number of a thing."""
    word = match[1] or match[2]
    if word.isdigit():
        return ""
    return f'<a class="hashtag" href="/search/?q={quote(word)}">{escape(match[0])}</a>'


def _link(url: str) -> str:
    host = url.split("//", 1)[1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    # A user name before the host makes one site look like another.
    if not re.match(r"[A-Za-z0-9\[]", host) or "@" in host:
        return escape(url)
    safe = escape(url)
    return f'<a href="{safe}" rel="nofollow ugc noopener" target="_blank">{safe}</a>'


def _is_unopened(url: str) -> bool:
    opening = {")": "(", "]": "["}[url[-1]]
    return url.count(url[-1]) > url.count(opening)
