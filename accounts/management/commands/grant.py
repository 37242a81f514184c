from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from accounts import services
from accounts.models import User
from accounts.services import Role


class Command(BaseCommand):
    help = "Grant a user the role of moderator or administrator, or revoke it with --revoke."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=Role.values)
        parser.add_argument("--revoke", action="store_true", help="revoke the role")

    def handle(self, *, username: str, role: str, revoke: bool, **_options: object) -> None:
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist as error:
            raise CommandError(f"There is no user named {username}.") from error
        change = services.revoke_role if revoke else services.grant_role
        change(user=user, role=Role(role))
        article = "an" if role == Role.ADMINISTRATOR else "a"
        self.stdout.write(f"{user.username} is {'no longer' if revoke else 'now'} {article} {role}.")
