"""From the rooms' queue into SQL, in bulk (stub)."""


def store_chat() -> None: ...
