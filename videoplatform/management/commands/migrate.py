"""Django's ``migrate``, run by one host at a time."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands import migrate

from videoplatform import schema


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with schema.migration_lock(self.stdout.write):
                super().handle(*args, **options)
        except schema.StillMigrating as error:
            raise CommandError(
                "Another host has been migrating this database for half an hour. "
                "Check its log, then run migrate again."
            ) from error
