"""Catalogue of the demo videos: their owners, words, pictures and music."""

from __future__ import annotations

from dataclasses import dataclass

from videos.demo import scenes
from videos.demo.scenes import Scene

LANDSCAPE, UPRIGHT = (1280, 720), (720, 1280)

# Notes of a music box, in Hz; 0 is a rest.
DAWN = (392, 494, 587, 784, 587, 494, 440, 0)
NOCTURNE = (220, 330, 440, 523, 440, 330, 294, 0)
PENTATONIC = (262, 330, 392, 440, 523, 440, 392, 330)
CLOCKWORK = (523, 0, 659, 0, 784, 659, 523, 392)
LOW = (131, 0, 196, 0, 165, 0, 196, 0)


@dataclass(frozen=True, slots=True)
class Loop:
    """Frames that are drawn once and shown again and again, as the strip of a zoetrope is."""

    scene: Scene
    size: tuple[int, int] = LANDSCAPE
    seconds: float = 4.0
    fps: int = 24


@dataclass(frozen=True, slots=True)
class Passage:
    """One pass through a scene in few drawings, which fade into each other."""

    scene: Scene
    size: tuple[int, int]
    drawings: int
    fps: int


@dataclass(frozen=True, slots=True)
class DemoClip:
    """A demo video. A text as its ``picture`` is an FFmpeg source filter."""

    owner: str
    title: str
    description: str
    picture: Loop | Passage | str
    notes_hz: tuple[int, ...]
    duration_s: int
    category: str
    tags: tuple[str, ...]
    captions: tuple[tuple[str, str], ...] = ()  # language, SubRip text


def srt(*cues: tuple[int, str], length_s: int = 6) -> str:
    """Return SubRip text of cues (start in s, text), each ``length_s`` long."""

    def clock(seconds: int) -> str:
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},000"

    return "\n".join(f"{clock(start)} --> {clock(start + length_s)}\n{text}\n" for start, text in cues)


CLIPS = (
    DemoClip(
        owner="benoit",
        title="Seven birds at dusk",
        description="A landscape of noise: each hill is a sum of sines. It passes, and comes again.",
        picture=Loop(scenes.hills, seconds=8),
        notes_hz=DAWN,
        duration_s=24,
        category="film",
        tags=("landscape", "loop"),
    ),
    DemoClip(
        owner="lumi",
        title="走马灯 · The lantern of running horses",
        description="一笔一笔写出“走马灯”。\n\n"
        "Three characters, stroke by stroke: the Chinese name of the zoetrope.",
        picture=Loop(scenes.writing, seconds=9),
        notes_hz=PENTATONIC,
        duration_s=18,
        category="education",
        tags=("书法", "calligraphy"),
        captions=(
            ("en", srt((0, "zǒu: to walk"), (3, "mǎ: a horse"), (5, "dēng: a lantern"), length_s=2)),
            ("zh-Hans", srt((0, "走"), (3, "马"), (5, "灯"), length_s=2)),
        ),
    ),
    DemoClip(
        owner="yun",
        title="月光海 · Moonlit sea",
        description="竖屏，睡前看。Upright, for the last minute of a day.",
        picture=Loop(scenes.sea, UPRIGHT, seconds=6),
        notes_hz=NOCTURNE,
        duration_s=18,
        category="music",
        tags=("portrait", "夜"),
    ),
    DemoClip(
        owner="lumi",
        title="Birds in a drum",
        description="Twelve drawings on a strip of paper. Look through the slits, and they fly.",
        picture=Loop(scenes.drum_of_birds, (1920, 1080), seconds=1),
        notes_hz=CLOCKWORK,
        duration_s=12,
        category="film",
        tags=("zoetrope", "loop"),
    ),
    DemoClip(
        owner="lumi",
        title="See it move",
        description="Eight letters on a wave.",
        picture=Loop(scenes.letters, seconds=3),
        notes_hz=PENTATONIC,
        duration_s=12,
        category="film",
        tags=("type", "loop"),
    ),
    DemoClip(
        owner="yun",
        title="雨窗",
        description="窗外的城市，窗上的雨。",
        picture=Loop(scenes.rain, UPRIGHT, seconds=4),
        notes_hz=NOCTURNE,
        duration_s=16,
        category="music",
        tags=("portrait", "雨"),
    ),
    DemoClip(
        owner="benoit",
        title="Into the Mandelbrot set",
        description="Eighteen seconds of falling.\n\n0:00 The whole set\n0:09 Seahorse valley",
        picture="mandelbrot=s=640x360:r=24:start_scale=2.2:end_scale=0.02:end_pts=360:maxiter=80"
        ":inner=black,colorchannelmixer=rr=.9:rg=.3:gg=.5:gb=.2:bb=1:br=.3,scale=1280:720",
        notes_hz=LOW,
        duration_s=18,
        category="science",
        tags=("mathematics", "fractal"),
    ),
    DemoClip(
        owner="lumi",
        title="Running in place",
        description="The oldest joke of moving pictures: twelve of them, and nobody gets anywhere.",
        picture=Loop(scenes.drum_of_runners, seconds=1),
        notes_hz=CLOCKWORK,
        duration_s=12,
        category="comedy",
        tags=("zoetrope", "loop"),
    ),
    DemoClip(
        owner="benoit",
        title="One pendulum, many lines",
        description="A harmonograph: two swings at a right angle, slightly out of tune.",
        picture=Loop(scenes.harmonograph, seconds=6),
        notes_hz=DAWN,
        duration_s=18,
        category="science",
        tags=("mathematics", "line"),
    ),
    DemoClip(
        owner="benoit",
        title="Gears of light",
        description="Arcs that turn against each other and meet again every five seconds.",
        picture=Loop(scenes.rings, seconds=5),
        notes_hz=CLOCKWORK,
        duration_s=15,
        category="film",
        tags=("loop", "colour"),
    ),
    DemoClip(
        owner="lumi",
        title="测试图 · Test picture with a clock",
        description="看时间码是否连续。 Watch the counter: no frame is missing.",
        picture="testsrc2=s=1920x1080:r=30",
        notes_hz=(440, 0, 440, 0),
        duration_s=12,
        category="education",
        tags=("test", "测试"),
        captions=(
            ("en", srt((1, "The counter stands in the corner."), (7, "Every number is there."), length_s=4)),
            ("zh-Hans", srt((1, "角落里是计数器。"), (7, "每个数字都在。"), length_s=4)),
        ),
    ),
    DemoClip(
        owner="yun",
        title="A day in twenty-five minutes · 一日",
        description="From midnight to midnight, above the same hills.\n从午夜到午夜，同一片山。\n\n"
        "0:00 Night\n4:10 Dawn\n6:30 Morning\n10:30 Noon\n14:30 Afternoon\n19:00 Sunset\n22:20 Night again",
        picture=Passage(scenes.day, (854, 480), drawings=300, fps=8),
        notes_hz=NOCTURNE,
        duration_s=1500,
        category="film",
        tags=("slow", "landscape"),
        captions=(
            (
                "en",
                srt(
                    (4, "Midnight. One minute here is an hour there."),
                    (250, "The first light."),
                    (390, "Morning."),
                    (630, "The sun stands high."),
                    (870, "The shadows grow."),
                    (1140, "Sunset."),
                    (1345, "Night again."),
                ),
            ),
            (
                "zh-Hans",
                srt(
                    (4, "午夜。这里的一分钟，是那里的一小时。"),
                    (250, "天边发白。"),
                    (390, "早晨。"),
                    (630, "日头正高。"),
                    (870, "影子长了。"),
                    (1140, "日落。"),
                    (1345, "又是夜。"),
                ),
            ),
        ),
    ),
)
