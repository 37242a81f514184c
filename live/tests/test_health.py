from __future__ import annotations

from live.ingest.frames import Frame
from live.ingest.health import Health, Monitor

START = 1_700_000_000.0


def picture(number: int, *, gop: int = 30, size: int = 10_000, speed: float = 1, b_ms: int = 0) -> Frame:
    """The ``number``-th of 30 pictures a second, which arrives in time divided by ``speed``."""
    ms = number * 1000 // 30
    return Frame(
        "video",
        ms,
        bytes(size),
        START + ms / 1000 / speed,
        is_keyframe=number % gop == 0,
        composition_ms=b_ms,
    )


def watch(seconds: float, monitor: Monitor | None = None, **options: float) -> tuple[Monitor, float]:
    """A monitor of a 720p signal, and the time at which its last picture came."""
    monitor = monitor or Monitor()
    monitor.width_px, monitor.height_px = 1280, 720
    frames = [picture(number, **options) for number in range(int(seconds * 30) + 1)]  # type: ignore[arg-type]
    for frame in frames:
        monitor.note(frame)
    return monitor, frames[-1].arrived_at


def test_a_good_signal() -> None:
    monitor, now = watch(20)

    assert monitor.report(now) == Health(
        bitrate_bps=2_408_000,
        fps=30.0,
        width_px=1280,
        height_px=720,
        keyframe_interval_s=1.0,
        dropped_frames=0,
        verdict="good",
        advice=(),
    )


def test_rare_keyframes_are_said_while_the_second_is_still_awaited() -> None:
    monitor, now = watch(4, gop=300)

    report = monitor.report(now)

    assert (report.keyframe_interval_s, report.verdict) == (4.0, "keyframes_too_far")


def test_a_signal_that_comes_slower_than_it_plays_is_unstable() -> None:
    monitor, now = watch(6, speed=0.8)

    assert monitor.report(now).verdict == "unstable"


def test_a_pause_is_unstable_and_then_no_signal() -> None:
    monitor, now = watch(6)

    assert monitor.report(now + 2).verdict == "unstable"
    assert monitor.report(now + 4).verdict == "no_signal"
    assert monitor.report(now + 60).bitrate_bps == 0


def test_too_few_bits_for_the_size() -> None:
    monitor, now = watch(6, size=2_000)

    assert monitor.report(now).verdict == "low_bitrate"


def test_nothing_is_judged_in_the_first_seconds() -> None:
    monitor, now = watch(1, size=2_000, speed=0.5)

    assert monitor.report(now).verdict == "good"


def test_b_frames_are_an_advice_and_no_fault() -> None:
    monitor, now = watch(6, b_ms=66)

    report = monitor.report(now)

    assert (report.verdict, report.advice) == ("good", ("b_frames",))


def test_dropped_frames_are_counted_for_ever_and_judged_for_a_while() -> None:
    monitor, now = watch(6)
    monitor.note_dropped(12, now)

    assert monitor.report(now).verdict == "catching_up"
    watch(30, monitor)
    later = monitor.report(START + 30)

    assert (later.verdict, later.dropped_frames) == ("good", 12)


def test_the_worst_is_the_verdict_and_all_is_advice() -> None:
    monitor, now = watch(6, gop=300, size=2_000)
    monitor.is_failing = True

    report = monitor.report(now)

    assert report.verdict == "encoder_failing"
    assert report.advice == ("encoder_failing", "keyframes_too_far", "low_bitrate")


def test_before_anything_came_there_is_no_signal() -> None:
    assert Monitor().report(START).to_json() == {
        "bitrate_bps": 0,
        "fps": 0.0,
        "width_px": 0,
        "height_px": 0,
        "keyframe_interval_s": None,
        "dropped_frames": 0,
        "verdict": "no_signal",
        "advice": ["no_signal"],
    }
