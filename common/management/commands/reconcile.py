"""``manage.py reconcile``: compare the bucket with the database."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from common import reconciliation, storage
from common.models import Discrepancy


class Command(BaseCommand):
    help = (
        "Compare the bucket with the database: find objects that belong to nothing, and missing objects. "
        "The result replaces the list of storage discrepancies in the admin. Uploads and encodes can go on "
        "meanwhile: objects younger than a day are left out, because something may be about to use them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--delete", action="store_true", help="delete the objects that belong to nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            left_off = reconciliation.reconcile()
            rows = list(Discrepancy.objects.all())
            for row in rows:
                size = (
                    f" ({row.objects_count} objects, {filesizeformat(row.size_bytes)})"
                    if row.size_bytes
                    else ""
                )
                self.stdout.write(f"{row.get_kind_display()}: {row.path}{size}")
            if options["delete"]:
                self._delete(rows)
        except storage.StorageError as error:
            raise CommandError(f"The storage does not answer: {error}") from error
        if left_off:
            self.stdout.write(f"{left_off} more are left out: solve these first, and run it again.")
        if not rows:
            self.stdout.write("The bucket and the database agree.")

    def _delete(self, rows: list[Discrepancy]) -> None:
        unowned = [row for row in rows if row.kind == Discrepancy.Kind.NO_ROW]
        count = sum(reconciliation.delete_objects(row) for row in unowned)
        self.stdout.write(f"Deleting {count} of {len(unowned)}.")
