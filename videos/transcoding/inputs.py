"""FFmpeg's and ffprobe's options for opening a source: one container, one protocol, known decoders."""

from __future__ import annotations

from .byteranges import is_remote
from .codecs import DECODER_WHITELIST


def input_args(url: str, container: str) -> list[str]:
    """Return FFmpeg's options that open ``url`` as ``container`` and as nothing else."""
    # For FFmpeg only: ffprobe fails at the first track outside the list.
    return ["-codec_whitelist", DECODER_WHITELIST, *probe_input_args(url, container)]


def probe_input_args(url: str, container: str) -> list[str]:
    """Return the same options for ffprobe, without the decoder list: it must name refused codecs, too."""
    protocols = "file"
    if is_remote(url):
        protocols = "https,tls,tcp,http" if url.startswith("https://") else "http,tcp"
    return [
        # Our own sniffing chose the demuxer; FFmpeg's guess might be a playlist.
        "-f", container,
        # Demuxers that open another one inside (AVI's subtitles) may only open this one.
        "-format_whitelist", container,
        # A new program map may renumber the streams in the middle; FFmpeg continues the old ones.
        *(["-merge_pmt_versions", "1"] if container == "mpegts" else []),
        # Nothing the file names is fetched or read, only the file itself.
        "-protocol_whitelist", protocols,
        # For streams that appear late in a TS; equal bounds in every call keep the indexes equal.
        "-probesize", "20M", "-analyzeduration", "20M",
        *_network_args(url),
        # A path may begin with a dash or look like another protocol ("concat:a|b").
        "-i", url if is_remote(url) else f"file:{url}",
    ]  # fmt: skip


def _network_args(url: str) -> list[str]:
    if not is_remote(url):
        return []
    return [
        # A silent storage becomes an error after 30 s instead of blocking a worker.
        "-rw_timeout", "30000000",
        # Long encodes outlive connections, and the storage closes that of a paused FFmpeg.
        "-reconnect", "1", "-reconnect_on_network_error", "1", "-reconnect_delay_max", "8",
    ]  # fmt: skip
