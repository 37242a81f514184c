from __future__ import annotations

import re
from dataclasses import replace

import pytest

from live.llhls.playlist import (
    LISTED_S,
    ListedPart,
    LowLatencyPlaylist,
    RenditionInfo,
    Window,
    render_multivariant,
)
from live.llhls.segments import Shape

SHAPE = Shape(part_target_s=0.202, target_duration_s=1)
STARTED_AT = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def begun(shape: Shape = SHAPE) -> Window:
    return Window.empty(shape).with_epoch(0, STARTED_AT)


def grown(window: Window, segments: int, *, duration_s: float = 1.0, open_parts: int = 0) -> Window:
    parts = round(duration_s / 0.2)
    for _ in range(segments):
        msn = window.next_msn
        for number in range(parts):
            window = window.with_part(msn, number, ListedPart(0.2, is_independent=number == 0))
        window = window.with_end(msn, duration_s)
    for number in range(open_parts):
        msn = window.next_msn - (number > 0)
        window = window.with_part(msn, number, ListedPart(0.2, is_independent=number == 0))
    return window


def rendered(window: Window, *, is_delta: bool = False, **others: Window) -> str:
    return LowLatencyPlaylist("r0", window, others).render(is_delta=is_delta)


def tags(text: str, name: str) -> list[str]:
    return re.findall(rf"^#{name}:?(.*)$", text, re.MULTILINE)


def test_playlist_text_is_complete() -> None:
    window = grown(begun(), 1, duration_s=0.4)
    window = window.with_epoch(1, STARTED_AT + 60).with_part(1, 0, ListedPart(0.2, is_independent=True))

    assert rendered(window, r1=grown(begun(), 3)) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-TARGETDURATION:1\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6,HOLD-BACK=3,PART-HOLD-BACK=0.606\n"
        "#EXT-X-PART-INF:PART-TARGET=0.202\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="r0/init-0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n"
        '#EXT-X-PART:DURATION=0.2,URI="r0/0.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.2,URI="r0/0.1.m4s"\n'
        "#EXTINF:0.4,\n"
        "r0/0.m4s\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="r0/init-1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:20.000Z\n"
        '#EXT-X-PART:DURATION=0.2,URI="r0/1.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r0/1.1.m4s"\n'
        '#EXT-X-RENDITION-REPORT:URI="r1.m3u8",LAST-MSN=2,LAST-PART=4\n'
    )


def test_part_hold_back_is_three_part_targets_and_skip_boundary_six_target_durations() -> None:
    (control,) = tags(rendered(begun(Shape(0.169, 4))), "EXT-X-SERVER-CONTROL")

    assert control == "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,HOLD-BACK=12,PART-HOLD-BACK=0.507"


def test_target_duration_and_server_control_are_constant_while_the_window_moves() -> None:
    early, late = rendered(grown(begun(), 1)), rendered(grown(begun(), 60))

    for name in ("EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF"):
        assert tags(early, name) == tags(late, name)


def test_longer_gop_raises_the_target_duration_permanently() -> None:
    longer = grown(grown(begun(), 2), 1, duration_s=3.0)

    assert tags(rendered(longer), "EXT-X-TARGETDURATION") == ["3"]
    assert grown(longer, 60).target_duration_s == 3


def test_window_lists_about_half_a_minute() -> None:
    window = grown(begun(), 100, open_parts=2)

    listed_s = sum(segment.length_s for segment in window.segments)
    assert LISTED_S <= listed_s <= LISTED_S + 1 + 0.4
    assert tags(rendered(window), "EXT-X-MEDIA-SEQUENCE") == [str(window.segments[0].msn)]


def test_parts_are_listed_only_within_three_target_durations_of_the_edge() -> None:
    text = rendered(grown(begun(), 10, open_parts=2))

    assert re.findall(r'URI="r0/(\d+)\.0\.m4s"', text) == ["7", "8", "9", "10"]
    assert len(tags(text, "EXT-X-PART:")) == 3 * 5 + 2


def test_date_of_every_segment_follows_from_its_epochs_start() -> None:
    text = rendered(grown(grown(begun(), 2).with_epoch(1, STARTED_AT + 100.5), 2))

    assert tags(text, "EXT-X-PROGRAM-DATE-TIME") == [
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:21.000Z",
        "2023-11-14T22:15:00.500Z",
        "2023-11-14T22:15:01.500Z",
    ]


def test_discontinuities_that_left_the_window_are_counted_in_the_sequence() -> None:
    window = grown(grown(begun(), 2).with_epoch(1, 0.0), 29)
    first = rendered(window)
    second = rendered(grown(window, 1))
    third = rendered(grown(window, 2))

    assert [len(tags(text, "EXT-X-DISCONTINUITY$")) for text in (first, second, third)] == [1, 1, 0]
    assert [tags(text, "EXT-X-DISCONTINUITY-SEQUENCE") for text in (first, second, third)] == [
        ["0"],
        ["0"],
        ["1"],
    ]


def test_rendition_that_missed_an_epoch_has_the_same_discontinuity_count() -> None:
    one = grown(grown(begun(), 2).with_epoch(1, 0.0), 1)
    other = grown(begun(), 2).with_gaps(one.segments[2:])

    after = [grown(window.with_epoch(2, 0.0), 1).segments[-1] for window in (one, other)]

    assert [(segment.msn, segment.discontinuity) for segment in after] == [(3, 2), (3, 2)]


def test_lost_parts_are_gaps() -> None:
    window = grown(begun(), 2, open_parts=2).with_lost_part(1, 3).with_lost_part(2, 1)

    lines = rendered(window).splitlines()

    assert lines[lines.index("r0/1.m4s") - 2] == "#EXT-X-GAP"
    assert '#EXT-X-PART:DURATION=0.2,URI="r0/1.3.m4s",GAP=YES' in lines
    assert '#EXT-X-PART:DURATION=0.2,URI="r0/2.1.m4s",GAP=YES' in lines
    assert lines.count("#EXT-X-GAP") == 1


def hinted(window: Window) -> list[str]:
    return re.findall(r'PRELOAD-HINT:TYPE=PART,URI="r0/(.*)\.m4s"', rendered(window))


def test_next_part_is_hinted() -> None:
    assert hinted(grown(begun(), 2, open_parts=3)) == ["2.3"]


def test_first_part_of_the_next_segment_is_hinted_between_segments() -> None:
    assert hinted(grown(begun(), 2)) == ["2.0"]


def test_next_segment_is_hinted_once_the_open_one_is_as_long_as_the_last() -> None:
    window = grown(begun(), 2, open_parts=5)

    assert hinted(window) == ["3.0"]
    assert window.may_follow(3, 0)
    assert window.may_follow(2, 5)
    assert not window.may_follow(2, 6)


def test_first_part_is_hinted_in_an_empty_playlist() -> None:
    assert hinted(begun()) == ["0.0"]


def test_next_segment_is_hinted_while_the_publisher_is_away() -> None:
    assert hinted(grown(begun(), 1, open_parts=2).closed()) == ["2.0"]


def test_ended_playlist_has_no_hint_or_report() -> None:
    text = rendered(grown(begun(), 1, open_parts=2).ended(), r1=grown(begun(), 1))

    assert text.endswith("#EXTINF:0.4,\nr0/1.m4s\n#EXT-X-ENDLIST\n")


def test_every_other_rendition_is_reported() -> None:
    text = rendered(grown(begun(), 1), r1=grown(begun(), 1, open_parts=2), r2=begun())

    assert tags(text, "EXT-X-RENDITION-REPORT") == ['URI="r1.m3u8",LAST-MSN=1,LAST-PART=1']


def test_delta_update_skips_segments_beyond_six_target_durations_from_the_edge() -> None:
    window = grown(begun(), 10, open_parts=1)
    text = rendered(window, is_delta=True)

    assert tags(text, "EXT-X-SKIP") == ["SKIPPED-SEGMENTS=4"]
    assert re.findall(r"^r0/(\d+)\.m4s$", text, re.MULTILINE) == ["4", "5", "6", "7", "8", "9"]
    assert tags(text, "EXT-X-MEDIA-SEQUENCE") == ["0"]


def test_delta_update_repeats_the_init_segment() -> None:
    lines = rendered(grown(begun(), 10), is_delta=True).splitlines()

    assert lines[lines.index("#EXT-X-SKIP:SKIPPED-SEGMENTS=4") + 1] == '#EXT-X-MAP:URI="r0/init-0.mp4"'


def test_delta_update_with_nothing_to_skip_is_the_whole_playlist() -> None:
    window = grown(begun(), 6)

    assert rendered(window, is_delta=True) == rendered(window)


@pytest.mark.parametrize(("msn", "number"), [(2, 3), (2, 1), (1, 0), (3, 1), (4, 0)])
def test_part_out_of_order_is_refused(msn: int, number: int) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        grown(begun(), 2, open_parts=2).with_part(msn, number, ListedPart(0.2))


def test_segment_that_is_not_open_cannot_end() -> None:
    with pytest.raises(ValueError, match="not open"):
        grown(begun(), 2).with_end(1, 1.0)


def test_next_segment_closes_the_open_one() -> None:
    window = grown(begun(), 1, open_parts=3).with_part(2, 0, ListedPart(0.2))

    assert [segment.duration_s for segment in window.segments] == [1.0, pytest.approx(0.6), None]


def test_window_is_equal_after_a_json_round_trip() -> None:
    window = grown(grown(begun(), 9).with_epoch(1, STARTED_AT + 60), 2, open_parts=3).with_lost_part(10, 1)

    assert Window.from_json(window.to_json()) == window
    assert Window.from_json(begun().to_json()) == begun()


def test_window_json_is_below_3000_bytes() -> None:
    window = grown(begun(Shape(0.202, 1)), 100, open_parts=4)

    assert len(window.to_json()) < 3000


def test_multivariant_playlist_lists_renditions_best_first() -> None:
    info = RenditionInfo("avc1.64001f,mp4a.40.2", 1280, 720, 3_000_000, 29.97)
    small = replace(info, width_px=640, height_px=360, bandwidth_bps=900_000, codecs="avc1.64001e,mp4a.40.2")

    assert render_multivariant({"r0": info, "r1": small}) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS="avc1.64001f,mp4a.40.2",'
        "RESOLUTION=1280x720,FRAME-RATE=29.970\n"
        "r0.m3u8\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.64001e,mp4a.40.2",'
        "RESOLUTION=640x360,FRAME-RATE=29.970\n"
        "r1.m3u8\n"
    )
