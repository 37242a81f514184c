"""Profile pictures in the bucket according to SQL, for ``manage.py reconcile``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from accounts.models import Channel
from common import reconciliation
from common.reconciliation import FolderRows


def register() -> None:
    reconciliation.register(reconciliation.StorageArea("avatars/", read, keys))


def keys() -> Iterator[str]:
    """Yield the key of every profile picture."""
    yield from Channel.objects.exclude(avatar="").values_list("avatar", flat=True).iterator()


def read(names: Collection[str]) -> Mapping[str, FolderRows]:
    """Return those of the keys that are the profile picture of a channel."""
    found = Channel.objects.filter(avatar__in=names).values_list("avatar", flat=True)
    return {name: FolderRows(frozenset({name})) for name in found}
