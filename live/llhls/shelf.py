"""Where a broadcast's edge stands in Redis, and what is published when it moves.

One writer, any number of origins: they agree here on names and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .playlist import LISTED_S, RenditionInfo, Window
from .segments import Shape

# A broadcast that nobody writes to any more is forgotten after this.
KEPT_S = 3600

_PREFIX = "live:edge:{broadcast}"


def channel(broadcast: str) -> str:
    """Where notices of ``broadcast`` are published."""
    return _PREFIX.format(broadcast=broadcast)


def broadcast_of(channel_name: str) -> str:
    return channel_name.removeprefix(_PREFIX.format(broadcast=""))


def meta_key(broadcast: str) -> str:
    return f"{channel(broadcast)}:meta"


def window_key(broadcast: str, rendition: str) -> str:
    return f"{channel(broadcast)}:{rendition}:window"


def segment_key(broadcast: str, rendition: str, msn: int) -> str:
    """A hash of part numbers and their bytes."""
    return f"{channel(broadcast)}:{rendition}:{msn}"


def init_key(broadcast: str, rendition: str, epoch: int) -> str:
    return f"{channel(broadcast)}:{rendition}:init-{epoch}"


def segment_kept_s(target_duration_s: int) -> int:
    """How long a segment stays after its last part: as long as it is listed, and some more to be fetched."""
    return LISTED_S + 13 + 2 * target_duration_s


Hash = Mapping[bytes, bytes] | Mapping[bytes | str, bytes | str]
"""What HGETALL gives, as the client's types have it; clients here do not decode."""


def joined(parts: Hash) -> bytes | None:
    """Return a segment's parts in order; None if it is not all there, or nothing is."""
    by_number = {int(name): data for name, data in parts.items() if isinstance(data, bytes)}
    if not by_number or max(by_number) >= len(by_number):
        return None
    return b"".join(by_number[number] for number in range(len(by_number)))


@dataclass(frozen=True, slots=True)
class Meta:
    """What holds for all renditions of a broadcast: a hash, where Django and the ingest each set their own.

    ``access`` is the path segment that opens its media.
    """

    access: str
    shape: Shape
    renditions: tuple[str, ...]
    infos: Mapping[str, RenditionInfo] = field(default_factory=dict)
    is_ended: bool = False

    @classmethod
    def from_hash(cls, held: Hash) -> Meta | None:
        """Return what the hash says; None if there is none, or only a part of one."""
        fields = {_text(name): _text(value) for name, value in held.items()}
        if not {"access", "shape", "renditions"} <= fields.keys():
            return None
        infos = json.loads(fields.get("infos", "{}"))
        return cls(
            access=fields["access"],
            shape=Shape(**json.loads(fields["shape"])),
            renditions=tuple(json.loads(fields["renditions"])),
            infos={name: RenditionInfo(**info) for name, info in infos.items()},
            is_ended=fields.get("ended") == "1",
        )

    def fields(self) -> dict[str, str]:
        return {
            "access": self.access,
            "shape": json.dumps(asdict(self.shape)),
            "renditions": json.dumps(self.renditions),
            "infos": json.dumps({name: asdict(info) for name, info in self.infos.items()}),
            "ended": str(int(self.is_ended)),
        }

    def with_info(self, rendition: str, info: RenditionInfo) -> Meta:
        return replace(self, infos={**self.infos, rendition: info})

    @property
    def known(self) -> dict[str, RenditionInfo]:
        """What the multivariant playlist lists, best first."""
        return {name: self.infos[name] for name in self.renditions if name in self.infos}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class Notice:
    """What is published: windows that moved, complete; and whether the meta is worth another look."""

    windows: Mapping[str, Window] = field(default_factory=dict)
    is_meta_changed: bool = False

    def encode(self) -> str:
        # The windows are JSON already; they are put together as text.
        windows = ",".join(f"{json.dumps(name)}:{window.to_json()}" for name, window in self.windows.items())
        return f'{{"meta":{int(self.is_meta_changed)},"windows":{{{windows}}}}}'

    @classmethod
    def decode(cls, text: bytes) -> Notice:
        data: dict[str, Any] = json.loads(text)
        windows = {name: Window.from_data(window) for name, window in data["windows"].items()}
        return cls(windows, bool(data["meta"]))
