"""RSS feeds of channels and playlists (RSS 2.0 with Media RSS), for readers and podcast programs.

A feed knows no user, so it lists public videos only, and caches may share it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.sax.xmlreader import AttributesImpl

from django.contrib.auth.models import AnonymousUser
from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_cache_control
from django.utils.feedgenerator import Rss201rev2Feed
from django.utils.xmlutils import SimplerXMLGenerator
from django.views.decorators.http import require_safe

from accounts.models import Channel
from common.words import printable
from videos.models import Playlist, Video
from videos.views.quoting import Quotable
from videos.views.watching import quotable

FEED_VIDEOS = 50
FEED_KEPT_S = 300


class MediaFeed(Rss201rev2Feed):
    """An RSS feed whose items name poster, player and length (https://www.rssboard.org/media-rss)."""

    def rss_attributes(self) -> dict[str, str]:
        return {**super().rss_attributes(), "xmlns:media": "http://search.yahoo.com/mrss/"}

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.startElement("media:group", AttributesImpl({}))
        handler.addQuickElement("media:title", item["title"])
        player = {"url": item["player_url"], "duration": str(item["duration_s"]), "medium": "video"}
        handler.startElement("media:content", AttributesImpl(player))
        handler.addQuickElement("media:player", "", {"url": item["player_url"]})
        handler.endElement("media:content")
        if item["poster_url"]:
            handler.addQuickElement("media:thumbnail", "", {"url": item["poster_url"]})
        handler.endElement("media:group")


class VideoFeed(Feed[Video, Any]):
    """A feed of videos for one request; subclasses say which."""

    feed_type = MediaFeed

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def answer(self, **kwargs: str) -> HttpResponse:
        response = self(self.request, **kwargs)
        patch_cache_control(response, public=True, max_age=FEED_KEPT_S)
        return response

    def item_title(self, item: Video) -> str:
        return _xml(item.title)

    def item_description(self, item: Video) -> str:
        return _xml(item.description)

    def item_link(self, item: Video) -> str:
        return item.get_absolute_url()

    def item_author_name(self, item: Video) -> str:
        return _xml(item.channel.name)

    def item_pubdate(self, item: Video) -> datetime | None:
        return item.published_at

    def item_extra_kwargs(self, item: Video) -> dict[str, Any]:
        quoted: Quotable = quotable(item)
        return {
            "player_url": self.request.build_absolute_uri(quoted.embed_path),
            "poster_url": self.request.build_absolute_uri(quoted.poster_path) if quoted.poster_path else "",
            "duration_s": round(item.duration_s or 0),
        }


class ChannelFeed(VideoFeed):
    """The newest public videos of a channel."""

    def get_object(self, request: HttpRequest, username: str) -> Channel:
        known = Channel.objects.public().select_related("owner")
        return get_object_or_404(known, owner__username__iexact=username)

    def title(self, channel: Channel) -> str:
        return _xml(channel.name)

    def description(self, channel: Channel) -> str:
        return _xml(channel.bio)

    def link(self, channel: Channel) -> str:
        return channel.get_absolute_url()

    def items(self, channel: Channel) -> list[Video]:
        listed = Video.objects.listed().for_cards().filter(channel=channel)
        return list(listed.order_by("-published_at", "-pk")[:FEED_VIDEOS])


class PlaylistFeed(VideoFeed):
    """The public videos of a playlist that is not private, in its order."""

    def get_object(self, request: HttpRequest, public_id: str) -> Playlist:
        found = get_object_or_404(Playlist.objects.select_related("owner__channel"), public_id=public_id)
        if not found.can_see(AnonymousUser()):
            raise Http404
        return found

    def title(self, playlist: Playlist) -> str:
        return _xml(playlist.name)

    def description(self, playlist: Playlist) -> str:
        return _xml(playlist.description)

    def link(self, playlist: Playlist) -> str:
        return playlist.get_absolute_url()

    def items(self, playlist: Playlist) -> list[Video]:
        places = playlist.items.filter(video__in=Video.objects.listed()).order_by("position", "pk")
        numbers = list(places.values_list("video", flat=True)[:FEED_VIDEOS])
        found = Video.objects.for_cards().in_bulk(numbers)
        return [found[number] for number in numbers if number in found]


@require_safe
def channel_feed(request: HttpRequest, username: str) -> HttpResponse:
    """Answer with the feed of a channel, or 404."""
    return ChannelFeed(request).answer(username=username)


@require_safe
def playlist_feed(request: HttpRequest, public_id: str) -> HttpResponse:
    """Answer with the feed of a playlist, or 404."""
    return PlaylistFeed(request).answer(public_id=public_id)


def _xml(text: str) -> str:
    """Return text without the control characters that XML forbids."""
    return printable(text, len(text))
