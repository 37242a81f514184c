"""The time from "upload complete" to "ready", against one FFmpeg that encodes the same ladder.

.venv/bin/python -m benchmarks.ladder [seconds ...]
"""

from __future__ import annotations

import sys
import time

from benchmarks import baseline, harness


def measure(on: harness.Platform, token: str, seconds: int) -> float:
    video, parts = harness.send(on, token, harness.clip(seconds))
    started = time.monotonic()
    harness.complete(on, token, video, parts)
    harness.wait_for(on, token, video, "status", "ready")
    return time.monotonic() - started


def main(lengths: list[int]) -> None:
    with harness.platform() as on:
        token = harness.register(on)
        taken = {seconds: measure(on, token, seconds) for seconds in lengths}
    for seconds, taken_s in taken.items():
        floor_s = baseline.whole_ladder_s(harness.clip(seconds))
        harness.report(
            "whole_ladder", length_s=seconds, taken_s=taken_s, one_ffmpeg_s=floor_s, ratio=taken_s / floor_s
        )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [60])
