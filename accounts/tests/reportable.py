"""Kind of content for tests of moderation, independent of the other apps."""

from __future__ import annotations

from dataclasses import dataclass, field

from accounts.models import User
from accounts.moderation.registry import Kind
from accounts.viewers import Viewer


@dataclass(slots=True)
class Note:
    """Note on a wall; a secret one is visible only to its author and moderators."""

    public_id: str
    author: User
    text: str = "Buy my lamps"
    state: str = "shown"
    is_secret: bool = False


@dataclass(slots=True)
class Wall:
    notes: dict[str, Note] = field(default_factory=dict)

    def add(self, note: Note) -> Note:
        self.notes[note.public_id] = note
        return note

    def find(self, public_id: str, asker: Viewer) -> Note | None:
        note = self.notes.get(public_id)
        if note is None or asker.is_moderator or asker.user == note.author:
            return note
        return None if note.is_secret or note.state != "shown" else note


def notes_on(wall: Wall) -> Kind:
    """Return the kind that reports and moderates a wall's notes."""

    def change_to(state: str) -> object:
        def set_state(note: Note, _by: User) -> None:
            note.state = state

        return set_state

    return Kind(
        name="note",
        label="Note",
        preview="admin/previews/text.html",
        find=wall.find,
        author=lambda note: note.author,
        title=lambda note: note.text[:20],
        text=lambda note: note.text,
        url=lambda note: f"/notes/{note.public_id}/",
        hide=change_to("hidden"),  # type: ignore[arg-type]
        remove=change_to("removed"),  # type: ignore[arg-type]
        restore=change_to("shown"),  # type: ignore[arg-type]
    )
