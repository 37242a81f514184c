"""A canvas for the frames of demo clips: smooth shapes in coordinates of the frame's height."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Color = tuple[int, int, int]

FINER = 2  # frames are drawn this much larger, so that edges are smooth


def color(text: str) -> Color:
    """Return the RGB of ``#rrggbb``."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(one: Color, other: Color, share: float) -> Color:
    """Return the colour between two, at ``share`` (0–1) of the way to ``other``."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def gradient(width: int, height: int, stops: Sequence[tuple[float, Color]]) -> Image.Image:
    """Return an image whose colour changes from top to bottom through ``stops`` (y of 0–1, colour)."""
    column = Image.new("RGB", (1, height))
    for row in range(height):
        y = row / max(1, height - 1)
        upper = max((stop for stop in stops if stop[0] <= y), default=stops[0])
        lower = min((stop for stop in stops if stop[0] >= y), default=stops[-1])
        span = lower[0] - upper[0]
        column.putpixel((0, row), mix(upper[1], lower[1], (y - upper[0]) / span if span else 0))
    return column.resize((width, height))


class Canvas:
    """One frame. Coordinates and widths are in heights of the frame: y is 0–1, x is 0–``aspect``."""

    def __init__(self, width: int, height: int) -> None:
        self.scale = height * FINER
        self.aspect = width / height
        self.image = Image.new("RGB", (width * FINER, height * FINER))
        self.draw = ImageDraw.Draw(self.image)

    def frame(self) -> bytes:
        """Return the frame as packed RGB, in the size of the clip."""
        return self.image.reduce(FINER).tobytes()

    def shape(self, points: Iterable[Point], fill: Color) -> None:
        self.draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: Color) -> None:
        self.oval(x, y, radius, radius, fill)

    def oval(self, x: float, y: float, across: float, down: float, fill: Color) -> None:
        self.draw.ellipse(self._box(x, y, across, down), fill=fill)

    def block(self, left: float, top: float, right: float, bottom: float, fill: Color) -> None:
        self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def land(self, top: Callable[[float], float], fill: Color, steps: int = 120) -> None:
        """Fill everything below ``top``, which gives the y of an x in widths (0–1)."""
        line = [(step / steps * self.aspect, top(step / steps)) for step in range(steps + 1)]
        self.shape([(0.0, 1.0), *line, (self.aspect, 1.0)], fill)

    def ring(self, x: float, y: float, radius: float, width: float, turns: Point, fill: Color) -> None:
        """Draw an arc from the first of ``turns`` to the second, clockwise from the right."""
        start, end = turns
        thick = max(1, round(width * self.scale))
        self.draw.arc(self._box(x, y, radius, radius), start * 360, end * 360, fill=fill, width=thick)

    def _box(self, x: float, y: float, across: float, down: float) -> list[float]:
        return [pixels * self.scale for pixels in (x - across, y - down, x + across, y + down)]

    def line(self, points: Sequence[Point], width: float, fill: Color) -> None:
        """Draw a line with round joints and ends."""
        pixels = [(x * self.scale, y * self.scale) for x, y in points]
        thick = max(1, round(width * self.scale))
        self.draw.line(pixels, fill=fill, width=thick, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            half = thick / 2
            self.draw.ellipse([x - half, y - half, x + half, y + half], fill=fill)

    def text(self, x: float, y: float, text: str, height: float, fill: Color) -> None:
        """Write Latin letters with their middle at (x, y)."""
        font = letters(round(height * self.scale))
        self.draw.text((x * self.scale, y * self.scale), text, font=font, fill=fill, anchor="mm")


@cache
def letters(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, which has Latin letters only."""
    return ImageFont.load_default(size)


def curve(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """Return a smooth line (Catmull-Rom) through ``points``."""
    if len(points) < 3:
        return list(points)
    ends = [points[0], *points, points[-1]]
    line: list[Point] = []
    for (x0, y0), (x1, y1), (x2, y2), (x3, y3) in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(steps):
            t = step / steps
            line.append((_between(x0, x1, x2, x3, t), _between(y0, y1, y2, y3, t)))
    return [*line, points[-1]]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def turn(share: float) -> Point:
    """Return the point of the unit circle after ``share`` of a turn."""
    return math.cos(share * math.tau), math.sin(share * math.tau)
