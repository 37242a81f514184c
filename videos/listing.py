"""Lists on pages: their filters, and pages that do not shift.

A page ends at a row, not at a number: ``after`` holds the sort value and the id of
the last row shown, so no video repeats while new ones arrive at the head.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from videos.models import Category, Video, VideoQuerySet

PAGE_SIZE = 24

NEWEST = "-published_at"
ORDERINGS = {NEWEST: _("Newest"), "-views": _("Most watched"), "-likes": _("Most liked")}
LENGTHS = {"short": _("Under 4 minutes"), "medium": _("4 to 20 minutes"), "long": _("Over 20 minutes")}
COLUMNS = {NEWEST: "published_at", "-views": "view_count", "-likes": "like_count"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One filter chip: its label, its query string, and whether it is selected."""

    label: str
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class VideoPage:
    videos: Sequence[Video]
    next_query: str  # empty on the last page


@dataclass(frozen=True, slots=True)
class Listing:
    """The filters and the order of a list, as requested; unknown values in the address are ignored."""

    words: str = ""
    tag: str = ""
    category: str = ""
    length: str = ""
    ordering: str = NEWEST

    @classmethod
    def of(cls, params: Mapping[str, str]) -> Listing:
        def known(name: str, allowed: Any, default: str = "") -> str:
            return params.get(name, "") if params.get(name, "") in allowed else default

        return cls(
            words=params.get("q", "").strip()[:200],
            tag=params.get("tag", "").strip().lower()[:40],
            category=known("category", Category.values),
            length=known("length", LENGTHS),
            ordering=known("ordering", ORDERINGS, NEWEST),
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words or self.tag or self.category or self.length)

    def query(self, **changes: str) -> str:
        """Return the query string of this list with ``changes``: ``?category=music&length=short``."""
        asked = {
            "q": self.words,
            "tag": self.tag,
            "category": self.category,
            "length": self.length,
            "ordering": "" if self.ordering == NEWEST else self.ordering,
            **changes,
        }
        given = {name: value for name, value in asked.items() if value}
        return f"?{urlencode(given)}"

    def narrow(self, videos: VideoQuerySet) -> VideoQuerySet:
        if self.words:
            videos = videos.matching(self.words)
        if self.tag:
            videos = videos.tagged(self.tag)
        if self.category:
            videos = videos.filter(category=self.category)
        if self.length:
            videos = videos.of_length(self.length)
        return videos

    def page(self, videos: VideoQuerySet, after: str = "", size: int = PAGE_SIZE) -> VideoPage:
        """Return the rows of ``videos`` after the position ``after``, and the query for the next page."""
        column = COLUMNS[self.ordering]
        rows = self.narrow(videos)
        if position := read_position(after, column):
            value, pk = position
            rows = rows.filter(Q(**{f"{column}__lt": value}) | Q(**{column: value}, pk__lt=pk))
        found = list(rows.order_by(f"-{column}", "-pk")[: size + 1])
        shown, is_last = found[:size], len(found) <= size
        next_query = (
            "" if is_last else self.query(after=write_position(getattr(shown[-1], column), shown[-1].pk))
        )
        return VideoPage(shown, next_query)

    def category_choices(self) -> list[Choice]:
        everything = Choice(str(_("All")), self.query(category=""), not self.category)
        return [everything, *self._choices("category", dict(Category.choices), self.category)]

    def length_choices(self) -> list[Choice]:
        everything = Choice(str(_("Any length")), self.query(length=""), not self.length)
        return [everything, *self._choices("length", LENGTHS, self.length)]

    def ordering_choices(self) -> list[Choice]:
        return [
            Choice(
                str(label),
                self.query(ordering="" if value == NEWEST else value),
                value == self.ordering,
            )
            for value, label in ORDERINGS.items()
        ]

    def _choices(self, name: str, labels: Mapping[str, Any], chosen: str) -> list[Choice]:
        return [
            Choice(str(label), self.query(**{name: value}), value == chosen)
            for value, label in labels.items()
        ]


MAX_POSITION = 200


def write_position(value: datetime | int, pk: int) -> str:
    known = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([known, pk]).encode()).decode().rstrip("=")


def read_position(text: str, column: str) -> tuple[datetime | int, int] | None:
    """Return the value of ``column`` and the id in ``text``, or None if it is not a position."""
    if len(text) > MAX_POSITION:
        return None
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        value = datetime.fromisoformat(value).astimezone(UTC) if column.endswith("_at") else int(value)
        return value, int(pk)
    except (ValueError, TypeError, OverflowError):
        return None
