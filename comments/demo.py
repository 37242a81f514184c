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
class DemoText:
    """Demo comment with its replies, or demo danmaku if ``offset_ms`` is set."""

    author: str
    text: str
    replies: tuple[tuple[str, str], ...] = ()
    offset_ms: int | None = None
    color: str = "#ffffff"


TALK = {
    "Seven birds at dusk": (
        DemoText(
            "lumi",
            "I count eight in the second pass. Do you?",
            (("benoit", "@lumi Seven. The eighth is a hill."),),
        ),
        DemoText("yun", "0:08 的那道山脊最好看。"),
        DemoText("mira", "Could watch this all evening."),
        DemoText("lumi", "there they go", offset_ms=3000, color="#fb8b24"),
        DemoText("yun", "好美的黄昏", offset_ms=6500),
        DemoText("mira", "and again", offset_ms=9000, color="#ffe8bd"),
        DemoText("yun", "循环得天衣无缝", offset_ms=15_500, color="#2ec4b6"),
    ),
    "走马灯 · The lantern of running horses": (
        DemoText("yun", "笔顺完全正确，强迫症舒服了。", (("lumi", "@yun 练了好几遍😄"),)),
        DemoText("benoit", "So that is why the logo is a lantern!"),
        DemoText("yun", "走", offset_ms=1500, color="#9a031e"),
        DemoText("mira", "马", offset_ms=4300, color="#9a031e"),
        DemoText("yun", "灯！", offset_ms=6400, color="#9a031e"),
    ),
    "月光海 · Moonlit sea": (
        DemoText("lumi", "Lovely on a phone, in the dark."),
        DemoText("mira", "循环到睡着。"),
        DemoText("lumi", "shh", offset_ms=2500),
    ),
    "Birds in a drum": (
        DemoText("benoit", "Twelve frames, and I believe every wing."),
        DemoText("yun", "原来走马灯就是最早的动图。"),
    ),
    "Into the Mandelbrot set": (
        DemoText(
            "lumi", "The seahorses at 0:09! How deep does it go?", (("benoit", "@lumi For ever, they say."),)
        ),
        DemoText("mira", "越看越深，停不下来。"),
        DemoText("lumi", "Here it comes", offset_ms=7500, color="#fb8b24"),
        DemoText("mira", "海马谷！", offset_ms=9000),
        DemoText("lumi", "again, again", offset_ms=10_200),
    ),
    "测试图 · Test picture with a clock": (
        DemoText("mira", "帧都在，计时准确。"),
        DemoText("benoit", "Cheap watches!!! Only today, buy now at the usual place."),
        DemoText("mira", "对拍：3 秒", offset_ms=3000, color="#2ec4b6"),
    ),
    "A day in twenty-five minutes · 一日": (
        DemoText("benoit", "I keep it open beside my work. 6:30 is my favourite minute."),
        DemoText("mira", "日落在 19:00，别错过。"),
        DemoText("lumi", "first light", offset_ms=252_000, color="#f0997d"),
        DemoText("mira", "早上好", offset_ms=392_000),
        DemoText("benoit", "lunch", offset_ms=700_000),
        DemoText("lumi", "晚霞", offset_ms=1_150_000, color="#f2784b"),
    ),
}
# One report for the moderators' desk: the reporter, and the start of the reported text.
REPORTED = ("mira", "Cheap watches")


def talk(target: Target, title: str, people: Mapping[str, User]) -> None:
    """Post the comments and danmaku of a demo video, and report the spam among them."""
    for one in TALK.get(title, ()):
        author = people[one.author]
        if one.offset_ms is not None:
            writing.post(
                target=target, author=author, offset_ms=one.offset_ms, text=one.text, color=one.color
            )
            continue
        comment = services.post(target=target, author=author, text=one.text)
        for name, text in one.replies:
            services.post(target=target, author=people[name], text=text, parent=comment)
        reporter, words = REPORTED
        if one.text.startswith(words):
            moderation.report(
                by=people[reporter], target_type="comment", target_id=comment.public_id, reason="spam"
            )
