"""A script that draws docs/states.md from ``videos.states``: ``python -m docs.make_states``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from videos.states import GONE, TABLES, StateTable

PAGE = Path(__file__).with_name("states.md")
HEAD = """\
# States of videos and their work

Every state that a row can have, and every event that changes it. The page is drawn from `videos/states.py` by
`python -m docs.make_states`; `videos/tests/test_states.py` compares it with the code. A row that is
deleted is *gone*. Functions are named below `videos/`.
"""


def page() -> str:
    return "\n".join([HEAD, *(section(table) for table in TABLES)])


def section(table: StateTable) -> str:
    """Return the diagram of a table, its states and its events."""
    states = [f"| **{name}** | {meaning} |" for name, meaning in table.states.items()]
    events = [
        f"| {event.name} | {', '.join(event.before)} | {event.after} | {event.by} "
        f"| {', '.join(f'`{code}`' for code in event.code)} |"
        for event in table.events
    ]
    return "\n".join(
        [
            f"## {table.title}\n\n{table.text}\n\n```mermaid\nstateDiagram-v2",
            *(f"    {arrow}" for arrow in arrows(table)),
            "```\n\n| state | meaning |\n|---|---|",
            *states,
            "\n| event | from | to | by | code |\n|---|---|---|---|---|",
            *events,
            "",
        ]
    )


def arrows(table: StateTable) -> Iterator[str]:
    """Yield one arrow for each pair of states, with the events that make it."""
    names = defaultdict(list)
    for event in table.events:
        for before in event.before:
            names[before, event.after].append(event.name.replace(":", ","))
    for (before, after), events in names.items():
        ends = ("[*]" if state == GONE else state for state in (before, after))
        yield f"{' --> '.join(ends)}: {' / '.join(events)}"


if __name__ == "__main__":
    PAGE.write_text(page())
