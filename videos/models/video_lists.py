"""Lists of videos and the search for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Channel, Follow, User
from common import trigrams
from common.folding import searchable
from common.words import composed, folded
from videos.models.topics import Tag

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from videos.models.videos import Video

# Bounds of a search.
MOST_WORDS = 8
MOST_CHARACTERS = 200
MOST_NAMED = 200
MOST_FOUND = 1_000
NEWEST_SEARCHED = 10_000


class VideoQuerySet(models.QuerySet["Video"]):
    def kept(self) -> VideoQuerySet:
        """Exclude videos removed by moderators, which owners no longer see, and editions."""
        return self.filter(edition_of=None).exclude(withheld=self.model.Withheld.REMOVED)

    def listed(self) -> VideoQuerySet:
        """Return the public, playable videos, as shown on home, search and channel pages."""
        return self._out().filter(visibility=self.model.Visibility.PUBLIC)

    def not_dismissed_by(self, user: User | AnonymousUser) -> VideoQuerySet:
        """Exclude the videos in which ``user`` is not interested."""
        return self.exclude(dismissals__user=user) if user.is_authenticated else self

    def followed_by(self, user: User) -> VideoQuerySet:
        """Return the playable videos of the channels that ``user`` follows, with those for followers."""
        channels = Follow.objects.filter(follower=user).values("channel")
        seen = (self.model.Visibility.PUBLIC, self.model.Visibility.FOLLOWERS)
        return self._out().filter(visibility__in=seen, channel__in=channels, published_at__isnull=False)

    def trending(self) -> VideoQuerySet:
        """Return the listed videos that trend, the first one first (services.rank_trending)."""
        return self.listed().filter(trending__isnull=False).order_by("trending__place")

    def _out(self) -> VideoQuerySet:
        """Return the playable videos that neither moderators nor a schedule withhold."""
        return self.filter(
            is_playable=True,
            withheld="",
            publish_at=None,
            edition_of=None,
            channel__owner__is_active=True,
        ).exclude(status=self.model.Status.FAILED)

    def record_published(self) -> int:
        """Set ``published_at`` of playable videos that are out and have none; return their number."""
        fresh = self.filter(published_at=None, is_playable=True, publish_at=None, edition_of=None)
        return fresh.exclude(visibility=self.model.Visibility.PRIVATE).update(published_at=Now())

    def for_cards(self) -> VideoQuerySet:
        """Join the channel and its owner, so that a list of cards takes one query."""
        return self.select_related("channel__owner")

    def tagged(self, name: str) -> VideoQuerySet:
        """Return the videos with the tag ``name``, in any case.

        The tag is looked up first, because the query planner knows how many videos
        the tag with a given id has, but not the tag with a given name.
        """
        tags = list(Tag.objects.filter(name=folded(name)).values_list("pk", flat=True))
        marked = self.model.tags.through.objects.filter(tag_id__in=tags)
        return self.filter(pk__in=marked.values("video_id"))

    def matching(self, words: str) -> VideoQuerySet:
        """Return the videos with every word in the title, the description, a tag or the channel's name.

        The search covers the newest ``MOST_FOUND`` matches and, for each word,
        ``MOST_NAMED`` channels and as many tags.  No index serves a word shorter than a
        trigram, so it is searched in the titles of the newest ``NEWEST_SEARCHED`` videos
        only.  Reading their descriptions would take twenty times as long.  A query of
        nothing but accents finds nothing.
        """
        typed = composed(words[:MOST_CHARACTERS]).split()[:MOST_WORDS]
        asked = [word for word in dict.fromkeys(typed) if searchable(word).strip()]
        if typed and not asked:
            return self.none()
        texts = {word: _in_text(word) for word in asked}
        names = {word: self._named(word) for word in asked}
        rows = self
        if any(_is_short(word) for word in asked):
            # Without the joins of a list: they took most of the time, for rows that are not kept.
            rows = self._published().filter(published_at__gte=self._oldest_searched())
        # Separate queries for texts and names, because no index serves an OR over several tables.
        found = set(rows.filter(*texts.values())._newest_found())
        for word in asked:
            if names[word]:
                others = (texts[other] | names[other] for other in asked if other != word)
                found |= set(rows.filter(names[word], *others)._newest_found())
        return self.filter(pk__in=found)

    def _newest_found(self) -> models.QuerySet[Video, int]:
        return self.order_by("-published_at", "-pk").values_list("pk", flat=True)[:MOST_FOUND]

    def of_length(self, length: str) -> VideoQuerySet:
        """Return the videos under 4 minutes (``short``), up to 20 (``medium``) or above (``long``)."""
        bounds = {
            "short": Q(duration_s__lt=240),
            "medium": Q(duration_s__gte=240, duration_s__lte=1200),
            "long": Q(duration_s__gt=1200),
        }
        return self.filter(bounds[length])

    def _named(self, word: str) -> Q:
        """Return the condition that a video's channel or tag has ``word`` in its name; empty if none has."""
        condition, channels, found = Q(), set[int](), set[int]()
        # Names are stored as they were typed, so the word is looked up as typed and in its searched form.
        for form in {folded(word), searchable(word).strip()}:
            channels |= set(Channel.objects.matching(form).values_list("pk", flat=True)[:MOST_NAMED])
            tags = Tag.objects.filter(name__contains=form).values_list("pk", flat=True)
            found |= set(tags[:MOST_NAMED])
        if channels:
            condition |= Q(channel__in=channels)
        if found:
            marked = self.model.tags.through.objects.filter(tag_id__in=found).order_by("-video_id")
            condition |= Q(pk__in=list(marked.values_list("video_id", flat=True)[:MOST_FOUND]))
        return condition

    def _published(self) -> VideoQuerySet:
        return self.model.objects.filter(
            visibility=self.model.Visibility.PUBLIC, is_playable=True, published_at__isnull=False
        )

    def _oldest_searched(self) -> datetime:
        """Return the time of publication of the oldest video that short words are searched in."""
        moments = self._published().order_by("-published_at", "-pk").values_list("published_at", flat=True)
        return moments[NEWEST_SEARCHED : NEWEST_SEARCHED + 1].first() or datetime.min.replace(tzinfo=UTC)


def _in_text(word: str) -> Q:
    """Return the condition that a video's text contains ``word``, or that its title does for a short word."""
    field = "title" if _is_short(word) else "text"
    return Q(**{f"searched__{field}__contains": searchable(word).strip()})


def _is_short(word: str) -> bool:
    return len(searchable(word).strip()) < trigrams.LEAST_LENGTH
