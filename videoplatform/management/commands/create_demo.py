"""``manage.py create_demo``: demo accounts, videos, comments and a streamer."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand

from accounts import services as accounts
from accounts.models import User
from comments import demo as conversation
from live import services as live
from live.addresses import ingest_url
from live.models import Stream
from videoplatform.embedded.configuration import faces_network
from videos.demo import uploading
from videos.models import Category, Video
from videos.services import watching

ADMINISTRATOR = "admin"
PEOPLE = {
    "lumi": ("Lumi", "Light, drums and moving paper.", None),
    "benoit": ("Benoît 分形", "Shapes that go on for ever.", None),
    "yun": ("云上 Yun", "竖屏的夜晚，一分钟一首。", None),
    "mira": ("Mira", "", "moderator"),
    ADMINISTRATOR: ("Administrator", "", "administrator"),
}
STREAMER = "lumi"
CREATORS = ("lumi", "benoit", "yun")


class Command(BaseCommand):
    help = (
        "Create demo accounts (with new random passwords, printed; no administrator on a machine that "
        "is reachable from the network), a dozen demo videos with comments, "
        "one report for moderators, and a streamer (with a new stream key, printed). Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        without = {ADMINISTRATOR} if faces_network() else set()
        passwords = {username: secrets.token_urlsafe(9) for username in PEOPLE if username not in without}
        people = {username: person(username, password) for username, password in passwords.items()}
        videos = []
        for video in uploading.upload_clips({username: user.channel for username, user in people.items()}):
            conversation.talk(video, video.title, people)
            videos.append(video)
        befriend(people)
        stream, stream_key = streamer(people[STREAMER])
        if options["json"]:
            accounts_json = [
                {"username": username, "password": passwords[username], "role": PEOPLE[username][2]}
                for username in passwords
            ]
            live_json = {
                "username": stream.username,
                "ingest_url": ingest_url(),
                "stream_key": stream_key,
            }
            self.stdout.write(
                json.dumps(
                    {
                        "accounts": accounts_json,
                        "videos": [video.public_id for video in videos],
                        "live": live_json,
                    }
                )
            )
            return
        self.stdout.write("Demo accounts:")
        for username, password in passwords.items():
            self.stdout.write(f"  {username:8} {password}  {PEOPLE[username][2] or 'creator'}")
        if without:
            self.stdout.write(
                "  No administrator was created because this machine is reachable from the network: "
                "`.venv/bin/python manage.py createsuperuser` makes one."
            )
        for video in videos:
            self.stdout.write(f"  encoding /watch/{video.public_id}/  {video.title}")
        self.stdout.write(f"{STREAMER} goes live at {stream.get_absolute_url()} from any encoder:")
        self.stdout.write(f"  server     {ingest_url()}")
        self.stdout.write(f"  stream key {stream_key}")
        self.stdout.write("  or, without one: .venv/bin/python manage.py publish_test")


def person(username: str, password: str) -> User:
    """Create or find a demo account, and set its password to ``password``."""
    display_name, bio, role = PEOPLE[username]
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(username, f"{username}@demo.invalid", password)
    user.set_password(password)
    user.save(update_fields=["password"])
    user.channel.display_name, user.channel.bio = display_name, bio
    user.channel.save(update_fields=["display_name", "bio"])
    if role:
        accounts.grant_role(user=user, role=accounts.Role(role))
    return user


def befriend(people: Mapping[str, User]) -> None:
    """Let everybody follow the creators, and like some of their videos."""
    for order, user in enumerate(people.values()):
        for creator in CREATORS:
            if user.username != creator:
                accounts.follow(user=user, channel=people[creator].channel)
        channels = [people[creator].channel for creator in CREATORS if creator != user.username]
        videos = Video.objects.filter(channel__in=channels)
        for number, video in enumerate(videos.order_by("pk")):
            if (number + order) % 3:
                watching.like(video, user)


def streamer(user: User) -> tuple[Stream, str]:
    """Give a demo account a stream title, if it has none, and a new stream key."""
    stream = live.stream_of(user.channel)
    if not stream.title:
        live.edit_stream(stream, title="Test pictures, live · 测试直播", category=Category.EDUCATION)
    return stream, live.rotate_stream_key(stream)
