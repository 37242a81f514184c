"""How FFmpeg and ffprobe are told to open a source: one container, one protocol, known decoders."""

from __future__ import annotations

from .byteranges import is_remote
from .codecs import DECODER_WHITELIST


def input_args(url: str, container: str) -> list[str]:
    """Return FFmpeg's options that open ``url`` as ``container`` and as nothing else."""
    # ffprobe gives up altogether at a track outside the list, FFmpeg only looks at what it decodes.
    return ["-codec_whitelist", DECODER_WHITELIST, *probe_input_args(url, container)]


def probe_input_args(url: str, container: str) -> list[str]:
    """Return the same for ffprobe, which is to name the codecs we refuse."""
    return [
        # Our own sniffing chose the demuxer; FFmpeg's guess might be a playlist.
        "-f", container,
        # Demuxers that open another one inside (AVI's subtitles) may not either.
        "-format_whitelist", container,
        # Nothing the file names is fetched or read, only the file itself.
        "-protocol_whitelist", _protocols(url),
        # Streams that appear late in a TS; the same bounds in every call keep their numbers the same.
        "-probesize", "20M", "-analyzeduration", "20M",
        *_network_args(url),
        "-i", _address(url),
    ]  # fmt: skip


def _protocols(url: str) -> str:
    if url.startswith("https://"):
        return "https,tls,tcp,http"
    return "http,tcp" if is_remote(url) else "file"


def _network_args(url: str) -> list[str]:
    if not is_remote(url):
        return []
    return [
        # A silent storage is an error after 30 s, not a worker lost for ever.
        "-rw_timeout", "30000000",
        # Long encodes outlive connections: a paused FFmpeg finds its own one closed.
        "-reconnect", "1", "-reconnect_on_network_error", "1", "-reconnect_delay_max", "8",
    ]  # fmt: skip


def _address(url: str) -> str:
    # A path may begin with a dash or look like another protocol ("concat:a|b").
    return url if is_remote(url) else f"file:{url}"
