"""Shelves of home: rows of videos above the grid, each video on one of them at most.

A person who is signed in has unfinished videos, new ones of followed channels, live channels and
trending videos.  Visitors see one video or broadcast large, trending videos, and categories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.viewers import Viewer
from videos import services
from videos.listing import VideoPage
from videos.models import Category, Video, WatchedVideo

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User

MOST_ON_A_SHELF = 12
# A row of a wide screen.  Unfinished and followed videos have a shelf from one video on.
LEAST_ON_A_SHELF = 4
CATEGORY_SHELVES = 3
# The newest videos, among which those of the category shelves are.
READ_FOR_CATEGORIES = 120


@dataclass(frozen=True, slots=True)
class Shelf:
    """One row of videos with its heading and the address of the whole list."""

    name: str  # of the heading's element
    title: str
    address: str
    videos: Sequence[Video]


@dataclass(slots=True)
class Shelves:
    """The rows above the grid; ``hero`` is a video or the state of a stream."""

    continued: list[WatchedVideo] = field(default_factory=list)
    recent: list[Video] = field(default_factory=list)
    live: list[dict[str, Any]] = field(default_factory=list)
    hero_live: dict[str, Any] | None = None
    hero: Video | None = None
    more: list[Shelf] = field(default_factory=list)

    def without_hero(self, page: VideoPage) -> VideoPage:
        """Return the page of the grid without the video that stands above it."""
        shown = [video for video in page.videos if video != self.hero]
        return VideoPage(shown, page.next_query)


def shelves_of(
    visitor: Viewer, on_air: list[dict[str, Any]], newest: Sequence[Video], *, is_long: bool
) -> Shelves:
    """Return the shelves of home.

    ``newest`` is the first page of the grid; ``is_long`` says that there are more pages.
    Without more, the grid shows all videos, and categories have no shelves.
    """
    shelves = Shelves(live=on_air)
    wanted = Video.objects.listed().not_dismissed_by(visitor.user).for_cards()
    if visitor.user.is_authenticated:
        shelves.continued = services.continued(visitor, MOST_ON_A_SHELF)
        seen = {entry.video_id for entry in shelves.continued}
        shelves.recent = services.recent_of_followed(visitor.user, MOST_ON_A_SHELF, without=seen)
        seen |= {video.pk for video in shelves.recent}
        trending = _trending(visitor.user, seen)
    else:
        trending = _trending(visitor.user, ())
        if on_air:
            shelves.hero_live, shelves.live = on_air[0], on_air[1:]
        else:
            shelves.hero = _hero(trending, newest)
        seen = {shelves.hero.pk} if shelves.hero else set()
        trending = [video for video in trending if video.pk not in seen]
    if len(trending) >= LEAST_ON_A_SHELF:
        address = f"{reverse('home')}?ordering=-views"
        shelves.more.append(Shelf("trending", _("Trending this week"), address, trending))
        seen |= {video.pk for video in trending}
    if is_long and not visitor.user.is_authenticated:
        latest = wanted.exclude(pk__in=seen).order_by("-published_at", "-pk")[:READ_FOR_CATEGORIES]
        shelves.more += by_category(latest)
    services.add_progress((video for shelf in shelves.more for video in shelf.videos), visitor.user)
    return shelves


def _trending(user: User | AnonymousUser, seen: Iterable[int]) -> list[Video]:
    found = Video.objects.trending().not_dismissed_by(user).for_cards().exclude(pk__in=seen)
    return list(found[:MOST_ON_A_SHELF])


def _hero(trending: Sequence[Video], newest: Sequence[Video]) -> Video | None:
    """Return the video that stands large on home: the first that trends, else the most watched new one.

    A portrait picture leaves most of that place empty, so it has to be landscape.
    """
    for videos in (trending, sorted(newest, key=lambda video: -video.view_count)):
        fitting = (video for video in videos if video.poster_key and not video.is_portrait)
        if len(newest) >= LEAST_ON_A_SHELF and (found := next(fitting, None)):
            return found
    return None


def by_category(videos: Iterable[Video]) -> list[Shelf]:
    """Return the shelves of the categories with the most views, in order, from their latest videos."""
    shelves: dict[str, list[Video]] = defaultdict(list)
    for video in videos:
        if video.category != Category.OTHER and len(shelves[video.category]) < MOST_ON_A_SHELF:
            shelves[video.category].append(video)
    views = {name: sum(video.view_count for video in shown) for name, shown in shelves.items()}
    full = [name for name, shown in shelves.items() if len(shown) >= LEAST_ON_A_SHELF]
    chosen = sorted(full, key=lambda name: (-views[name], name))[:CATEGORY_SHELVES]
    home = reverse("home")
    return [
        Shelf(f"category-{name}", str(Category(name).label), f"{home}?category={name}", shelves[name])
        for name in chosen
    ]
