"""Demo comments and danmaku, posted by the same services as everyone's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts import moderation
from accounts.models import User
from comments import services
from comments.danmaku import writing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comments.targets import Target


@dataclass(frozen=True, slots=True)
class Said:
    """Demo comment with its replies, or demo danmaku if ``offset_ms`` is set."""

    author: str
    text: str
    replies: tuple[tuple[str, str], ...] = ()
    offset_ms: int | None = None
    color: str = "#ffffff"


TALK = {
    "Seven birds at dusk": (
        Said(
            "lumi",
            "I count eight in the second pass. Do you?",
            (("benoit", "@lumi Seven. The eighth is a hill."),),
        ),
        Said("yun", "0:08 的那道山脊最好看。"),
        Said("mira", "Could watch this all evening."),
        Said("lumi", "there they go", offset_ms=3000, color="#fb8b24"),
        Said("yun", "好美的黄昏", offset_ms=6500),
        Said("mira", "and again", offset_ms=9000, color="#ffe8bd"),
        Said("yun", "循环得天衣无缝", offset_ms=15_500, color="#2ec4b6"),
    ),
    "走马灯 · The lantern of running horses": (
        Said("yun", "笔顺完全正确，强迫症舒服了。", (("lumi", "@yun 练了好几遍😄"),)),
        Said("benoit", "So that is why the logo is a lantern!"),
        Said("yun", "走", offset_ms=1500, color="#9a031e"),
        Said("mira", "马", offset_ms=4300, color="#9a031e"),
        Said("yun", "灯！", offset_ms=6400, color="#9a031e"),
    ),
    "月光海 · Moonlit sea": (
        Said("lumi", "Lovely on a phone, in the dark."),
        Said("mira", "循环到睡着。"),
        Said("lumi", "shh", offset_ms=2500),
    ),
    "Birds in a drum": (
        Said("benoit", "Twelve frames, and I believe every wing."),
        Said("yun", "原来走马灯就是最早的动图。"),
    ),
    "Into the Mandelbrot set": (
        Said(
            "lumi", "The seahorses at 0:09! How deep does it go?", (("benoit", "@lumi For ever, they say."),)
        ),
        Said("mira", "越看越深，停不下来。"),
        Said("lumi", "Here it comes", offset_ms=7500, color="#fb8b24"),
        Said("mira", "海马谷！", offset_ms=9000),
        Said("lumi", "again, again", offset_ms=10_200),
    ),
    "测试图 · Test picture with a clock": (
        Said("mira", "帧都在，计时准确。"),
        Said("benoit", "Cheap watches!!! Only today, buy now at the usual place."),
        Said("mira", "对拍：3 秒", offset_ms=3000, color="#2ec4b6"),
    ),
    "A day in twenty-five minutes · 一日": (
        Said("benoit", "I keep it open beside my work. 6:30 is my favourite minute."),
        Said("mira", "日落在 19:00，别错过。"),
        Said("lumi", "first light", offset_ms=252_000, color="#f0997d"),
        Said("mira", "早上好", offset_ms=392_000),
        Said("benoit", "lunch", offset_ms=700_000),
        Said("lumi", "晚霞", offset_ms=1_150_000, color="#f2784b"),
    ),
}
# One report for the moderators' desk: the reporter, and the start of the reported text.
REPORTED = ("mira", "Cheap watches")


def talk(target: Target, title: str, people: Mapping[str, User]) -> None:
    """Post the comments and danmaku of a demo video, and report the spam among them."""
    for said in TALK.get(title, ()):
        author = people[said.author]
        if said.offset_ms is not None:
            writing.post(
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
