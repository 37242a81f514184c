"""Tests of the migrations of our apps: older processes run beside newer tables in a rolling deploy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db.migrations import AddField, CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, ManyToManyField

# The last migrations of the first version; docs/operations.md names their exceptions.
FIRST_VERSION = {"accounts": "0011", "comments": "0004", "common": "0001", "live": "0010", "videos": "0018"}


def later_migrations() -> Iterator[Migration]:
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if name[:4] > FIRST_VERSION.get(app, "9999"):
            yield migration


@pytest.mark.parametrize("migration", list(later_migrations()), ids=str)
def test_older_process_can_insert_into_tables_with_new_columns(migration: Migration) -> None:
    created = {
        operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)
    }
    needed = [
        f"{operation.model_name}.{operation.name}"
        for operation in migration.operations
        if isinstance(operation, AddField)
        and operation.model_name_lower not in created
        and not isinstance(operation.field, ManyToManyField)
        and not operation.field.null
        and operation.field.db_default is NOT_PROVIDED
    ]

    assert needed == []
