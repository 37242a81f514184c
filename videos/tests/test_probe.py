from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from common.tests.servers import POLL_S
from videos.failures import sentence_of
from videos.tests.clips import make_clip
from videos.tests.encoding import probe_file
from videos.transcoding import errors
from videos.transcoding.framerate import choose_frame_rate
from videos.transcoding.limits import SourceLimits
from videos.transcoding.packets import measure
from videos.transcoding.probe import probe
from videos.transcoding.restarts import Restarts
from videos.transcoding.sniff import sniff
from videos.transcoding.source import SourceInfo


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\0\0\0\x20ftypisom", "mov"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mov"),
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"RIFF\x24\0\0\0AVI LIST", "avi"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
        (b"FLV\x01\x05", "flv"),
        (b"OggS", "ogg"),
        (b"GIF89a", "gif"),
        (b"\0\0\x01\xba", "mpeg"),
        ((b"\x47" + bytes(187)) * 9, "mpegts"),
        (bytes(4) + (b"\x47" + bytes(191)) * 9, "mpegts"),
        (b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x64", "mp3"),
        (b"ID3\x03\0\0\0\0\0\x02" + bytes(2) + b"fLaC", "flac"),
        ((b"\xff\xfb\x90\x64" + bytes(413)) * 3, "mp3"),
        ((b"\xff\xf1\x50\x80\x01\x7f\xfc" + bytes(4)) * 3, "aac"),
    ],
)
def test_container_is_detected_by_its_first_bytes(head: bytes, container: str) -> None:
    assert sniff(head) == container


@pytest.mark.parametrize(
    "head",
    [
        b"#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1/a.ts",
        b"\xef\xbb\xbf\r\n #EXTM3U\n",
        "#EXTM3U\n".encode("utf-16"),
        b"ffconcat version 1.0\nfile /etc/passwd",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">',
        b'<?xml version="1.0"?>\n<playlist version="1" xmlns="http://xspf.org/ns/0/">',
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"# VobSub index file, v7\n",
    ],
)
def test_playlist_or_manifest_is_refused(head: bytes) -> None:
    with pytest.raises(errors.ReferencesOutside):
        sniff(head)


@pytest.mark.parametrize(
    "head",
    [
        b"<html><video src='http://a'></html>",
        b"<svg onload='x'/>",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"RIFF\x24\0\0\0WEBPVP8 ",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"Just text",
    ],
)
def test_other_formats_are_not_media(head: bytes) -> None:
    with pytest.raises(errors.NotMedia):
        sniff(head)


def test_file_of_no_bytes_is_empty() -> None:
    with pytest.raises(errors.EmptyFile):
        sniff(b"")


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("kind", "container", "size", "rate", "tracks"),
    [
        ("landscape", "mov", (320, 180), 25, 1),
        ("portrait", "mov", (180, 320), 25, 1),
        ("anamorphic", "mov", (427, 180), 25, 1),
        ("vfr", "mov", (320, 180), 25, 0),
        ("two_audio", "matroska", (320, 180), 25, 2),
        ("ts", "mpegts", (320, 180), 25, 1),
        ("avi", "avi", (320, 180), 25, 1),
        ("webm", "matroska", (320, 180), 25, 1),
        ("gif", "gif", (320, 180), 25, 0),
        ("fragmented", "mov", (320, 180), 25, 1),
    ],
)
def test_clip_is_described_as_viewers_see_it(
    clips: Path, kind: str, container: str, size: tuple[int, int], rate: int, tracks: int
) -> None:
    source = probe_file(make_clip(kind, clips))

    assert source.video is not None
    assert source.container == container
    assert (source.video.width_px, source.video.height_px) == size
    assert source.video.frame_rate == rate
    assert len(source.audio) == tracks
    assert source.duration_s == pytest.approx(2, abs=0.06)


@pytest.mark.ffmpeg
def test_source_info_survives_json(clips: Path) -> None:
    source = probe_file(make_clip("two_audio", clips, rate="30000/1001"))

    assert source.video
    assert source.video.frame_rate == Fraction(30000, 1001)
    assert [track.language for track in source.audio] == ["eng", "zho"]
    assert SourceInfo.from_json(source.to_json()) == source


@pytest.mark.ffmpeg
def test_hdr_and_interlacing_are_detected(clips: Path) -> None:
    hdr = probe_file(make_clip("hdr", clips)).video
    interlaced = probe_file(make_clip("interlaced", clips, rate="50")).video

    assert hdr
    assert interlaced
    assert (hdr.is_hdr, hdr.transfer, hdr.is_interlaced) == (True, "smpte2084", False)
    assert (interlaced.is_hdr, interlaced.is_interlaced) == (False, True)
    assert interlaced.frame_rate == 25


@pytest.mark.ffmpeg
def test_audio_with_a_cover_has_no_video_track(clips: Path) -> None:
    source = probe_file(make_clip("audio_with_cover", clips))

    assert source.video is None
    assert source.cover_index == 1
    assert source.duration_s == pytest.approx(2, abs=0.06)


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("truncated", "not_media"),
        ("playlist", "references_outside"),
        ("text", "not_media"),
        ("empty", "empty_file"),
    ],
)
def test_unplayable_file_fails_with_a_code(clips: Path, kind: str, code: str) -> None:
    with pytest.raises(errors.TranscodeError) as failure:
        probe_file(make_clip(kind, clips))

    assert failure.value.code == code
    assert failure.value.sentence == errors.FAILURE_SENTENCES[code]


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", ["-i.mp4", "concat:a|b.mp4", "%03d.mp4", 'it\'s "one".mp4', "a\nb.mp4"])
def test_special_file_names_are_read_as_paths(clips: Path, name: str) -> None:
    path = make_clip("no_audio", clips, name=name)

    assert probe_file(path).duration_s == 2


@pytest.mark.ffmpeg
def test_duration_of_a_truncated_file_is_measured(clips: Path) -> None:
    """The header promises six seconds; half of the file is there."""
    whole = make_clip("b_frames", clips, seconds=6)
    half = clips / "half.mkv"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    source = probe_file(half)

    assert 1 < source.duration_s < 5
    assert not source.is_seekable


@pytest.mark.ffmpeg
def test_undecodable_video_with_a_good_header_is_refused(clips: Path) -> None:
    data = bytearray(make_clip("no_audio", clips).read_bytes())
    start = data.find(b"mdat") + 4
    data[start : data.find(b"moov") - 4] = bytes(data.find(b"moov") - 4 - start)
    broken = clips / "broken.mp4"
    broken.write_bytes(data)

    with pytest.raises(errors.DecodeFailed):
        probe_file(broken)


def _patched(clips: Path, name: str, marker: bytes, offset: int, value: bytes) -> Path:
    """Return a clip with ``value`` at ``offset`` behind the last ``marker``."""
    data = bytearray(make_clip("landscape", clips).read_bytes())
    at = data.rfind(marker) + offset
    data[at : at + len(value)] = value
    path = clips / name
    path.write_bytes(data)
    return path


@pytest.mark.ffmpeg
def test_header_with_an_enormous_frame_size_is_refused(clips: Path) -> None:
    path = _patched(clips, "claims.mp4", b"avc1\0\0\0\0", 28, b"\xff\xff\xff\xff")

    with pytest.raises(errors.LimitsExceeded, match="declares 65535x65535"):
        probe_file(path)


@pytest.mark.ffmpeg
def test_header_with_a_duration_of_weeks_is_refused(clips: Path) -> None:
    path = _patched(clips, "weeks.mp4", b"mvhd", 20, b"\xff\xff\xff\xfe")

    with pytest.raises(errors.LimitsExceeded, match=r"declares \d+ s") as failure:
        probe_file(path)
    assert failure.value.parameters == {"limit": "duration_s", "most": 12 * 3600}


@pytest.mark.ffmpeg
def test_protected_track_is_refused_as_encrypted(clips: Path) -> None:
    path = _patched(clips, "protected.mp4", b"avc1\0\0\0\0", 0, b"encv")

    with pytest.raises(errors.Encrypted):
        probe_file(path)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("track_id", [b"\x80\0\0\0", b"\xff\xff\xff\xff"])
def test_track_number_above_31_bits_is_refused(clips: Path, track_id: bytes) -> None:
    path = _patched(clips, "track.mp4", b"tkhd", 16, track_id)

    with pytest.raises(errors.NotMedia, match="declares tracks"):
        probe_file(path)


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    "limits",
    [
        SourceLimits(pixels=320 * 179),
        SourceLimits(duration_s=1),
        SourceLimits(frame_rate=20),
        SourceLimits(media_tracks=1),
    ],
)
def test_source_above_any_limit_is_refused(clips: Path, limits: SourceLimits) -> None:
    path = make_clip("landscape", clips)

    with pytest.raises(errors.LimitsExceeded) as failure:
        probe(str(path), head=path.read_bytes()[:65536], size_bytes=path.stat().st_size, limits=limits)
    assert sentence_of(failure.value.parameters) != ""


class _Quiet(SimpleHTTPRequestHandler):
    """A server of a folder with Ranges, which http.server lacks, and without a log."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.ffmpeg
@pytest.mark.parametrize("kind", ["landscape", "b_frames", "ts", "fragmented"])
def test_source_over_http_equals_source_from_disk(clips: Path, kind: str) -> None:
    path = make_clip(kind, clips)
    head, size_bytes = path.read_bytes()[:1000], path.stat().st_size

    with _served(clips) as origin:
        source = probe(f"{origin}/{path.name}?signature=secret", head=head, size_bytes=size_bytes)

    assert source == probe_file(path)


@pytest.mark.ffmpeg
def test_missing_object_is_a_storage_failure_without_its_url(clips: Path) -> None:
    path = make_clip("b_frames", clips)

    with _served(clips) as origin, pytest.raises(errors.StorageFailed) as failure:
        probe(f"{origin}/gone.mkv?signature=secret", head=path.read_bytes()[:1000], size_bytes=5000)

    assert failure.value.retryable
    assert "secret" not in str(failure.value)


def _times(rate: float, count: int, *, tick: float = 0.001) -> list[float]:
    return [round(number / rate / tick) * tick for number in range(count)]


@pytest.mark.parametrize(
    ("times", "claimed", "rate"),
    [
        (_times(24000 / 1001, 200), [Fraction(24000, 1001)], Fraction(24000, 1001)),
        (_times(24000 / 1001, 2000), [], Fraction(24000, 1001)),
        (_times(30, 300), [Fraction(1000)], Fraction(30)),
        (_times(60000 / 1001, 300), [Fraction(60000, 1001)], Fraction(60000, 1001)),
        (_times(120, 300), [Fraction(120)], Fraction(60)),
        (_times(240, 300, tick=1 / 90000), [Fraction(240)], Fraction(60)),
        (_times(1, 30), [Fraction(1)], Fraction(8)),
        ([0.0], [Fraction(0), Fraction(90000)], Fraction(25)),
        ([], [Fraction(25)], Fraction(25)),
    ],
)
def test_constant_rate_is_kept_to_the_fraction(
    times: list[float], claimed: list[Fraction], rate: Fraction
) -> None:
    assert choose_frame_rate(times, claimed=claimed) == rate


def test_variable_rate_is_rounded_near_its_busiest_rate() -> None:
    bursts = [start + step / 30 for start in range(0, 60, 5) for step in range(20)]

    rate = choose_frame_rate(bursts, claimed=[Fraction(90000)])

    assert rate == 30
    assert (rate * 4).denominator == 1


def test_field_rate_is_halved_to_the_frame_rate() -> None:
    assert choose_frame_rate(_times(50, 100), claimed=[Fraction(50)], is_interlaced=True) == 25


def test_packets_before_an_edit_list_are_not_counted() -> None:
    lines = [
        b"0,-1.0,-1.0,0.5,KD_\n",
        b"0,0.0,0.0,0.5,K__\n",
        b"0,0.5,0.5,N/A,___\n",
        b"junk\n",
        b"0,1.0,1.0,N/A,___\n",
    ]

    packets = measure(lines)[0]

    assert (packets.count, packets.first_s, packets.presented_end_s) == (3, 0.0, 1.5)


def test_timestamps_continue_after_a_restart_of_the_clock() -> None:
    lines = [b"0,100.0,100.0,1.0,K__\n", b"0,101.0,101.0,1.0,K__\n", b"0,5.0,5.0,1.0,K__\n"]

    packets = measure(lines, smooth_jumps=True)[0]

    assert (packets.first_s, packets.presented_end_s) == (100.0, 103.0)


def test_appended_sessions_follow_each_other() -> None:
    times = [
        (0, 0.0),
        (1, 0.0),
        (0, 14.0),
        (1, 14.5),
        (0, 0.0),
        (0, 2.0),
        (1, 0.0),
        (1, 4.0),
        (0, 0.2),
        (1, 0.1),
    ]
    lines = [f"{stream},{time},{time},0.5,K__\n".encode() for stream, time in times]
    restarts = Restarts()

    streams = measure(lines, restarts=restarts)

    assert restarts.begins_s == [0.0, 15.0, 19.5]
    assert (streams[0].presented_end_s, streams[1].presented_end_s) == (20.2, 20.1)


def test_one_late_packet_is_not_a_session() -> None:
    restarts = Restarts()

    measure([b"0,30.0,30.0,0.5,K__\n", b"0,29.2,29.2,0.5,___\n", b"0,31,31,0.5,___\n"], restarts=restarts)

    assert restarts.begins_s == [0.0]


def test_limits_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SourceLimits().pixels = 1  # type: ignore[misc]
