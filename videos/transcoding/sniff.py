"""Which container a file is, decided by its first bytes and by nothing else.

FFmpeg can guess as well, and its guesses include playlists that make it fetch
what they name.  We name one demuxer from a short allow list and forbid the rest.
"""

from __future__ import annotations

import re

from .errors import EmptyFile, NotMedia, ReferencesOutside

HEAD_BYTES = 65_536
"""How much of a file ``sniff`` wants to see."""

_MOV_BOXES = frozenset(
    {
        b"ftyp",
        b"moov",
        b"mdat",
        b"wide",
        b"free",
        b"skip",
        b"pnot",
        b"uuid",
        b"styp",
        b"sidx",
        b"moof",
        b"pdin",
    }
)
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"fLaC", "flac"),
    (b"caff\x00\x01", "caf"),
    (b"#!AMR", "amr"),
    (b"\x0b\x77", "ac3"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
)
_RIFF_FORMS = {b"AVI ": "avi", b"WAVE": "wav"}
# Each of them makes some demuxer open other files.
_POINTS_ELSEWHERE = re.compile(
    rb"\A(?:#EXT|ffconcat|v=0\s|# VobSub index|\[playlist\]|\[Reference\]|RTSPtext|SMILtext"
    rb"|(?:file|https?|rtsp|rtmp)[:' ])"
    rb"|<(?:\w+:)?(?:MPD|playlist|SmoothStreamingMedia|asx|smil|AssetMap|PackingList|CompositionPlaylist)\b",
    re.IGNORECASE,
)
# ``%d`` and ``%03d`` name a series of pictures to FFmpeg's image2.  URL escapes
# such as ``%20d`` and ``%d0`` are ordinary text.
_PICTURE_SERIES = re.compile(r"%(?:0\d*)?d(?![0-9a-fA-F])")


def sniff(head: bytes) -> str:
    """Return the name of the FFmpeg demuxer for a file that begins with ``head``.

    Raises EmptyFile, ReferencesOutside for playlists and manifests of any kind,
    and NotMedia for everything else that is not on the allow list.
    """
    if not head:
        raise EmptyFile("no bytes")
    name = _by_magic(head) or _by_sync(head)
    if name:
        return name
    if _POINTS_ELSEWHERE.search(_as_text(head)):
        raise ReferencesOutside("a playlist or manifest")
    raise NotMedia("no known container")


def check_filename(filename: str) -> None:
    """Raise ReferencesOutside for a name that FFmpeg's tools take for a series of files."""
    if _PICTURE_SERIES.search(filename):
        raise ReferencesOutside(
            "file name is a frame pattern",
            detail="The file name reads like a pattern for many files. Rename it without % and try again.",
        )


def _by_magic(head: bytes) -> str | None:
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] in {b"RIFF", b"RF64", b"BW64"}:
        return _RIFF_FORMS.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "aiff"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def _by_sync(head: bytes) -> str | None:
    """Recognise formats that have no magic and repeat a sync word instead."""
    if head.startswith(b"ID3") and len(head) >= 10:
        return _after_id3(head)
    if _is_mpegts(head):
        return "mpegts"
    return _audio_frames(head)


def _is_mpegts(head: bytes) -> bool:
    """Look for the sync byte 0x47 at the spacing of TS (188) or of M2TS (192), eight times or to the end."""
    for spacing in (188, 192):
        for first in range(spacing):
            column = head[first::spacing][:8]
            if len(column) >= 3 and column.count(b"\x47") == len(column):
                return True
    return False


def _after_id3(head: bytes) -> str:
    """Look behind the tag, which AAC and FLAC files may carry as well (id3.org, 3.1)."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    rest = head[10 + size :]
    if rest.startswith(b"fLaC"):
        return "flac"
    return _audio_frames(rest) or "mp3"


def _audio_frames(data: bytes) -> str | None:
    """Recognise ADTS and MPEG audio by two frame headers in a row, the first at the start."""
    if len(data) < 8 or data[0] != 0xFF:
        return None
    if data[1] & 0xF6 == 0xF0:
        length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        follows = data[length : length + 2]
        return "aac" if length >= 7 and (len(follows) < 2 or follows == data[:2]) else None
    has_header = data[1] & 0xE0 == 0xE0 and data[1] & 0x18 != 0x08 and data[1] & 0x06
    has_rates = data[2] & 0xF0 != 0xF0 and data[2] & 0x0C != 0x0C
    # The next frame repeats version and layer; its place depends on the bitrate.
    return "mp3" if has_header and has_rates and data.find(data[:2], 4, 4096) > 0 else None


def _as_text(head: bytes) -> bytes:
    """Return what a lenient parser would see first: no byte order mark, no blanks."""
    text = head[:4096]
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = text[2:].replace(b"\0", b"")
    return text.removeprefix(b"\xef\xbb\xbf").lstrip()
