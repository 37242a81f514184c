"""Damaged files by seed and their outcomes, shared by the tests and the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videos.tests.captions import faults
from videos.tests.clips import make_clip
from videos.tests.corpus import corpus_folder, manifest_rows
from videos.tests.mutations import mutate
from videos.tests.outcomes import UploadOutcome, outcome_of
from videos.transcoding.captions import UnreadableCaptions, read_captions

# Small ones, so that many can be tried.
_MEDIA_BYTES = 150_000
_CAPTION_BYTES = 50_000
_WORK_BYTES = 64 * 1024**2
_LANGUAGES = ("en", "zh-Hans", "ja", "ru", "fr")
_KINDS = (
    "landscape", "fragmented", "two_audio", "webm", "ts", "avi", "flv", "mov", "ogg", "mpeg", "wmv", "gif",
    "interlaced", "hdr", "b_frames", "late_audio", "portrait", "audio_only", "audio_with_cover", "mp3",
    "changing", "playlist", "remote_playlist",
)  # fmt: skip
_CAPTIONS = {
    "tags.vtt": b"WEBVTT\n\nSTYLE\n::cue { color: red }\n\n1\n00:01.000 --> 00:02.500 line:0 align:start\n"
    b"<v Ann><b>Hello</b> &amp; <00:00:02.000><c.loud>welcome</c></v>\n\nNOTE of ours\n\n"
    b"00:00:03.000 --> 00:00:04.000\n<script>alert(1)</script><img src=x onerror=alert(2)>\nsecond line\n",
    "latin.srt": "1\r\n00:00:01,000 --> 00:00:02,000\r\nÇa c'est <i>déjà</i> là\r\n\r\n2\r\n"
    "00:00:02,000 --> 00:00:03,500\r\n{\\an8}Où ?\r\n\r\n".encode("cp1252"),
    "chinese.srt": "1\n00:00:01,000 --> 00:00:02,000\n今天我们来看一部电影\n\n".encode("gb18030") * 3,
    "wide.srt": "1\n00:00:01,000 --> 00:00:02,000\n字幕 <font color=red>red</font>\n".encode("utf-16"),
    "styled.ass": b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n"
    b"\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    b"Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hello{\\i0}\\Nthere, {\\an8}above\n"
    b"Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n",
}


def media_sources(folder: Path) -> list[Path]:
    """Return the small files of the media corpus; without a corpus, clips drawn in ``folder``."""
    corpus = corpus_folder("MEDIA_CORPUS")
    if corpus is None:
        return [make_clip(kind, folder, seconds=1, size="160x96") for kind in _KINDS]
    # Bad files do not play, so damage could not spoil them.
    names = [row["file"] for row in manifest_rows("MEDIA_CORPUS") if not row["file"].startswith("bad_")]
    return _small([corpus / name for name in names if Path(name).suffix != ".json"], _MEDIA_BYTES)


def caption_sources(folder: Path) -> list[Path]:
    """Return the small files of the caption corpus; without a corpus, ours, written to ``folder``."""
    corpus = corpus_folder("CAPTION_CORPUS")
    if corpus is None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in _CAPTIONS.items():
            (folder / name).write_bytes(data)
        return [folder / name for name in _CAPTIONS]
    return _small([corpus / row["file"] for row in manifest_rows("CAPTION_CORPUS")], _CAPTION_BYTES)


def damaged(sources: Sequence[Path], seed: int) -> bytes:
    """Return the source of ``seed``, in rotation, with the damage of that seed."""
    path, other = sources[seed % len(sources)], sources[(seed * 7 + 3) % len(sources)]
    return mutate(path.read_bytes(), seed, other=other.read_bytes())


def media_outcome(data: bytes, folder: Path) -> UploadOutcome:
    """Return the outcome of an upload of ``data``, with a fault for each file in a wrong place."""
    work = folder / "work"
    work.mkdir(parents=True)
    path = folder / "source"
    path.write_bytes(data)
    outcome = outcome_of(path, work)
    size_bytes = sum(file.stat().st_size for file in work.rglob("*"))
    spoilt = path.read_bytes() != data or {entry.name for entry in folder.iterdir()} != {"source", "work"}
    left = [
        *(["something was written beside the work folder"] if spoilt else []),
        *([f"{size_bytes} bytes of work"] if size_bytes > _WORK_BYTES else []),
    ]
    return UploadOutcome(outcome.code, outcome.reason, outcome.played_s, (*outcome.faults, *left))


def caption_outcome(data: bytes, seed: int, folder: Path) -> UploadOutcome:
    """Return the outcome of captions: the end of the last cue, or that they are unreadable."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        captions = read_captions(data, language=_LANGUAGES[seed % len(_LANGUAGES)])
    except UnreadableCaptions:
        return UploadOutcome("captions_unreadable")
    end_s = max(cue.end_ms for cue in captions.cues) / 1000
    return UploadOutcome(played_s=end_s, faults=tuple(faults(captions, folder)))


def _small(paths: Sequence[Path], most_bytes: int) -> list[Path]:
    return [path for path in paths if 0 < path.stat().st_size <= most_bytes]
