"""What people write: cleaned before it is stored, made safe HTML when it is shown.

Text is stored as it was meant, plain.  Nothing here knows Django or a database.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from html import escape

# Boundaries are ASCII on purpose: Chinese writes a time or a name without a space before it.
_URL = re.compile(r"(?<![A-Za-z0-9])https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)
_TIME = re.compile(r"(?<![A-Za-z0-9_:：./])(\d{1,3})[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![A-Za-z0-9_:：/])")
_MENTION = re.compile(r"(?<![A-Za-z0-9_@＠./-])[@＠]([A-Za-z0-9][A-Za-z0-9_.-]{1,28}[A-Za-z0-9_])")
# What readers would take for an address although nothing makes it a link.
_BARE_LINK = re.compile(
    r"(?<![A-Za-z0-9@/.-])(?:www\.[a-z0-9-]+\.|(?:[a-z0-9-]+\.)+[a-z]{2,12}/)\S", re.IGNORECASE
)
_INVISIBLE = dict.fromkeys(
    # Zero-width marks, and those that turn the direction of whatever follows;
    # the joiner stays, because emoji are made with it.
    [0x00AD, 0x180E, 0x200B, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_MARKS_IN_A_ROW = 4
_MAX_MENTIONS = 20


class Unshowable(ValueError):
    """There are characters in the text that no reader can be shown."""


# --- Before it is stored ----------------------------------------------------------


def clean(text: str) -> str:
    """``text`` as it is stored: lines kept, spaces squeezed, nothing invisible.

    Raises :class:`Unshowable` for NUL, control characters and halves of letters.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\n" for letter in text):
        raise Unshowable
    text = _without_towers(text.translate(_INVISIBLE))
    lines = (re.sub(r"[ \u00a0\u2028\u2029]+", " ", line).strip() for line in text.split("\n"))
    # Two line breaks make a paragraph; more only push others off the screen.
    cleaned = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return cleaned if any(unicodedata.category(letter)[0] not in "ZCM" for letter in cleaned) else ""


def clean_line(text: str) -> str:
    """The same for a text of one line."""
    return re.sub(r"\s+", " ", clean(text))


def _without_towers(text: str) -> str:
    """At most four marks over one letter: more climb over the lines above."""
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= _MARKS_IN_A_ROW:
            kept.append(letter)
    return "".join(kept)


def mentioned(text: str) -> tuple[str, ...]:
    """The names behind ``@``, in lower case, each once; whose they are is not known here."""
    names = (match[1].lower() for match in _MENTION.finditer(_URL.sub(" ", text)))
    return tuple(dict.fromkeys(names))[:_MAX_MENTIONS]


def link_count(text: str) -> int:
    """Addresses in ``text``, including those that only look like one."""
    return len(_URL.findall(text)) + len(_BARE_LINK.findall(_URL.sub(" ", text)))


def gist(text: str) -> str:
    """What is left when case, spaces and signs are taken away: equal for the same thing said twice."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(letter for letter in folded if letter.isalnum())
    return words or folded


# --- When it is shown ---------------------------------------------------------------


def to_html(text: str, mentions: Collection[str] = ()) -> str:
    """Safe HTML: everything escaped; links, times and the names of ``mentions`` are links."""
    known = {name.lower(): name for name in mentions}
    return "".join(_pieces(text, known)).replace("\n", "<br>")


def _pieces(text: str, known: Mapping[str, str]) -> Iterator[str]:
    at = 0
    for match in _URL.finditer(text):
        url = _without_closing(match[0])
        yield from _words(text[at : match.start()], known)
        yield _link(url)
        at = match.start() + len(url)
    yield from _words(text[at:], known)


def _words(text: str, known: Mapping[str, str]) -> Iterator[str]:
    """Times and names; a time never touches a name, so one pass finds both."""
    at = 0
    found = sorted([*_TIME.finditer(text), *_MENTION.finditer(text)], key=lambda match: match.start())
    for match in found:
        linked = _time(match) if match.re is _TIME else _mention(match, known)
        if linked and match.start() >= at:
            yield escape(text[at : match.start()])
            yield linked
            at = match.end()
    yield escape(text[at:])


def _time(match: re.Match[str]) -> str:
    """``1:23`` is minutes and seconds, ``1:02:03`` begins with hours."""
    first, second, third = match.groups()
    if third is None:
        seconds = int(first) * 60 + int(second)
    else:
        seconds = int(first) * 3600 + int(second) * 60 + int(third)
    return f'<a class="time-link" href="?t={seconds}" data-seek="{seconds}">{escape(match[0])}</a>'


def _mention(match: re.Match[str], known: Mapping[str, str]) -> str:
    name = known.get(match[1].lower())
    return f'<a class="mention" href="/@{escape(name)}/">{escape(match[0])}</a>' if name else ""


def _link(url: str) -> str:
    host = url.split("//", 1)[1].split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    # A name before the host makes one site look like another.
    if not re.match(r"[A-Za-z0-9\[]", host) or "@" in host:
        return escape(url)
    safe = escape(url)
    return f'<a href="{safe}" rel="nofollow ugc noopener" target="_blank">{safe}</a>'


def _without_closing(url: str) -> str:
    """``url`` without what closes the sentence around it."""
    while url[-1] in ".,;:!?'*_~" or (url[-1] in ")]" and _is_unopened(url)):
        url = url[:-1]
    return url


def _is_unopened(url: str) -> bool:
    opening = {")": "(", "]": "["}[url[-1]]
    return url.count(url[-1]) > url.count(opening)
