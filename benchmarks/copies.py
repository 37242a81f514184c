"""Copied H.264: the time until all of a film can be watched, and the cost of the rungs beside the copy.

The baselines are a copy of the source from S3 to S3, and one FFmpeg that encodes the
whole ladder from a local file.

.venv/bin/python -m benchmarks.copies [seconds ...]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import boto3
import httpx

from benchmarks import baseline, harness
from videos.transcoding.byteranges import range_reader
from videos.transcoding.chunks import plan_chunks, plan_grid
from videos.transcoding.copying.plan import tracks_of
from videos.transcoding.copying.segments import fetch, video_segment
from videos.transcoding.ffmpeg import encode_args, output_directories
from videos.transcoding.ladder import plan_beside_copy
from videos.transcoding.probe import probe
from videos.transcoding.sniff import HEAD_BYTES

COPY = "source.m3u8"
# The drawn clips have twice the bitrate of their rung, and still their copy stays.
FACTOR = 3.0


def media_uris(url: str) -> list[str]:
    """Return the URIs of the copy's segments and of all audio in a video's playlists."""
    text = httpx.get(url).text
    names = [
        COPY,
        *(line.partition('URI="')[2].partition('"')[0] for line in text.splitlines() if "AUDIO," in line),
    ]
    playlists = [httpx.get(urljoin(url, name)).text for name in names if name]
    return [line for playlist in playlists for line in playlist.splitlines() if not line.startswith("#")]


def watchable_s(on: harness.Platform, token: str, seconds: int) -> tuple[float, str, str]:
    """Return the seconds until all of the copy is stored, the video, and a signed URL of a segment."""
    video, parts = harness.send(on, token, harness.clip(seconds))
    started = time.monotonic()
    harness.complete(on, token, video, parts)
    harness.wait_for(on, token, video, "is_playable", True)
    url = on.api(token).get(f"videos/{video}/").json()["playback"]["hls_url"]
    while True:
        uris = media_uris(urljoin(on.url, url))
        # Segments that are not stored yet have addresses of the site, without a signature.
        if uris and all("X-Amz-Signature" in uri for uri in uris):
            return time.monotonic() - started, video, uris[0]
        time.sleep(0.1)


def s3_to_s3_s(on: harness.Platform, signed_url: str, video: str) -> float:
    """Return the seconds to read the source and to write it under another key, as one stream of parts."""
    keys = json.loads((on.data_dir / "s3.json").read_text())["identities"][0]["credentials"][0]
    where = urlsplit(signed_url)
    client: Any = boto3.client(
        "s3",
        endpoint_url=f"{where.scheme}://{where.netloc}",
        aws_access_key_id=keys["accessKey"],
        aws_secret_access_key=keys["secretKey"],
        region_name="us-east-1",
    )
    bucket = where.path.split("/")[1]
    started = time.monotonic()
    body = client.get_object(Bucket=bucket, Key=f"videos/{video}/source")["Body"]
    client.upload_fileobj(body, bucket, "benchmark/copy")
    taken_s = time.monotonic() - started
    client.delete_object(Bucket=bucket, Key="benchmark/copy")
    return taken_s


def cpu_s() -> float:
    """Return the processor time of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def beside_copy_cpu_s(path: Path) -> float:
    """Return the processor time to write the copy of ``path`` and to encode the rungs beside it."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    source = probe(str(path), head=head, size_bytes=path.stat().st_size)
    read = range_reader(str(path))
    began_s = cpu_s()
    tracks = tracks_of(source, read)
    for number in range(len(tracks.cuts)):
        (frames,) = fetch([(tracks.video.tables, tracks.frames(number))], read)
        video_segment(tracks, number, frames)
    rungs = plan_beside_copy(source, factor=FACTOR).rungs
    for chunk in plan_chunks(source, plan_grid(source)):
        after = len(tracks.cuts) if chunk.segment_count is None else chunk.first_segment + chunk.segment_count
        with tempfile.TemporaryDirectory() as folder:
            for output in output_directories(Path(folder), len(rungs)):
                output.mkdir(parents=True)
            cuts = tracks.source_cuts(chunk.first_segment, after)
            argv = encode_args(source, str(path), rungs, chunk, Path(folder), cuts=cuts)
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return cpu_s() - began_s


def main(lengths: list[int]) -> None:
    with harness.platform(COPY_BITRATE_FACTOR=str(FACTOR)) as on:
        token = harness.register(on)
        for seconds in lengths:
            taken_s, video, signed_url = watchable_s(on, token, seconds)
            floor_s = s3_to_s3_s(on, signed_url, video)
            harness.report(
                "copied_film",
                length_s=seconds,
                watchable_s=taken_s,
                s3_to_s3_s=floor_s,
                ratio=taken_s / floor_s,
            )
            on.api(token).delete(f"videos/{video}/").raise_for_status()
    path = harness.clip(60)
    began_s = cpu_s()
    baseline.whole_ladder_s(path)
    whole_s = cpu_s() - began_s
    beside_s = beside_copy_cpu_s(path)
    harness.report(
        "ladder_cpu", length_s=60, beside_copy_s=beside_s, one_ffmpeg_s=whole_s, ratio=beside_s / whole_s
    )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [60, 900, 7200])
