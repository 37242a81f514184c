from __future__ import annotations

import pytest

from videos.hls.bitrate import Bitrate, measured


@pytest.mark.parametrize(
    ("sizes_bytes", "durations_s", "bitrate"),
    [
        ([500_000, 1_000_000], [4, 4], Bitrate(2_000_000, 1_500_000)),
        # A short last segment is no peak: it is measured together with the one before it.
        ([500_000, 50_000], [4, 0.04], Bitrate(1_089_109, 1_089_109)),
        # Half of the target duration is enough.
        ([500_000, 500_000], [4, 2], Bitrate(2_000_000, 1_333_334)),
        # Short segments count together, up to one and a half times the target.
        ([100_000] * 4 + [400_000], [1, 1, 1, 1, 1], Bitrate(2_000_000, 1_280_000)),
        ([125_000], [0.5], Bitrate(2_000_000, 2_000_000)),
    ],
)
def test_peak_is_measured_over_about_one_target_duration(
    sizes_bytes: list[int], durations_s: list[float], bitrate: Bitrate
) -> None:
    assert measured(sizes_bytes, durations_s, 4) == bitrate


def test_bitrate_of_no_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="no time"):
        measured([], [], 4)
