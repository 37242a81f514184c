"""Keys and notices of a broadcast's edge in Redis.

One writer and any number of origins share these names and formats, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from live.llhls.playlist import LISTED_S, RenditionInfo, Window
from live.llhls.segments import Shape

# Exceptions that reading a damaged value, or one of another version, may raise.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)

# A broadcast without a writer expires after this.
KEPT_S = 3600

_PREFIX = "live:edge:{broadcast}"


def channel(broadcast: str) -> str:
    """Return the pub/sub channel for notices of ``broadcast``."""
    return _PREFIX.format(broadcast=broadcast)


def broadcast_of(channel_name: str) -> str:
    return channel_name.removeprefix(_PREFIX.format(broadcast=""))


def meta_key(broadcast: str) -> str:
    return f"{channel(broadcast)}:meta"


def window_key(broadcast: str, rendition: str) -> str:
    return f"{channel(broadcast)}:{rendition}:window"


def segment_key(broadcast: str, rendition: str, msn: int) -> str:
    """Return the key of a hash from part numbers to bytes."""
    return f"{channel(broadcast)}:{rendition}:{msn}"


def init_key(broadcast: str, rendition: str, epoch: int) -> str:
    return f"{channel(broadcast)}:{rendition}:init-{epoch}"


def segment_kept_s(target_duration_s: int) -> int:
    """Return the lifetime of a segment after its last part: while it is listed, and a margin to fetch it."""
    return LISTED_S + 13 + 2 * target_duration_s


Hash = Mapping[bytes, bytes] | Mapping[bytes | str, bytes | str]
"""What HGETALL gives, as the client's types have it; clients here do not decode."""


def joined(parts: Hash) -> bytes | None:
    """Return the bytes of a segment's parts in order; None if it is incomplete or empty."""
    by_number = {int(name): data for name, data in parts.items() if isinstance(data, bytes)}
    if not by_number or max(by_number) >= len(by_number):
        return None
    return b"".join(by_number[number] for number in range(len(by_number)))


@dataclass(frozen=True, slots=True)
class EdgeMeta:
    """Facts about all renditions of a broadcast: a hash in which Django and the ingest each set their own.

    ``access`` is the path segment that gives access to its media.
    """

    access: str
    shape: Shape
    renditions: tuple[str, ...]
    infos: Mapping[str, RenditionInfo] = field(default_factory=dict)
    is_ended: bool = False

    @classmethod
    def from_hash(cls, held: Hash) -> EdgeMeta | None:
        """Return the meta in a hash; None if it is missing or incomplete.

        Raises one of ``UNREADABLE`` for a hash in an unknown format.
        """
        facts = {_text(name): _text(value) for name, value in held.items()}
        if not {"access", "shape", "renditions"} <= facts.keys():
            return None
        infos = json.loads(facts.get("infos", "{}"))
        return cls(
            access=facts["access"],
            shape=_made(Shape, json.loads(facts["shape"])),
            renditions=tuple(json.loads(facts["renditions"])),
            infos={name: _made(RenditionInfo, info) for name, info in infos.items()},
            is_ended=facts.get("ended") == "1",
        )

    def fields(self) -> dict[str, str]:
        return {
            "access": self.access,
            "shape": json.dumps(asdict(self.shape)),
            "renditions": json.dumps(self.renditions),
            "infos": json.dumps({name: asdict(info) for name, info in self.infos.items()}),
            "ended": str(int(self.is_ended)),
        }

    def with_info(self, rendition: str, info: RenditionInfo) -> EdgeMeta:
        return replace(self, infos={**self.infos, rendition: info})

    @property
    def known(self) -> dict[str, RenditionInfo]:
        """Return the renditions for the multivariant playlist, best first."""
        return {name: self.infos[name] for name in self.renditions if name in self.infos}


T = TypeVar("T", Shape, RenditionInfo)


def _made(kind: type[T], data: Mapping[str, Any]) -> T:
    """Return a ``kind`` from its own fields; fields that a newer version added are ignored."""
    return kind(**{name: data[name] for name in (one.name for one in fields(kind)) if name in data})


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class EdgeNotice:
    """Published message: the complete windows that changed, and whether the meta has to be read again."""

    windows: Mapping[str, Window] = field(default_factory=dict)
    is_meta_changed: bool = False

    def encode(self) -> str:
        # The windows are JSON already, so they are joined as text.
        windows = ",".join(f"{json.dumps(name)}:{window.to_json()}" for name, window in self.windows.items())
        return f'{{"meta":{int(self.is_meta_changed)},"windows":{{{windows}}}}}'

    @classmethod
    def decode(cls, text: bytes) -> EdgeNotice:
        """Return the notice in ``text``.  Raises one of ``UNREADABLE`` for an unknown format."""
        data: dict[str, Any] = json.loads(text)
        windows = {name: Window.from_data(window) for name, window in data["windows"].items()}
        return cls(windows, bool(data["meta"]))
