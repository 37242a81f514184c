"""Scenes of the demo clips. Each draws one moment of a loop, as the strip of a zoetrope does.

A scene takes an empty canvas and the phase of its loop (0–1, where 1 looks like 0).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageFilter

from videos.demo.canvas import Canvas, Color, Point, color, curve, gradient, mix, turn

Scene = Callable[[Canvas, float], None]

NIGHT, PLUM, RED, ORANGE = color("#14213d"), color("#5f0f40"), color("#9a031e"), color("#fb8b24")
TEAL, CREAM, MINT, INK = color("#0f4c5c"), color("#fff1d0"), color("#2ec4b6"), color("#0b1020")


@cache
def backdrop(size: tuple[int, int], *stops: tuple[float, Color]) -> Image.Image:
    """Return a vertical gradient."""
    return gradient(*size, stops)


def paint(canvas: Canvas, *stops: tuple[float, Color]) -> None:
    canvas.image.paste(backdrop(canvas.image.size, *stops))


def bird(canvas: Canvas, x: float, y: float, size: float, wing: float, fill: Color) -> None:
    """Draw a bird from the side; ``wing`` is the phase of its beat."""
    beat = math.sin(wing * math.tau)
    tip = -0.75 * beat - 0.1

    def at(*points: Point) -> list[Point]:
        return curve([(x + across * size, y + down * size) for across, down in points], 6)

    body = at((-1, 0.02), (-0.3, -0.12), (0.55, -0.06), (0.8, 0), (0.45, 0.14), (-0.4, 0.12))
    canvas.shape(body, fill)
    for lean in (0.0, 0.35):
        end = (-0.25 - lean, tip + lean * 0.5 * beat)
        canvas.shape(at((-0.3, 0), (-0.35, tip / 2), end, (0.1, tip / 2), (0.35, 0)), fill)


def runner(canvas: Canvas, x: float, y: float, size: float, step: float, fill: Color) -> None:
    """Draw a running figure with its feet at ``y``; ``step`` is the phase of its stride."""
    sway = math.sin(step * 2 * math.tau)
    hip = (x, y - size * (0.5 + 0.03 * sway))
    neck = (x + size * 0.1, hip[1] - size * 0.32)
    for side in (0.0, 0.5):
        swing = math.sin((step + side) * math.tau)
        lift = max(0.0, math.cos((step + side) * math.tau))
        knee = (hip[0] + size * (0.2 * swing + 0.05), hip[1] + size * (0.24 - 0.06 * lift))
        foot = (knee[0] + size * (0.16 * swing - 0.16 * lift), knee[1] + size * (0.25 - 0.12 * lift))
        canvas.line([hip, knee, foot], size * 0.075, fill)
        elbow = (neck[0] - size * 0.17 * swing, neck[1] + size * 0.16)
        hand = (elbow[0] + size * (0.13 - 0.06 * swing), elbow[1] + size * (0.06 - 0.06 * swing))
        canvas.line([neck, elbow, hand], size * 0.055, fill)
    canvas.line([hip, neck], size * 0.11, fill)
    canvas.disc(neck[0] + size * 0.05, neck[1] - size * 0.13, size * 0.09, fill)


# The drum: how many pictures and slits are around it, and its measures in heights of the frame.
PICTURES = 12
ACROSS, DEPTH = 0.62, 0.13
FAR = -0.05  # sideways walls show nothing


Figure = Callable[[Canvas, float, float, float, float, Color], None]


def drum(canvas: Canvas, phase: float, figure: Figure) -> None:
    """Draw a zoetrope that turns by one picture in a loop, so that its figures come to life in place."""
    paint(canvas, (0.0, INK), (0.62, NIGHT), (1.0, PLUM))
    middle, rim, floor = canvas.aspect / 2, 0.34, 0.74
    lamp, brass = mix(CREAM, ORANGE, 0.35), mix(ORANGE, INK, 0.5)
    canvas.oval(middle, 0.93, 0.5, 0.05, mix(PLUM, INK, 0.6))
    canvas.block(middle - 0.04, 0.8, middle + 0.04, 0.93, brass)
    canvas.oval(middle, 0.93, 0.2, 0.025, brass)
    canvas.shape(_band(middle, rim - 0.12, rim + 0.3, -1), lamp)
    canvas.oval(middle, rim + 0.3, ACROSS, DEPTH, mix(lamp, ORANGE, 0.5))
    for number in range(PICTURES):
        # The far wall runs to the right; the next picture continues the motion of the one before.
        along = (number + phase) / PICTURES
        x, depth = turn(along)
        if depth < FAR:
            size = 0.1 * (0.35 - 0.65 * depth)
            figure(canvas, middle + x * ACROSS * 0.93, rim + 0.02 + depth * DEPTH, size, along - phase, NIGHT)
    canvas.shape(_band(middle, rim + 0.12, floor, 1), mix(RED, INK, 0.25))
    for number in range(PICTURES):
        x, depth = turn((number - phase + 0.5) / PICTURES)
        if depth > -FAR:
            slit, top = middle + x * ACROSS, rim + 0.12 + depth * DEPTH
            canvas.block(
                slit - 0.013 * depth, top + 0.03, slit + 0.013 * depth, top + 0.17, mix(lamp, ORANGE, 0.3)
            )
    for down, shade in ((0.115, ORANGE), (0.395, mix(ORANGE, INK, 0.2))):
        canvas.line([_on_rim(middle, rim + down, step / 40) for step in range(21)], 0.014, shade)


def _on_rim(middle: float, y: float, share: float, side: int = 1) -> Point:
    x, depth = turn(share)
    return middle + x * ACROSS, y + side * depth * DEPTH


def _band(middle: float, top: float, bottom: float, side: int) -> list[Point]:
    """Return the outline of the near (1) or far (-1) half of a cylinder's wall."""
    upper = [_on_rim(middle, top, step / 80, side) for step in range(41)]
    lower = [_on_rim(middle, bottom, step / 80, side) for step in range(41)]
    return [*upper, *reversed(lower)]


def drum_of_birds(canvas: Canvas, phase: float) -> None:
    drum(canvas, phase, bird)


def drum_of_runners(canvas: Canvas, phase: float) -> None:
    def standing(on: Canvas, x: float, y: float, size: float, step: float, fill: Color) -> None:
        runner(on, x, y + size * 1.1, size * 2.2, step, fill)

    drum(canvas, phase, standing)


def ridge(x: float, seed: int, rough: int) -> float:
    """Return the height (-1–1) of a hill that repeats after ``x`` of 1."""
    return sum(share * math.sin(x * wave + lead) for wave, lead, share in waves(seed, rough))


@cache
def waves(seed: int, rough: int) -> tuple[tuple[float, float, float], ...]:
    """Return the sines of a hill: wave number, lead and share."""
    dice = random.Random(seed)
    return tuple(
        (octave * math.tau, dice.random() * math.tau, 1 / octave**1.1 / 1.8) for octave in range(1, rough + 1)
    )


# Hills from far to near: base, height, seed, roughness.
DUSK = ((0.55, 0.10, 3, 3), (0.66, 0.11, 8, 6), (0.78, 0.12, 21, 9), (0.9, 0.12, 34, 12))


def hills(canvas: Canvas, phase: float) -> None:
    """Draw hills at dusk that pass at their own speeds, and birds above them."""
    paint(canvas, (0.0, color("#2b2d5b")), (0.35, color("#b3446c")), (0.6, ORANGE), (1.0, color("#ffd9a0")))
    canvas.disc(canvas.aspect * 0.68, 0.5, 0.12, color("#ffe8bd"))
    for number, (base, tall, seed, rough) in enumerate(DUSK):
        width = 1 + number * 0.5  # of one repetition: each passes once in a loop

        def top(
            x: float, hill: tuple[float, ...] = (base, tall, width), kind: tuple[int, int] = (seed, rough)
        ) -> float:
            return hill[0] - hill[1] * ridge(x / hill[2] + phase, *kind)

        canvas.land(top, mix(color("#a34a6b"), color("#1a1438"), number / 3))
    for number in range(7):
        row, side = divmod(number + 1, 2)
        glide, rise = math.sin((phase + number / 7) * math.tau), math.sin((2 * phase + number / 5) * math.tau)
        x = canvas.aspect * 0.42 - row * 0.085 + glide * 0.012
        y = 0.27 + (row * 0.05 if side else -row * 0.04) + rise * 0.008
        bird(canvas, x, y, 0.033, 8 * phase + number * 0.13, color("#241a3f"))


Spot = tuple[float, float, float, Color]  # x in widths, y in heights, radius in heights, colour
SKY = ((0.0, INK), (0.5, NIGHT), (0.62, TEAL), (1.0, color("#062a38")))
STREET = ((0.0, color("#10131f")), (0.6, color("#27213f")), (1.0, color("#45284a")))
MOON: tuple[Spot, ...] = ((0.5, 0.24, 0.12, mix(NIGHT, CREAM, 0.4)),)


@cache
def blurred(
    size: tuple[int, int], stops: tuple[tuple[float, Color], ...], spots: tuple[Spot, ...], blur: float
) -> Image.Image:
    """Return a backdrop with soft spots; ``blur`` is in heights."""
    width, height = size[0] // 4, size[1] // 4
    image = gradient(width, height, stops)
    draw = ImageDraw.Draw(image)
    for x, y, radius, fill in spots:
        across, down, reach = x * width, y * height, radius * height
        draw.ellipse([across - reach, down - reach, across + reach, down + reach], fill=fill)
    return image.filter(ImageFilter.GaussianBlur(blur * height)).resize(size)


def sea(canvas: Canvas, phase: float) -> None:
    """Draw a moon above waves."""
    canvas.image.paste(blurred(canvas.image.size, SKY, MOON, 0.045))
    middle = canvas.aspect / 2
    dice = random.Random(5)
    for _ in range(60):
        x, y, beat = dice.random() * canvas.aspect, dice.random() * 0.5, dice.random()
        canvas.disc(x, y, 0.0016, mix(NIGHT, CREAM, 0.35 + 0.35 * math.sin((phase * 2 + beat) * math.tau)))
    canvas.disc(middle, 0.24, 0.075, CREAM)
    for layer in range(9):
        base = 0.56 + layer**1.3 * 0.026
        swell(canvas, phase, layer, base)
        for glint in range(4):
            x = middle + 0.05 * math.sin((phase + glint / 4 + layer * 0.21) * math.tau) * (1 + layer * 0.25)
            wide = 0.012 + 0.01 * math.sin((phase * 2 + glint * 0.3 + layer) * math.tau)
            shine = mix(TEAL, CREAM, 0.75 - layer * 0.05)
            canvas.line([(x - wide, base + 0.012), (x + wide, base + 0.012)], 0.0035, shine)


def swell(canvas: Canvas, phase: float, layer: int, base: float) -> None:
    """Draw one layer of waves; every second one runs to the right."""
    lap, rush = layer % 3 + 1, 1 if layer % 2 else -1

    def top(x: float) -> float:
        long = math.sin((x * lap + rush * phase + layer * 0.3) * math.tau)
        short = math.sin((x * (lap + 3) - rush * 2 * phase) * math.tau)
        return base + (0.006 + layer * 0.0016) * long + 0.004 * short

    canvas.land(top, mix(color("#1b6d7d"), color("#04202c"), layer / 8))


def _lamps() -> tuple[Spot, ...]:
    dice = random.Random(7)
    tints = (ORANGE, CREAM, MINT, color("#e56b6f"), color("#7aa2ff"))
    return tuple(
        (dice.random(), 0.3 + dice.random() * 0.65, 0.02 + dice.random() * 0.045,
         mix(color("#221c36"), tints[number % 5], 0.25 + 0.35 * dice.random()))
        for number in range(26)
    )  # fmt: skip


LAMPS = _lamps()


def rain(canvas: Canvas, phase: float) -> None:
    """Draw a city behind a wet window."""
    canvas.image.paste(blurred(canvas.image.size, STREET, LAMPS, 0.007))
    dice = random.Random(11)
    for _ in range(90):
        x, start, speed, tall = (
            dice.random() * canvas.aspect,
            dice.random(),
            dice.randint(2, 5),
            0.03 + dice.random() * 0.06,
        )
        y = (start + phase * speed) % 1 * 1.2 - 0.1
        canvas.line([(x, y), (x - tall * 0.06, y + tall)], 0.0016, color("#9fb3d9"))
    for _ in range(40):
        x, y, size = dice.random() * canvas.aspect, dice.random(), 0.003 + dice.random() * 0.008
        canvas.disc(x, y, size, color("#39405e"))
        canvas.disc(x - size * 0.25, y - size * 0.3, size * 0.35, color("#c9d6f2"))


def harmonograph(canvas: Canvas, phase: float) -> None:
    """Draw the line of a pendulum, growing and fading."""
    canvas.image.paste(color("#f6efe2"), (0, 0, *canvas.image.size))
    middle, count = canvas.aspect / 2, 1500

    def at(step: float) -> Point:
        swing = math.exp(-step * 0.0011)
        x = math.sin(step * 0.0802 + phase * math.tau) + math.sin(step * 0.0401)
        y = math.sin(step * 0.1203) + math.sin(step * 0.0399 + phase * math.tau)
        return middle + x * 0.21 * swing * 1.5, 0.5 + y * 0.21 * swing

    for step in range(0, count, 6):
        canvas.line([at(step + part) for part in range(0, 7, 2)], 0.0022, mix(RED, TEAL, step / count))


def rings(canvas: Canvas, phase: float) -> None:
    """Draw arcs that turn against each other."""
    canvas.image.paste(color("#101321"), (0, 0, *canvas.image.size))
    middle = canvas.aspect / 2
    for number in range(11):
        radius, rush = 0.07 + number * 0.036, 1 + number % 3
        lead = phase * rush * (1 if number % 2 else -1) + number * 0.17
        tint = mix(ORANGE, MINT, number / 10)
        breath = 0.3 + 0.22 * math.sin((phase + number / 11) * math.tau)
        for third in range(2):
            start = lead + third / 2
            canvas.ring(middle, 0.5, radius, 0.019, (start, start + breath * 0.8), tint)
    canvas.disc(middle, 0.5, 0.03 + 0.006 * math.sin(phase * 2 * math.tau), CREAM)


# 走马灯 in strokes, each on a field of 100 × 100, in the order in which one writes them.
WRITTEN: tuple[tuple[tuple[Point, ...], ...], ...] = (
    (
        ((27, 23), (73, 20)), ((50, 6), (50, 43)), ((13, 45), (87, 42)), ((51, 45), (51, 84)),
        ((52, 63), (78, 61)), ((31, 55), (27, 72), (11, 92)), ((24, 74), (42, 87), (66, 92), (93, 91)),
    ),
    (
        ((22, 15), (70, 14), (66, 30), (63, 46)),
        ((33, 24), (29, 49), (84, 48), (80, 78), (74, 92), (62, 86)),
        ((10, 70), (66, 68)),
    ),
    (
        ((15, 36), (20, 52)), ((46, 30), (39, 46)), ((30, 10), (30, 45), (24, 70), (8, 92)),
        ((31, 62), (46, 82)), ((52, 24), (95, 22)), ((75, 24), (75, 84), (70, 92), (59, 86)),
    ),
)  # fmt: skip
SHARP = frozenset({(1, 0), (1, 1), (2, 5), (0, 0), (0, 2)})  # strokes with corners: character, stroke


def writing(canvas: Canvas, phase: float) -> None:
    """Write 走马灯, "the lantern of running horses", stroke by stroke, and let it fade."""
    paper, ink = color("#f3ead7"), color("#1c1a1a")
    canvas.image.paste(paper, (0, 0, *canvas.image.size))
    strokes = [
        (place, number, points) for place, one in enumerate(WRITTEN) for number, points in enumerate(one)
    ]
    fading = max(0.0, (phase - 0.9) / 0.1)
    done = min(phase / 0.75, 1.0) * len(strokes)
    size = min(0.42, canvas.aspect * 0.28)
    left, top = canvas.aspect / 2 - size * 1.62, 0.5 - size * 0.5
    for place in range(len(WRITTEN)):
        x = left + place * size * 1.12
        frame = [(x, top), (x + size, top), (x + size, top + size), (x, top + size), (x, top)]
        canvas.line(frame, 0.002, mix(paper, RED, 0.35))
        canvas.line([(x, top + size / 2), (x + size, top + size / 2)], 0.0012, mix(paper, RED, 0.2))
        canvas.line([(x + size / 2, top), (x + size / 2, top + size)], 0.0012, mix(paper, RED, 0.2))
    for order, (place, number, points) in enumerate(strokes):
        share = min(max(done - order, 0.0), 1.0)
        if not share:
            continue
        smooth = list(points) if (place, number) in SHARP else curve(points, 10)
        at = [(left + place * size * 1.12 + x / 100 * size, top + y / 100 * size) for x, y in _dense(smooth)]
        brush(canvas, at[: max(2, math.ceil(len(at) * share))], size * 0.075, mix(ink, paper, fading))
    if done >= len(strokes):
        seal = mix(RED, paper, fading)
        x, y = left + size * 3.36, top + size * 1.06
        canvas.shape([(x - 0.05, y - 0.05), (x, y - 0.05), (x, y), (x - 0.05, y)], seal)
        canvas.ring(x - 0.025, y - 0.025, 0.014, 0.004, (0, 1), paper)


def _dense(points: list[Point]) -> list[Point]:
    """Return the line with a point at every unit of its length."""
    line: list[Point] = []
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        steps = max(1, round(math.dist((x, y), (to_x, to_y))))
        line += [(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps) for step in range(steps)]
    return [*line, points[-1]]


def brush(canvas: Canvas, points: list[Point], width: float, fill: Color) -> None:
    """Draw a stroke that begins broad and ends fine."""
    for order, (x, y) in enumerate(points):
        share = order / max(1, len(points) - 1)
        canvas.disc(x, y, width * (0.5 - 0.16 * math.sin(share * math.pi) - 0.1 * share), fill)


def letters(canvas: Canvas, phase: float) -> None:
    """Let the letters of ZOETROPE ride on a wave."""
    canvas.image.paste(color("#17132b"), (0, 0, *canvas.image.size))
    word = "ZOETROPE"
    tints = (ORANGE, color("#ffb627"), CREAM, MINT, color("#7aa2ff"), color("#e56b6f"))
    pitch = canvas.aspect * 0.1
    for echo in range(7, -1, -1):
        for number, letter in enumerate(word):
            late = phase - echo * 0.012 - number / len(word)
            y = 0.5 + 0.17 * math.sin(late * math.tau)
            x = canvas.aspect / 2 + (number - (len(word) - 1) / 2) * pitch
            tint = tints[number % len(tints)]
            canvas.text(
                x, y, letter, 0.24, tint if not echo else mix(color("#17132b"), tint, 0.24 - echo * 0.028)
            )


DAY = (
    (0.0, color("#0a1026"), color("#22264d")), (0.16, color("#2f3b73"), color("#f0997d")),
    (0.26, color("#5b93c9"), color("#f7dcb4")), (0.5, color("#3f8ed0"), color("#cfe8f5")),
    (0.72, color("#5484bd"), color("#f8d8a6")), (0.84, color("#43356f"), color("#f2784b")),
    (0.93, color("#161a3d"), color("#4a2b57")), (1.0, color("#0a1026"), color("#22264d")),
)  # fmt: skip


NEAR = ((0.8, 0.09, 3, 5), (0.88, 0.08, 21, 8), (0.96, 0.05, 34, 12))
DUSKY = 0.5  # the light in which stars come out


def day(canvas: Canvas, phase: float) -> None:
    """Draw the light of one day above hills, from midnight to midnight."""
    (since, high, low), (until, next_high, next_low) = next(
        pair for pair in itertools.pairwise(DAY) if phase <= pair[1][0]
    )
    share = (phase - since) / (until - since)
    sky, glow = mix(high, next_high, share), mix(low, next_low, share)
    canvas.image.paste(gradient(16, 120, ((0.0, sky), (0.75, glow), (1.0, glow))).resize(canvas.image.size))
    light = min(max(math.cos((phase - 0.5) * math.tau) + 0.35, 0.0), 1.0)
    dice = random.Random(2)
    for _ in range(130):
        x, y, bright = dice.random(), dice.random() * 0.7, dice.random()
        if light < DUSKY:
            shine = mix(sky, CREAM, (DUSKY - light) * 2 * bright)
            canvas.disc((x + phase * 0.12) % 1 * canvas.aspect, y, 0.0022, shine)
    for of_day, tint, size in ((phase - 0.5, color("#fff3d1"), 0.06), (phase, color("#dfe6f5"), 0.04)):
        way = (of_day + 0.5) % 1 - 0.5  # from the highest point, in days
        x, y = canvas.aspect * (0.5 + way * 1.7), 0.9 - 0.62 * math.cos(way * math.tau)
        canvas.disc(x, y, size, mix(tint, sky, 0.08))
    cloud = mix(sky, mix(glow, CREAM, light * 0.7), 0.28 + light * 0.2)
    for number in range(5):
        y, wide = 0.16 + number * 0.085, 0.2 + number * 0.05
        x = (number * 0.31 + phase * (3 + number)) % 1 * (canvas.aspect + 2 * wide) - wide
        for puff in range(4):
            up = puff % 2
            canvas.oval(x + (puff - 1.5) * wide * 0.28, y - up * 0.012, wide * 0.24, 0.02 + up * 0.01, cloud)
    for number, (base, tall, seed, rough) in enumerate(NEAR):
        heights = [base - tall * ridge(step / 120, seed, rough) for step in range(121)]
        lit = mix(color("#0b0f22"), mix(color("#6f9d7a"), color("#2d5b46"), number / 2), light)
        ground = mix(lit, glow, 0.28 - number * 0.1)
        canvas.land(lambda x, tops=heights: tops[round(x * 120)], ground)  # type: ignore[misc]
