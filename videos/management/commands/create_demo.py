"""``manage.py create_demo``: people and videos to try the platform with."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts import services as accounts
from accounts.models import User
from videos import demo

PEOPLE = {
    "lumi": ("Lumi", "Light, colour, test pictures.", None),
    "benoit": ("Benoît 分形", "Shapes that go on for ever.", None),
    "mira": ("Mira", "", "moderator"),
    "admin": ("Administrator", "", "administrator"),
}


class Command(BaseCommand):
    help = "Make demo accounts (with new random passwords, printed) and three demo videos. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = {username: secrets.token_urlsafe(9) for username in PEOPLE}
        people = {username: person(username, password) for username, password in passwords.items()}
        videos = list(demo.upload_clips({username: user.channel for username, user in people.items()}))
        if options["json"]:
            accounts_json = [
                {"username": username, "password": passwords[username], "role": PEOPLE[username][2]}
                for username in PEOPLE
            ]
            self.stdout.write(
                json.dumps({"accounts": accounts_json, "videos": [video.public_id for video in videos]})
            )
            return
        self.stdout.write("Demo accounts:")
        for username, password in passwords.items():
            self.stdout.write(f"  {username:8} {password}  {PEOPLE[username][2] or 'creator'}")
        for video in videos:
            self.stdout.write(f"  encoding /watch/{video.public_id}/  {video.title}")


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
