"""Running yt-dlp on a page, confined like FFmpeg, with bounds on bytes, time, memory and output."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common.safe_http import Network
from videos.transcoding.errors import FetchFailed, FetchRefused, LimitsExceeded
from videos.transcoding.guard import FOR_CONNECTIONS
from videos.transcoding.layers import missing_layers
from videos.transcoding.processes import SandboxedProcess, open_process
from videos.transcoding.sandbox import ProcessLimits

from . import program
from .proxy import GuardedProxy

READER: Final = "yt_dlp"
READER_ADDRESS_SPACE_BYTES: Final = 4 * 1024**3
MAX_READER_CPU_S: Final = 2 * 3600
# yt-dlp's own machinery, pages and manifests, beside the video.
OVERHEAD_BYTES: Final = 64 * 1024**2
MAX_ANSWER_BYTES: Final = 4 * 1024**2
FOLDER_CHECKED_EVERY_S: Final = 0.5
_PROGRAM: Final = Path(program.__file__).resolve()


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """The files of a page's video and the words of the page about it; nothing of it is trusted."""

    title: str
    description: str
    tags: tuple[str, ...]
    chapters: tuple[tuple[float, str], ...]
    media: tuple[Path, ...]
    """One file, or a video and an audio file to join."""
    subtitles: tuple[tuple[str, Path], ...]


def is_installed() -> bool:
    """Return whether this Python has the package of requirements-imports.txt."""
    return importlib.util.find_spec(READER) is not None


def is_confined() -> bool:
    """Return whether this machine has every layer of the confinement, without which yt-dlp is not run."""
    return not missing_layers()


def read_page(
    url: str,
    folder: Path,
    *,
    timeout_s: float,
    most_bytes: int,
    allowed: Iterable[Network],
    on_progress: Callable[[float], None],
) -> FetchedPage:
    """Fetch the video of a page into ``folder``; report the fetched share.

    Raises FetchRefused, FetchFailed, and LimitsExceeded for too many bytes or too much time.
    """
    proxy = GuardedProxy(most_bytes + OVERHEAD_BYTES, allowed)
    request = json.dumps({"url": url, "folder": str(folder)})
    limits = ProcessLimits(READER_ADDRESS_SPACE_BYTES, MAX_READER_CPU_S, most_bytes)
    with (
        open_process(
            [sys.executable, "-I", str(_PROGRAM), request],
            timeout_s=timeout_s,
            reads=[_PROGRAM, *map(Path, FOR_CONNECTIONS[:3])],
            writes=[folder],
            limits=limits,
            relay=proxy,
        ) as process,
        _bounded(process, folder, most_bytes + OVERHEAD_BYTES) as is_too_large,
    ):
        for line in process.lines():
            share = _share(line)
            if share is not None:
                on_progress(share)
        finished = process.finish()
    answer = _answer(folder)
    reason = str(answer.get("reason", "")) or ("broken" if finished.exit_code or not answer else "")
    if is_too_large.is_set() or proxy.is_exhausted or reason == program.TOO_LARGE:
        raise LimitsExceeded("import too large", limit="size_bytes", most=most_bytes)
    if reason:
        raise _refused(reason, proxy, finished.stderr)
    return _fetched(answer, folder)


@contextmanager
def _bounded(process: SandboxedProcess, folder: Path, most_bytes: int) -> Iterator[threading.Event]:
    """Kill the program once its folder holds more than ``most_bytes``; the event then is set."""
    is_over, is_too_large = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_over.wait(FOLDER_CHECKED_EVERY_S):
            if _size(folder) > most_bytes:
                is_too_large.set()
                process.kill()
                return

    watching = threading.Thread(target=watch, name="folder-watch", daemon=True)
    watching.start()
    try:
        yield is_too_large
    finally:
        is_over.set()
        watching.join()


def _size(folder: Path) -> int:
    size_bytes = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            size_bytes += path.lstat().st_size
    return size_bytes


def _share(line: bytes) -> float | None:
    """Return the share that a line of the program reports, None for another line."""
    try:
        return min(max(float(json.loads(line)["done"]), 0.0), 1.0)
    except (ValueError, TypeError, KeyError):
        return None


def _answer(folder: Path) -> dict[str, Any]:
    """Return the program's description, empty if there is none that can be read."""
    try:
        with _own_file(folder, program.ANSWER).open("rb") as file:
            answer = json.loads(file.read(MAX_ANSWER_BYTES + 1))
    except (OSError, ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(reason: str, proxy: GuardedProxy, stderr: str) -> FetchFailed:
    last = stderr.splitlines()[-1:] or [""]
    if proxy.refusals:
        return FetchRefused(proxy.refusals[-1])
    if reason == "network":
        return FetchFailed(f"yt-dlp: {last[0][:300]}")
    return FetchRefused(f"yt-dlp: {reason}: {last[0][:300]}", page=reason)


def _fetched(answer: dict[str, Any], folder: Path) -> FetchedPage:
    """Return the answer with the files that exist.  Raises FetchRefused for one of another shape."""
    try:
        media = tuple(_own_file(folder, name) for name in answer["media"][:2])
        subtitles = [(str(tag), _own_file(folder, name)) for tag, name in answer["subtitles"].items()]
        page = FetchedPage(
            title=str(answer["title"]),
            description=str(answer["description"]),
            tags=tuple(map(str, answer["tags"])),
            chapters=tuple((float(at_s), str(title)) for at_s, title in answer["chapters"]),
            media=media,
            subtitles=tuple(subtitles[: program.MAX_SUBTITLES]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise FetchRefused("yt-dlp: no answer", page="broken") from error
    if not media:
        raise FetchRefused("yt-dlp: no media", page="no_video")
    return page


def _own_file(folder: Path, name: object) -> Path:
    """Return a file of the folder.  Raises OSError for another path, a link or nothing."""
    path = folder / str(name)
    if path.parent != folder or path.is_symlink() or not path.is_file():
        raise FileNotFoundError(str(name)[:100])
    return path
