"""Comparison of the bucket with SQL: objects without a row, and rows without their object.

Each app registers its areas of the bucket at start-up.  :func:`reconcile` lists an area
once, in the order of its keys, and compares folder by folder, so its memory is that of
one folder.  Uploads, encodes and deletions go on meanwhile: only objects older than
``SETTLED_AFTER`` can be without a row, and a missing object is looked up again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from common import deletion, storage
from common.models import Discrepancy, PendingDeletion
from common.storage import StoredObject

# A worker may still write for a while what no row names any more, or name what it has just stored.
SETTLED_AFTER = timedelta(days=1)
FOLDERS_AT_ONCE = 200
# Rows of one run. A bucket that is someone else's would fill the table.
MAX_ROWS = 10_000
# Of one folder, these missing objects are looked up again.
MAX_LOOKUPS = 100


@dataclass(frozen=True, slots=True)
class FolderRows:
    """The objects of one folder according to SQL: ``needed`` keys must exist, others ``may_exist``."""

    needed: frozenset[str]
    may_exist: Callable[[str], bool] = lambda _key: False


@dataclass(frozen=True, slots=True)
class StorageArea:
    """The keys below one prefix.

    A folder is named by its first two components: ``videos/<id>/``, or a key that is directly
    below the prefix.  ``read`` returns the rows of those of the given folders that SQL knows;
    ``folders`` returns every folder that SQL knows.
    """

    prefix: str
    read: Callable[[Collection[str]], Mapping[str, FolderRows]]
    folders: Callable[[], Iterator[str]]


Item = TypeVar("Item")

_areas: dict[str, StorageArea] = {}


def register(area: StorageArea) -> None:
    _areas[area.prefix] = area


@dataclass(slots=True)
class _Findings:
    """The differences found so far, at most ``MAX_ROWS``."""

    rows: list[Discrepancy] = field(default_factory=list)
    left_off: int = 0

    def add(self, kind: Discrepancy.Kind, path: str, objects: Collection[StoredObject] = ()) -> None:
        if len(self.rows) >= MAX_ROWS:
            self.left_off += 1
            return
        size_bytes = sum(found.size_bytes for found in objects)
        self.rows.append(
            Discrepancy(kind=kind, path=path, objects_count=len(objects) or 1, size_bytes=size_bytes)
        )


def reconcile() -> int:
    """Compare every area and store the differences for the admin; return the number of those left off."""
    findings = _Findings()
    for area in _areas.values():
        _compare_area(area, findings)
    with transaction.atomic():
        Discrepancy.objects.all().delete()
        Discrepancy.objects.bulk_create(findings.rows, batch_size=500)
    return findings.left_off


def _compare_area(area: StorageArea, findings: _Findings) -> None:
    seen: set[str] = set()
    stored = groupby(storage.objects_under(area.prefix), key=lambda found: folder_of(found.key))
    for batch in _batches((name, list(objects)) for name, objects in stored):
        rows = area.read([name for name, _ in batch])
        for name, objects in batch:
            seen.add(name)
            _compare_folder(rows.get(name), objects, findings)
    for names in _batches(name for name in area.folders() if name not in seen):
        for rows_of_folder in area.read(names).values():
            _compare_folder(rows_of_folder, [], findings)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, FOLDERS_AT_ONCE)):
        yield batch


def folder_of(key: str) -> str:
    """Return the folder of a key: its first two components, with a slash unless they are the key."""
    first, _, rest = key.partition("/")
    second, slash, _ = rest.partition("/")
    return f"{first}/{second}{slash}"


def _compare_folder(rows: FolderRows | None, objects: list[StoredObject], findings: _Findings) -> None:
    stored = {found.key for found in objects}
    if rows:
        for key in _missing(rows.needed - stored):
            findings.add(Discrepancy.Kind.NO_OBJECT, key)
    settled_at = timezone.now() - SETTLED_AFTER
    unknown = [found for found in objects if not _is_known(rows, found, settled_at)]
    if not unknown or _is_being_deleted(unknown[0].key):
        return
    known = [_parent(found.key) for found in objects if found not in unknown]
    if not known:
        findings.add(Discrepancy.Kind.NO_ROW, folder_of(unknown[0].key), unknown)
        return
    for parent, of_parent in groupby(unknown, key=lambda found: _parent(found.key)):
        group = list(of_parent)
        if any(folder.startswith(parent) for folder in known):
            for found in group:
                findings.add(Discrepancy.Kind.NO_ROW, found.key, [found])
        else:
            findings.add(Discrepancy.Kind.NO_ROW, parent, group)


def _is_known(rows: FolderRows | None, found: StoredObject, settled_at: datetime) -> bool:
    """Return whether a row names the object, or it is too new to tell."""
    if found.changed_at > settled_at:
        return True
    return rows is not None and (found.key in rows.needed or rows.may_exist(found.key))


def _missing(keys: Collection[str]) -> Iterable[str]:
    """Return those of ``keys`` that the bucket does not have now; it was listed a moment ago."""
    return [key for key in sorted(keys)[:MAX_LOOKUPS] if storage.size_of(key) is None]


def _is_being_deleted(key: str) -> bool:
    parts = key.split("/")
    paths = [key, *("/".join(parts[:count]) + "/" for count in range(1, len(parts)))]
    return PendingDeletion.objects.filter(path__in=paths).exists()


def _parent(key: str) -> str:
    return key.rpartition("/")[0] + "/"


def delete_objects(found: Discrepancy) -> bool:
    """Delete objects that still have no row; return False if they have one by now."""
    area = next((area for prefix, area in _areas.items() if found.path.startswith(prefix)), None)
    if area is None or found.kind != Discrepancy.Kind.NO_ROW:
        return False
    rows = area.read([folder_of(found.path)]).get(folder_of(found.path))
    settled_at = timezone.now() - SETTLED_AFTER
    is_known = any(_is_known(rows, one, settled_at) for one in storage.objects_under(found.path))
    with transaction.atomic():
        if not is_known:
            deletion.delete_later(found.path)
        found.delete()
    return not is_known
