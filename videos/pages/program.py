"""The program that runs yt-dlp on one page: ``main(REQUEST)``, where ``REQUEST`` is JSON.

It runs confined, in a process of its own: no file but its folder, no process, and no network but
:class:`videos.pages.proxy.GuardedProxy`.  So neither a page nor one of yt-dlp's thousand
extractors has to be trusted.  It prints its progress as lines of JSON, stores media and
subtitles in the folder, and describes them in ``page.json``.  No module of the project is
imported here.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ANSWER = "page.json"
TOO_LARGE = "too_large"  # the reason where a file met the limit of its size
MAX_SUBTITLES = 20
MAX_SUBTITLE_BYTES = 5 * 1024**2
MAX_TEXT = 20_000  # characters of each text; the site's own limits are lower
MAX_CHAPTERS = 200
MAX_TAGS = 50
SOCKET_TIMEOUT_S = 30
# Up to this short side, more detail is worth more than a codec that need not be encoded.
COMMON_SHORT_SIDE_PX = 1080
# Those that yt-dlp fetches by itself, through the proxy.
PROTOCOLS = frozenset({"http", "https", "m3u8", "m3u8_native", "http_dash_segments"})
COUNTING_EXTRACTORS = frozenset({"Generic", "HTML5MediaEmbed"})
SUBTITLE_FORMATS = ("vtt", "srt", "ass", "ssa")
# Nothing listens there: each socket of this process ends in the proxy, whatever its address.
PROXY = "http://127.0.0.1:8"

Info = Mapping[str, Any]


class NothingToFetch(Exception):
    """A page without a video that can be fetched; the message is the reason of ``page.json``."""


def main(request: str) -> int:
    """Fetch the video of a page into a folder; return the exit code."""
    asked = json.loads(request)
    folder = Path(asked["folder"])
    os.environ["YTDLP_NO_PLUGINS"] = "1"
    # Our sockets are no TCP, and know no options of it.
    socket.socket.setsockopt = lambda *_: None  # type: ignore[method-assign]
    try:
        answer = _fetch(asked["url"], folder)
    except NothingToFetch as refusal:
        answer = {"reason": str(refusal)}
    (folder / ANSWER).write_text(json.dumps(answer))
    return 0


def _fetch(url: str, folder: Path) -> dict[str, Any]:
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadError

    chosen: list[Info] = []

    def choose(context: Mapping[str, Any]) -> Iterator[Info]:
        chosen[:] = chosen_formats(context["formats"])
        yield from chosen

    progress = _ShareReport()
    with YoutubeDL(_options(folder) | {"format": choose, "progress_hooks": [progress]}) as ydl:
        # Its other handlers would make connections in ways of their own.
        for name in list(ydl._request_director.handlers):
            if name != "Urllib":
                del ydl._request_director.handlers[name]
        try:
            info = _one_video(ydl.extract_info(url, download=False))
            if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
                raise NothingToFetch("live")
            media = []
            for number, found in enumerate(chosen):
                progress.file, progress.files = number, len(chosen)
                name = f"media-{number}"
                if not ydl.dl(str(folder / name), {**info, **found})[0]:
                    raise NothingToFetch("broken")
                media.append(name)
        except DownloadError as error:
            raise NothingToFetch(reason_of(error)) from error
        subtitles = dict(_subtitles(ydl, info, folder))
    return described(info) | {"media": media, "subtitles": subtitles}


def _options(folder: Path) -> dict[str, Any]:
    """Return the options of yt-dlp: one video, nothing but the folder, no program beside it."""
    return {
        "proxy": PROXY, "socket_timeout": SOCKET_TIMEOUT_S,
        "quiet": True, "noprogress": True, "logtostderr": True, "color": "never",
        "noplaylist": True, "playlist_items": "1", "lazy_playlist": True,
        "paths": {"home": str(folder), "temp": str(folder)}, "outtmpl": "media",
        "cachedir": False, "cookiefile": None, "usenetrc": False,
        "retries": 3, "fragment_retries": 3, "extractor_retries": 1, "file_access_retries": 0,
        # A video with a gap is worse than an import that can be tried again.
        "skip_unavailable_fragments": False, "nopart": True, "updatetime": False, "check_formats": False,
        "external_downloader": "native", "hls_prefer_native": True, "postprocessors": [], "fixup": "never",
        "ffmpeg_location": "/nonexistent", "js_runtimes": {}, "remote_components": [],
    }  # fmt: skip


def _one_video(info: Any) -> dict[str, Any]:
    """Return the video, or the first one of a list.  Raises NothingToFetch if there is none."""
    while info and info.get("entries") is not None:
        info = next(iter(info["entries"]), None)
    if not info:
        raise NothingToFetch("no_video")
    title = info.get("title")
    # yt-dlp counts the videos of an unknown site's page, also where there is only one.
    is_counted = isinstance(title, str) and info.get("extractor_key") in COUNTING_EXTRACTORS
    return {**info, "title": title.removesuffix(" (1)") if is_counted else title}


def chosen_formats(formats: Iterable[Info]) -> list[Info]:
    """Return the format to fetch, or a video and an audio format to join: none if there is nothing.

    H.264 with AAC needs no encode to be watched, so it goes before all others of up to 1080p.
    """
    usable = [found for found in formats if found.get("protocol") in PROTOCOLS and not found.get("has_drm")]
    videos = [found for found in usable if found.get("vcodec") != "none"]
    audios = [found for found in usable if found.get("vcodec") == "none" and found.get("acodec") != "none"]
    if not videos:
        return [max(audios, key=_audio_rank)] if audios else []
    video = max(videos, key=_video_rank)
    return [video, max(audios, key=_audio_rank)] if video.get("acodec") == "none" and audios else [video]


def _video_rank(found: Info) -> tuple[float, ...]:
    sides = [side for side in (found.get("width"), found.get("height")) if side]
    short_side = min(sides) if sides else 0
    codec = str(found.get("vcodec") or "")
    return (
        _number(found.get("language_preference"), -1),
        _number(found.get("preference")),
        min(short_side, COMMON_SHORT_SIDE_PX),
        codec.startswith(("avc", "h264")),
        short_side,
        _number(found.get("fps")),
        _number(found.get("tbr")),
    )


def _audio_rank(found: Info) -> tuple[float, ...]:
    codec = str(found.get("acodec") or "")
    return (
        _number(found.get("language_preference"), -1),
        _number(found.get("preference")),
        codec.startswith(("mp4a", "aac")),
        _number(found.get("abr") or found.get("tbr")),
    )


def _number(value: object, missing: float = 0) -> float:
    return float(value) if isinstance(value, int | float) else missing


def described(info: Info) -> dict[str, Any]:
    """Return the words of a page about its video, as JSON of bounded size."""
    chapters = [
        [_number(chapter.get("start_time")), _text(chapter.get("title"))]
        for chapter in (info.get("chapters") or [])[:MAX_CHAPTERS]
    ]
    return {
        "title": _text(info.get("title")),
        "description": _text(info.get("description")),
        "tags": [_text(tag)[:100] for tag in (info.get("tags") or [])[:MAX_TAGS]],
        "chapters": chapters,
    }


def _text(value: object) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _subtitles(ydl: Any, info: Info, folder: Path) -> Iterator[tuple[str, str]]:
    """Fetch the subtitles that people wrote; yield the language and the file of each."""
    from yt_dlp.utils import YoutubeDLError

    for number, (language, tracks) in enumerate((info.get("subtitles") or {}).items()):
        if number == MAX_SUBTITLES:
            return
        known = [track for track in tracks if track.get("ext") in SUBTITLE_FORMATS]
        best = min(known, key=lambda track: SUBTITLE_FORMATS.index(track["ext"]), default=None)
        if best is None:
            continue
        name = f"subtitles-{number}"
        # A video without one of its subtitles is better than none.
        with suppress(YoutubeDLError, OSError, ValueError):
            _fetch_subtitles(ydl, best, folder / name)
            yield str(language)[:35], name


def _fetch_subtitles(ydl: Any, track: Info, path: Path) -> None:
    """Store one file of subtitles.  Raises ValueError if it is too large, and the errors of yt-dlp."""
    if track.get("data") is not None:
        data = str(track["data"]).encode()
    elif str(track.get("protocol") or "").startswith("m3u8"):
        if not ydl.dl(str(path), dict(track), subtitle=True)[0]:
            raise ValueError("the playlist of subtitles cannot be read")
        if path.stat().st_size > MAX_SUBTITLE_BYTES:
            path.unlink()
            raise ValueError("too large")
        return
    else:
        data = ydl.urlopen(track["url"]).read(MAX_SUBTITLE_BYTES + 1)
    if len(data) > MAX_SUBTITLE_BYTES:
        raise ValueError("too large")
    path.write_bytes(data)


class _ShareReport:
    """The hook of yt-dlp's downloads, which prints the fetched share of all files."""

    file, files = 0, 1

    def __call__(self, state: Mapping[str, Any]) -> None:
        whole = state.get("total_bytes") or state.get("total_bytes_estimate")
        share = _number(state.get("downloaded_bytes")) / whole if whole else 0.0
        if state.get("fragment_count"):
            share = _number(state.get("fragment_index")) / state["fragment_count"]
        done = (self.file + min(max(share, 0.0), 1.0)) / self.files
        sys.stdout.write(json.dumps({"done": round(done, 4)}) + "\n")
        sys.stdout.flush()


_REASONS = (
    (rf"\[Errno {errno.EFBIG}\]", TOO_LARGE),
    (r"drm", "protected"),
    (r"log ?in|sign in|cookies|private video|password|members|account", "sign_in"),
    (r"not available (in|from) your|geo.?restrict|your country", "region"),
    (r"live event|is offline|premieres in|currently live", "live"),
    (r"unsupported url|no video formats|no video could be found|not available|no formats|requested format",
     "no_video"),
    (r"unable to connect|timed out|connection|HTTP Error 5|temporary failure|tunnel", "network"),
)  # fmt: skip


def reason_of(error: Exception) -> str:
    """Return the reason why yt-dlp fetched nothing, by the words of its error."""
    words = str(error)
    return next(
        (reason for pattern, reason in _REASONS if re.search(pattern, words, re.IGNORECASE)), "broken"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
