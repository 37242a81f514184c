from __future__ import annotations

from django.conf import settings

from live.ingest.frames import Frame
from live.ingest.health import CODES, Health, HealthMonitor

START = 1_700_000_000.0


def picture(number: int, *, gop: int = 30, size: int = 10_000, speed: float = 1, b_ms: int = 0) -> Frame:
    """Return the ``number``-th of 30 frames a second; it arrives at its time divided by ``speed``."""
    ms = number * 1000 // 30
    return Frame(
        "video",
        ms,
        bytes(size),
        START + ms / 1000 / speed,
        is_keyframe=number % gop == 0,
        composition_ms=b_ms,
    )


def sound(at_ms: int, arrived_at: float) -> Frame:
    return Frame("audio", at_ms, b"", arrived_at)


def watch(
    seconds: float, monitor: HealthMonitor | None = None, *, has_sound: bool = True, **options: float
) -> tuple[HealthMonitor, float]:
    """Return a monitor after ``seconds`` of a 720p signal, and the last frame's arrival time."""
    monitor = monitor or HealthMonitor()
    monitor.width_px, monitor.height_px = 1280, 720
    frames = [picture(number, **options) for number in range(int(seconds * 30) + 1)]  # type: ignore[arg-type]
    for frame in frames:
        monitor.record(frame)
        if has_sound:
            monitor.record(sound(frame.timestamp_ms, frame.arrived_at))
    return monitor, frames[-1].arrived_at


def test_steady_signal_is_good() -> None:
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


def test_rare_keyframes_are_reported_before_the_second_one() -> None:
    monitor, now = watch(4, gop=300)

    report = monitor.report(now)

    assert (report.keyframe_interval_s, report.verdict) == (4.0, "keyframes_too_far")


def test_signal_slower_than_real_time_is_unstable() -> None:
    monitor, now = watch(6, speed=0.8)

    assert monitor.report(now).verdict == "unstable"


def test_pause_is_unstable_and_then_no_signal() -> None:
    monitor, now = watch(6)

    assert monitor.report(now + 2).verdict == "unstable"
    assert monitor.report(now + 4).verdict == "no_signal"
    assert monitor.report(now + 60).bitrate_bps == 0


def test_bitrate_too_low_for_the_size_is_reported() -> None:
    monitor, now = watch(6, size=2_000)

    assert monitor.report(now).verdict == "low_bitrate"


def test_signal_is_good_in_its_first_seconds() -> None:
    monitor, now = watch(1, size=2_000, speed=0.5)

    assert monitor.report(now).verdict == "good"


def test_missing_audio_is_reported_until_it_arrives() -> None:
    monitor, now = watch(6, has_sound=False)

    assert (monitor.report(now).verdict, monitor.report(now).advice) == ("no_audio", ("no_audio",))
    monitor.record(sound(6000, now))
    assert monitor.report(now).verdict == "good"


def test_stopped_audio_is_reported_after_three_seconds() -> None:
    monitor, _now = watch(6)
    for number in range(180, 280):
        monitor.record(picture(number))

    assert monitor.report(START + 280 / 30).verdict == "no_audio"


def test_stopped_video_is_reported_while_audio_continues() -> None:
    monitor, now = watch(6)
    for number in range(40):
        monitor.record(sound(6000 + number * 100, now + number * 0.1))

    report = monitor.report(now + 4)

    assert report.verdict == "no_video"
    assert "no_audio" not in report.advice


def test_b_frames_are_advice_without_changing_the_verdict() -> None:
    monitor, now = watch(6, b_ms=66)

    report = monitor.report(now)

    assert (report.verdict, report.advice) == ("good", ("b_frames",))


def test_obstacles_to_copying_are_advice_without_changing_the_verdict() -> None:
    monitor, now = watch(6)
    monitor.obstacles = frozenset({"anamorphic", "open_gops", "interlaced"})

    report = monitor.report(now)

    assert (report.verdict, report.advice) == ("good", ("open_gops", "interlaced", "anamorphic"))


def test_recording_stopped_at_the_storage_limit_is_the_verdict() -> None:
    monitor, now = watch(6)
    monitor.is_storage_full = True

    assert (monitor.report(now).verdict, monitor.report(now).advice) == ("storage_full", ("storage_full",))


def test_every_advice_has_a_sentence() -> None:
    page = (settings.BASE_DIR / "templates/live/includes/health.html").read_text()

    assert [code for code in CODES if f'data-word="advice-{code}"' not in page] == []


def test_dropped_frames_stay_counted_and_affect_the_verdict_briefly() -> None:
    monitor, now = watch(6)
    monitor.record_dropped(12, now)

    assert monitor.report(now).verdict == "catching_up"
    watch(30, monitor)
    later = monitor.report(START + 30)

    assert (later.verdict, later.dropped_frames) == ("good", 12)


def test_worst_finding_is_the_verdict_and_all_are_advice() -> None:
    monitor, now = watch(6, gop=300, size=2_000)
    monitor.is_failing = True

    report = monitor.report(now)

    assert report.verdict == "encoder_failing"
    assert report.advice == ("encoder_failing", "keyframes_too_far", "low_bitrate")


def test_monitor_without_frames_reports_no_signal() -> None:
    assert HealthMonitor().report(START).to_json() == {
        "bitrate_bps": 0,
        "fps": 0.0,
        "width_px": 0,
        "height_px": 0,
        "keyframe_interval_s": None,
        "dropped_frames": 0,
        "verdict": "no_signal",
        "advice": ["no_signal"],
    }
