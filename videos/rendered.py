"""The cache of playlists, each rendered, signed and compressed once for all viewers.

The playlist of a two-hour rendition has 1,800 signed URLs and 650 KB.  A recording of
twelve hours is requested by every viewer every few seconds.  So answers are kept until
the signing window ends or the encode has grown, within ``MAX_CACHED_BYTES``.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from videos.hls.media import MediaPlaylist

MAX_CACHED_BYTES = 64 * 1024**2
# Memory of a URL besides its characters.
_BYTES_OF_URL = 200
# Different playlists are rendered in parallel; the same one is rendered once.
_LOCKS = tuple(Lock() for _ in range(16))

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """One representation of a playlist, with its strong ETag."""

    content: bytes
    etag: str
    is_compressed: bool


@dataclass(slots=True)
class Rendered:
    """The playlist of one state of its encode; ``urls`` maps object names to signed URLs."""

    state: object
    playlist: MediaPlaylist | str
    urls: dict[str, str] = field(default_factory=dict)
    made_at: float = field(default_factory=time.monotonic)
    _bodies: dict[tuple[bool, bool], Body] = field(default_factory=dict)

    def body(self, *, is_delta: bool, is_compressed: bool) -> Body:
        """Return the playlist to send, whole or as a delta update."""
        body = self._bodies.get((is_delta, is_compressed))
        if body is None:
            body = self._bodies[is_delta, is_compressed] = self._made(is_delta, is_compressed)
        return body

    def _made(self, is_delta: bool, is_compressed: bool) -> Body:
        if is_compressed:
            plain = self.body(is_delta=is_delta, is_compressed=False)
            # Signatures are random and no level compresses them, so the fastest one suffices.
            content = gzip.compress(plain.content, compresslevel=1, mtime=0)
            return Body(content, f'{plain.etag[:-1]}-gzip"', is_compressed=True)
        playlist = self.playlist
        text = playlist if isinstance(playlist, str) else playlist.render(is_delta=is_delta)
        content = text.encode()
        return Body(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"', is_compressed=False)

    @property
    def size_bytes(self) -> int:
        urls = sum(len(url) + len(name) + _BYTES_OF_URL for name, url in self.urls.items())
        return urls + sum(len(body.content) for body in self._bodies.values())


class RenderedPlaylists:
    """The playlists that this process rendered last, up to ``max_bytes``.

    ``get`` renders under a lock, so that simultaneous requests share one rendering.
    """

    def __init__(self, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[Key, tuple[Rendered, int]] = OrderedDict()
        self._lock = Lock()
        self.size_bytes = 0

    def get(
        self,
        key: Key,
        state: object,
        render: Callable[[Rendered | None], Rendered],
        *,
        is_delta: bool,
        is_compressed: bool,
        max_age_s: float = float("inf"),
    ) -> Body:
        """Return the body of the playlist ``key`` in this ``state``, rendered if necessary.

        ``render`` receives the previous rendering, because its URLs stay valid, or None.
        """
        with _LOCKS[hash(key) % len(_LOCKS)]:
            before = self.peek(key)
            rendered = before
            if rendered is None or rendered.state != state or time.monotonic() - rendered.made_at > max_age_s:
                rendered = render(before)
            body = rendered.body(is_delta=is_delta, is_compressed=is_compressed)
            self._hold(key, rendered)
        return body

    def peek(self, key: Key) -> Rendered | None:
        """Return the rendering held under ``key``, of any age, or None."""
        with self._lock:
            held = self._held.get(key)
        return held[0] if held else None

    def _hold(self, key: Key, rendered: Rendered) -> None:
        size_bytes = rendered.size_bytes
        with self._lock:
            if key in self._held:
                self.size_bytes -= self._held.pop(key)[1]
            self._held[key] = (rendered, size_bytes)
            self.size_bytes += size_bytes
            while self.size_bytes > self._max_bytes:
                _key, (_oldest, freed) = self._held.popitem(last=False)
                self.size_bytes -= freed


playlists = RenderedPlaylists()
