from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from videos.transcoding.chunks import ChunkPlan
from videos.transcoding.codecs import DECODER_WHITELIST
from videos.transcoding.colour import TAGS
from videos.transcoding.ffmpeg import audio_args, encode_args, output_directories, poster_args
from videos.transcoding.ladder import Rung
from videos.transcoding.source import AudioStream, SourceInfo, VideoStream

VIDEO = VideoStream(0, "h264", 1920, 1080, Fraction(30000, 1001), duration_s=120, start_s=0.02)
TRACK = AudioStream(1, "aac", 2, start_s=0.1)
SOURCE = SourceInfo("mov", duration_s=120, size_bytes=1, video=VIDEO, audio=(TRACK,))
WORK = Path("/encode")
# An untagged source of unknown size passes for standard definition.
BT709 = "+accurate_rnd+full_chroma_int:in_color_matrix=smpte170m:out_color_matrix=bt709:out_range=tv"


@pytest.fixture(autouse=True)
def known_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videos.transcoding.ffmpeg.ffmpeg_path", lambda: "ffmpeg")


def words(text: str) -> list[str]:
    return text.split()


def graph_of(source: SourceInfo, chunk: ChunkPlan | None = None) -> str:
    chunk = chunk or ChunkPlan(0, 0, 1, 0.0, 4.0)
    argv = encode_args(source, "https://s3/a", [Rung(360, 730_000)], chunk, WORK, threads=2)
    return argv[argv.index("-filter_complex") + 1]


def test_command_of_a_middle_chunk() -> None:
    chunk = ChunkPlan(1, first_segment=1, segment_count=15, start_s=4.0, length_s=60.0)
    rungs = [Rung(1080, 4_500_000), Rung(360, 730_000)]

    def output(number: int, bitrate: str) -> list[str]:
        return [
            *words(f"-map [v{number}] -c:v libx264 -preset veryfast -profile:v high -threads 2"),
            *words(f"-crf 23 -maxrate {bitrate} -bufsize {bitrate} -a53cc 0 -bf 2 -sc_threshold 0 -g 100000"),
            # Frame 120 is the first at or after 4 s: it is shown at 4.004.
            *words("-force_key_frames expr:gte(t,n_forced*4-0.004001) -fps_mode passthrough"),
            *words("-sn -dn -map_metadata -1 -map_chapters -1"),
            *words("-output_ts_offset 3.003000 -avoid_negative_ts disabled -hls_time 0.1"),
            *words("-movflags +frag_discont+negative_cts_offsets -f hls -hls_segment_type fmp4"),
            *words("-hls_segment_options movflags=+frag_discont+negative_cts_offsets:use_editlist=0"),
            *words("-hls_flags temp_file+independent_segments -hls_list_size 0 -start_number 1"),
            *words("-hls_fmp4_init_filename init.mp4"),
            *words(f"-hls_segment_filename /encode/{number}/%d.m4s /encode/{number}/index.m3u8"),
        ]

    assert encode_args(SOURCE, "https://s3/key?sig", rungs, chunk, WORK, threads=2) == [
        *words("ffmpeg -hide_banner -nostdin -v error -nostats -progress pipe:1 -stats_period 0.5"),
        *words("-threads 2 -filter_complex_threads 2 -noaccurate_seek -ss 3.003000"),
        *words("-reinit_filter 0 -noautorotate"),
        *words(f"-codec_whitelist {DECODER_WHITELIST} -f mov -format_whitelist mov"),
        *words("-protocol_whitelist https,tls,tcp,http -probesize 20M -analyzeduration 20M"),
        *words("-rw_timeout 30000000 -reconnect 1 -reconnect_on_network_error 1 -reconnect_delay_max 8"),
        *words("-i https://s3/key?sig -filter_complex"),
        (
            "[0:0]scale=iw:ih:flags=bicubic,setpts=PTS+0.013367/TB,fps=fps=30000/1001:start_time=0,"
            "trim=start_frame=30:end_frame=1829,split=2[s0][s1];"
            f"[s0]scale=1920:1080:flags=bicubic{BT709},setsar=1,format=yuv420p,{TAGS}[v0];"
            f"[s1]scale=640:360:flags=bicubic{BT709},setsar=1,format=yuv420p,{TAGS}[v1]"
        ),
        *output(0, "4500000"),
        *output(1, "730000"),
    ]


def test_command_of_an_audio_track() -> None:
    assert audio_args(SOURCE, "a.mp4", TRACK, WORK) == [
        *words("ffmpeg -hide_banner -nostdin -v error -nostats -progress pipe:1 -stats_period 0.5"),
        *words(f"-threads 2 -filter_complex_threads 2 -codec_whitelist {DECODER_WHITELIST}"),
        *words("-f mov -format_whitelist mov -protocol_whitelist file -probesize 20M -analyzeduration 20M"),
        *words("-i file:a.mp4 -filter_complex [0:1]aformat=fltp:48000:stereo,apad[sound]"),
        "-filter_complex",
        (
            "[sound]asetpts=PTS+0.000000/TB,aresample=48000:async=1:first_pts=0,"
            f"atrim=start_sample=1024:end={SOURCE.duration_s:.6f}[track]"
        ),
        *words("-map [track] -vn -sn -dn -map_metadata -1 -map_chapters -1"),
        *words("-c:a aac -profile:a aac_low -ac 2 -ar 48000 -b:a 128000 -t 43200 -hls_time 4"),
        *words("-movflags +frag_discont+negative_cts_offsets -f hls -hls_segment_type fmp4"),
        *words("-hls_segment_options movflags=+frag_discont+negative_cts_offsets:use_editlist=0"),
        *words("-hls_flags temp_file+independent_segments -hls_list_size 0 -start_number 0"),
        *words("-hls_fmp4_init_filename init.mp4"),
        *words("-hls_segment_filename /encode/0/%d.m4s /encode/0/index.m3u8"),
    ]


def test_mono_track_stays_mono_at_half_the_bitrate() -> None:
    argv = audio_args(SOURCE, "a.mp4", replace(TRACK, channels=1), WORK)

    assert argv[argv.index("-ac") + 1] == "1"
    assert argv[argv.index("-b:a") + 1] == "64000"


def test_first_chunk_does_not_seek_and_last_chunk_has_no_end() -> None:
    assert "-ss" not in encode_args(SOURCE, "a", [Rung(360, 1)], ChunkPlan(0, 0, 1, 0.0, 4.0), WORK)
    assert "trim=start_frame=0:end_frame=120," in graph_of(SOURCE)
    assert "trim=start_frame=30:end_frame=1291019," in graph_of(SOURCE, ChunkPlan(3, 31, None, 124.0, 26.0))


def test_only_interlaced_video_is_deinterlaced_and_only_hdr_is_tone_mapped() -> None:
    interlaced = replace(SOURCE, video=replace(VIDEO, is_interlaced=True))
    hdr = replace(SOURCE, video=replace(VIDEO, is_hdr=True, transfer="arib-std-b67"))

    assert "bwdif" not in graph_of(SOURCE)
    assert "tonemap" not in graph_of(SOURCE)
    assert "bwdif=mode=send_frame,setpts=" in graph_of(interlaced)
    assert "zscale=w=640:h=360:tin=arib-std-b67" in graph_of(hdr)
    assert "tonemap=tonemap=mobius" in graph_of(hdr)


@pytest.mark.parametrize("change", [{"has_display_matrix": True}, {"rotation": 90}])
def test_only_turned_video_is_left_to_ffmpegs_own_filters(change: dict[str, Any]) -> None:
    """FFmpeg's filters come first and cannot take another size in the middle."""
    turned = replace(SOURCE, video=replace(VIDEO, **change))
    argv = encode_args(turned, "a", [Rung(360, 1)], ChunkPlan(0, 0, 1, 0.0, 4.0), WORK)

    assert not {"-reinit_filter", "-noautorotate"} & {*argv}
    assert graph_of(turned).startswith("[0:0]setpts=")


def test_tracks_of_a_transport_stream_keep_their_offsets() -> None:
    """FFmpeg starts each process at its own first packet; the filters restore the difference."""
    source = replace(SOURCE, container="mpegts")

    assert "setpts=PTS+0.033367/TB" in graph_of(source)
    assert "asetpts=PTS+0.100000/TB,aresample" in " ".join(audio_args(source, "a.ts", TRACK, WORK))


def test_poster_of_an_audio_source_is_its_cover_or_none() -> None:
    sound = replace(SOURCE, video=None)

    assert poster_args(sound, "a", WORK / "p.jpg") is None
    argv = poster_args(replace(sound, cover_index=2), "a", WORK / "p.jpg")
    assert argv is not None
    assert argv[argv.index("-filter_complex") + 1].startswith("[0:2]")


def test_output_folders_are_in_the_order_of_rungs() -> None:
    assert output_directories(WORK, 2) == (Path("/encode/0"), Path("/encode/1"))
