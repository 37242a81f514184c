"""The posters of broadcasts in the bucket according to SQL, for ``manage.py reconcile``.

A broadcast with a recording keeps its poster in the recording's folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from common import reconciliation
from common.reconciliation import FolderRows
from live.models import Broadcast

PREFIX = "live/"


def register() -> None:
    reconciliation.register(reconciliation.StorageArea(PREFIX, read, folders))


def folders() -> Iterator[str]:
    """Yield the folder of every broadcast with a poster of its own."""
    for key in Broadcast.objects.filter(poster_key__startswith=PREFIX).values_list("poster_key", flat=True):
        yield reconciliation.folder_of(key)


def read(names: Collection[str]) -> Mapping[str, FolderRows]:
    """Return the rows of the broadcasts with these folders."""
    wanted = [name.removeprefix(PREFIX).removesuffix("/") for name in names]
    found = Broadcast.objects.filter(public_id__in=wanted, poster_key__startswith=PREFIX)
    return {f"{PREFIX}{one.public_id}/": FolderRows(frozenset({one.poster_key})) for one in found}
