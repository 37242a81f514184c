"""Demo words below and above demo videos, by the same services as everyone's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts import moderation
from accounts.models import User
from comments import danmaku, services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comments.targets import Target


@dataclass(frozen=True, slots=True)
class Said:
    """A comment of ``author`` and what was answered to it; or danmaku, where it has a moment."""

    author: str
    text: str
    replies: tuple[tuple[str, str], ...] = ()
    offset_ms: int | None = None
    color: str = "#ffffff"


TALK = {
    "Into the Mandelbrot set": (
        Said(
            "lumi", "The seahorses at 0:09! How deep does it go?", (("benoit", "@lumi For ever, they say."),)
        ),
        Said("mira", "越看越深，停不下来。"),
        Said("lumi", "Here it comes", offset_ms=7500, color="#fb8b24"),
        Said("mira", "海马谷！", offset_ms=9000),
        Said("lumi", "again, again", offset_ms=10_200),
    ),
    "Slow light": (Said("benoit", "Lovely on a phone, in the dark."),),
    "测试图 · Test picture with a clock": (
        Said("mira", "帧都在，计时准确。"),
        Said("benoit", "Cheap watches!!! Only today, buy now at the usual place."),
        Said("mira", "对拍：3 秒", offset_ms=3000, color="#2ec4b6"),
    ),
}
# What moderators find on their desk: who reports whom, about which words.
REPORTED = ("mira", "Cheap watches")


def talk(target: Target, title: str, people: Mapping[str, User]) -> None:
    """Say about a demo video what is said about it, and report what deserves it."""
    for said in TALK.get(title, ()):
        author = people[said.author]
        if said.offset_ms is not None:
            danmaku.post(
                target=target, author=author, offset_ms=said.offset_ms, text=said.text, color=said.color
            )
            continue
        comment = services.post(target=target, author=author, text=said.text)
        for name, text in said.replies:
            services.post(target=target, author=people[name], text=text, parent=comment)
        reporter, words = REPORTED
        if said.text.startswith(words):
            moderation.report(
                by=people[reporter], target_type="comment", target_id=comment.public_id, reason="spam"
            )
