"""Registry of reportable content: each app registers its kinds at start-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise

if TYPE_CHECKING:
    from accounts.models import Decision, User
    from accounts.viewers import Viewer


def own_public_id(target: Any) -> str:
    return str(target.public_id)


def no_moment(_target: Any) -> float | None:
    return None


def nothing_more(_target: Any) -> dict[str, Any]:
    return {}


def nobody_looks(_author: User) -> None:
    """Do nothing: texts of this kind are not updated on open pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Kind of content, with the functions that moderation needs.

    ``find`` returns the target with that public id if the viewer may know of it;
    moderators may know of all targets, also of hidden and removed ones.

    ``hide``, ``remove`` and ``restore`` run inside the decision's transaction: their
    effects outside of SQL wait for ``on_commit``, and so do those of ``author_switched``.
    A kind without ``hide`` or ``remove`` is not offered that decision.
    """

    name: str  # the API's ``target_type``
    label: str | Promise
    preview: str  # a template that shows ``target`` large, at ``offset_s`` if it is known
    find: Callable[[str, Viewer], Any | None]
    author: Callable[[Any], User | None]
    title: Callable[[Any], str]
    text: Callable[[Any], str]  # all of its readable text, kept with a report
    url: Callable[[Any], str]
    public_id: Callable[[Any], str] = own_public_id
    hide: Callable[[Any, User], None] | None = None
    remove: Callable[[Any, User], None] | None = None
    restore: Callable[[Any, User], None] | None = None
    at: Callable[[Any], float | None] = no_moment  # its own moment (s) in the video
    context: Callable[[Any], dict[str, Any]] = nothing_more  # more context for the preview
    # Called after an author was locked or restored: updates their texts on open pages.
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
    """Return all kinds as a form's choices."""
    return [(kind.name, str(kind.label)) for kind in _kinds.values()]


_allow: list[Callable[[Decision, User], Decision]] = []


def register_rooms(allow: Callable[[Decision, User], Decision]) -> None:
    """Set the function that ends a sanction in a room; called once, in ``AppConfig.ready``.

    ``allow`` ends the decision's sanction and returns the line that undoes it.  It
    raises ``CannotUndo`` if another sanction has replaced it.
    """
    _allow[:] = [allow]


def allow_in_room(decision: Decision, by: User) -> Decision:
    """End the sanction of ``decision`` in its room."""
    return _allow[0](decision, by)
