"""The live edge in Redis (stub)."""


def set_access(broadcast: str, access: str) -> None: ...


def end(broadcast: str) -> None: ...
