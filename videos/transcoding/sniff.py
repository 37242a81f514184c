"""Detection of a file's container by its first bytes alone.

FFmpeg's own guesses include playlists, which make it fetch the files they name.
So we name one demuxer from a short allow list and forbid all others.
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
    (b"YUV4MPEG2", "yuv4mpegpipe"),
    (b"DKIF", "ivf"),
    (b"nut/multimedia container\0", "nut"),
    # CCTV recorders put a header of their own before the program stream.
    (b"IMKH", "mpeg"),
)
_RIFF_FORMS = {b"AVI ": "avi", b"WAVE": "wav"}
# Beginnings that make some demuxer open other files.
_POINTS_ELSEWHERE = re.compile(
    rb"\A(?:#EXT|ffconcat|v=0\s|# VobSub index|\[playlist\]|\[Reference\]|RTSPtext|SMILtext"
    rb"|(?:file|https?|rtsp|rtmp)[:' ])"
    rb"|<(?:\w+:)?(?:MPD|playlist|SmoothStreamingMedia|asx|smil|AssetMap|PackingList|CompositionPlaylist)\b",
    re.IGNORECASE,
)


def sniff(head: bytes) -> str:
    """Return the name of the FFmpeg demuxer for a file that begins with ``head``.

    Raises EmptyFile, ReferencesOutside for playlists and manifests of any kind,
    and NotMedia for everything else that is not on the allow list.
    """
    if not head:
        raise EmptyFile("no bytes")
    name = _by_magic(head) or _by_sync(head) or _elementary(head)
    if name:
        return name
    if _POINTS_ELSEWHERE.search(_as_text(head)):
        raise ReferencesOutside("a playlist or manifest")
    raise NotMedia("no known container")


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
    """Return whether the sync byte 0x47 repeats eight times, or to the end, at one of three spacings.

    Packets have 188 bytes, 192 with a time stamp (M2TS), 204 with error correction.
    """
    for spacing in (188, 192, 204):
        for first in range(spacing):
            column = head[first::spacing][:8]
            if len(column) >= 3 and column.count(b"\x47") == len(column):
                return True
    return False


def _elementary(head: bytes) -> str | None:
    """Recognise animated PNG, raw DV and raw H.264 and HEVC streams."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and b"acTL" in head[:4096]:
        return "apng"
    # The header section of the first DIF block (IEC 61834-2); its fourth byte tells 525 from 625 lines.
    if head[:3] == b"\x1f\x07\x00" and head[3:4] in {b"\x3f", b"\xbf"}:
        return "dv"
    for start_code in (b"\x00\x00\x00\x01", b"\x00\x00\x01"):
        if head.startswith(start_code):
            return _nal_stream(head[len(start_code) :])
    return None


def _nal_stream(nal: bytes) -> str | None:
    """Return the format of a byte stream that begins with a delimiter or a parameter set."""
    if len(nal) < 2 or nal[0] & 0x80:
        return None
    # H.264: 7 is a sequence parameter set, 9 an access unit delimiter.
    if nal[0] & 0x1F in {7, 9} and nal[0] & 0x60 | (nal[0] & 0x1F == 9):
        return "h264"
    # HEVC: 32 is a video parameter set, 35 a delimiter, both of layer 0.
    return "hevc" if nal[0] >> 1 in {32, 33, 35} and nal[1] == 1 else None


def _after_id3(head: bytes) -> str:
    """Return the format behind an ID3 tag, which AAC and FLAC files may carry as well (id3.org, 3.1)."""
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
    """Return the beginning of the head without byte order mark and blanks, as a lenient parser reads it."""
    text = head[:4096]
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = text[2:].replace(b"\0", b"")
    return text.removeprefix(b"\xef\xbb\xbf").lstrip()
