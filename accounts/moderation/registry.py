"""What can be reported: each app says at start-up how its kinds of content are found, shown and acted on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise

if TYPE_CHECKING:
    from accounts.models import User


def own_public_id(target: Any) -> str:
    return str(target.public_id)


def no_moment(_target: Any) -> float | None:
    return None


def nothing_more(_target: Any) -> dict[str, Any]:
    return {}


def nobody_looks(_author: User) -> None:
    """Of this kind, nothing stands on open pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of content, as moderation needs to know it.

    ``find`` returns the target with that public id if the user may know of it;
    moderators may know of everything, also of what is hidden or removed.
    ``hide``, ``remove`` and ``restore`` run inside the decision's transaction:
    what they do outside of SQL waits for ``on_commit``, and so does ``author_switched``.
    A kind without ``hide`` or ``remove`` is not offered that decision.
    """

    name: str  # the API's ``target_type``
    label: str | Promise
    preview: str  # a template that shows ``target`` large, at ``offset_s`` where that is known
    find: Callable[[str, User], Any | None]
    author: Callable[[Any], User | None]
    title: Callable[[Any], str]
    text: Callable[[Any], str]  # all that can be read of it: kept with a report
    url: Callable[[Any], str]
    public_id: Callable[[Any], str] = own_public_id
    hide: Callable[[Any, User], None] | None = None
    remove: Callable[[Any, User], None] | None = None
    restore: Callable[[Any, User], None] | None = None
    at: Callable[[Any], float | None] = no_moment  # its own moment (s) in what is played
    context: Callable[[Any], dict[str, Any]] = nothing_more  # more for the preview
    # Its author was locked out or let in: pages that are open drop or show what they said.
    author_switched: Callable[[User], None] = nobody_looks


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind of content reportable; called once, in ``AppConfig.ready``."""
    _kinds[kind.name] = kind


def kind_named(name: str) -> Kind | None:
    return _kinds.get(name)


def kinds() -> tuple[Kind, ...]:
    return tuple(_kinds.values())


def choices() -> list[tuple[str, str]]:
    """Every kind as a form's choices."""
    return [(kind.name, str(kind.label)) for kind in _kinds.values()]
