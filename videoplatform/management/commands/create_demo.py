"""``manage.py create_demo``: people, videos, talk and a streamer to try the platform with."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts import services as accounts
from accounts.models import User
from comments import demo as conversation
from live import services as live
from live.addresses import ingest_url
from live.models import Stream
from videos import demo
from videos.models import Category

PEOPLE = {
    "lumi": ("Lumi", "Light, colour, test pictures.", None),
    "benoit": ("Benoît 分形", "Shapes that go on for ever.", None),
    "mira": ("Mira", "", "moderator"),
    "admin": ("Administrator", "", "administrator"),
}
STREAMER = "lumi"


class Command(BaseCommand):
    help = (
        "Make demo accounts (with new random passwords, printed), three demo videos that are talked about, "
        "one report for moderators, and a streamer (with a new stream key, printed). Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = {username: secrets.token_urlsafe(9) for username in PEOPLE}
        people = {username: person(username, password) for username, password in passwords.items()}
        videos = list(demo.upload_clips({username: user.channel for username, user in people.items()}))
        for video in videos:
            conversation.talk(video, video.title, people)
        stream, stream_key = streamer(people[STREAMER])
        if options["json"]:
            accounts_json = [
                {"username": username, "password": passwords[username], "role": PEOPLE[username][2]}
                for username in PEOPLE
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
        for video in videos:
            self.stdout.write(f"  encoding /watch/{video.public_id}/  {video.title}")
        self.stdout.write(f"{STREAMER} goes live at {stream.get_absolute_url()} from any encoder:")
        self.stdout.write(f"  server     {ingest_url()}")
        self.stdout.write(f"  stream key {stream_key}")
        self.stdout.write("  or, without one: .venv/bin/python manage.py publish_test")


def person(username: str, password: str) -> User:
    """Make or find a demo account; its password becomes ``password`` either way."""
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


def streamer(user: User) -> tuple[Stream, str]:
    """Give a demo account something to call its stream, and a new key."""
    stream = live.stream_of(user.channel)
    if not stream.title:
        live.edit_stream(stream, title="Test pictures, live · 测试直播", category=Category.EDUCATION)
    return stream, live.rotate_stream_key(stream)
