"""Two thousand randomly damaged files: the outcome and the time of each, against the undamaged files.

    .venv/bin/python -m benchmarks.mutations [number of files]
    .venv/bin/python -m benchmarks.mutations media SEED     one again, or `captions SEED`

The sources are the small files of ``MEDIA_CORPUS`` and ``CAPTION_CORPUS``, or generated
clips.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks import harness
from videos.tests.damaged import caption_outcome, caption_sources, damaged, media_outcome, media_sources
from videos.tests.outcomes import UploadOutcome
from videos.tests.trap import listening

SEED_OF_THE_WHOLE = -1
SLOWEST = 5
SOURCES: dict[str, Callable[[Path], list[Path]]] = {"media": media_sources, "captions": caption_sources}


@dataclass(frozen=True, slots=True)
class MutatedFile:
    """One file to try: damaged by ``seed``, or undamaged for SEED_OF_THE_WHOLE."""

    kind: str
    path: Path
    seed: int
    sources: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome and duration of a case, and the peak memory of any child of its process so far."""

    outcome: UploadOutcome
    took_s: float
    memory_mb: float


def attempt(case: MutatedFile) -> Trial:
    whole = case.seed == SEED_OF_THE_WHOLE
    data = case.path.read_bytes() if whole else damaged(case.sources, case.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if case.kind == "media":
            outcome = media_outcome(data, Path(folder))
        else:
            outcome = caption_outcome(data, case.seed, Path(folder))
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Trial(outcome, time.monotonic() - began, memory_mb)


def try_all(name: str, cases: Sequence[MutatedFile]) -> float:
    """Try ``cases`` in parallel processes and print the outcomes; return the sum of their seconds."""
    with listening() as visitors, ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        futures = [pool.submit(attempt, case) for case in cases]
        trials = [_result(future) for future in futures]
    took_s = sum(trial.took_s for trial in trials)
    codes = Counter(trial.outcome.code or "plays" for trial in trials)
    harness.report(
        name,
        files=len(trials),
        faulty=sum(bool(trial.outcome.faults) for trial in trials),
        fetched=len(visitors),
        mean_s=took_s / max(1, len(trials)),
        memory_mb=max((trial.memory_mb for trial in trials), default=0.0),
        **dict(codes.most_common()),
    )
    pairs = list(zip(cases, trials, strict=True))
    for case, trial in sorted(pairs, key=lambda pair: -pair[1].took_s)[:SLOWEST]:
        outcome = trial.outcome
        harness.report(
            f"  slowest {case.kind} {case.seed} {case.path.name}",
            took_s=trial.took_s,
            outcome=outcome.code or f"{outcome.played_s:.1f} s play",
        )
    for case, trial in pairs:
        for fault in trial.outcome.faults:
            harness.report(f"  FAULT {case.kind} {case.seed} {case.path.name}", fault=fault)
    return took_s


def _result(future: Future[Trial]) -> Trial:
    """Return the trial, or a trial whose fault is the escaped exception."""
    escaped = future.exception()
    if escaped is None:
        return future.result()
    return Trial(UploadOutcome("escaped", faults=(f"{type(escaped).__name__}: {escaped}",)), 0.0, 0.0)


def main(count: int, folder: Path) -> None:
    counts = {"media": count * 9 // 10, "captions": count - count * 9 // 10}
    for kind, make_sources in SOURCES.items():
        sources = make_sources(folder / kind)
        whole = [MutatedFile(kind, path, SEED_OF_THE_WHOLE, sources) for path in sources]
        cases = [
            MutatedFile(kind, sources[seed % len(sources)], seed, sources) for seed in range(counts[kind])
        ]
        baseline_s = try_all(f"mutations {kind} whole", whole) / max(1, len(whole))
        mean_s = try_all(f"mutations {kind} damaged", cases) / max(1, len(cases))
        harness.report(f"mutations {kind}", time_ratio=mean_s / baseline_s)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as clips:
        match sys.argv[1:]:
            case [("media" | "captions") as only, seed]:
                found = SOURCES[only](Path(clips))
                one = MutatedFile(only, found[int(seed) % len(found)], int(seed), found)
                print(one.path.name, attempt(one))
            case arguments:
                main(int(arguments[0]) if arguments else 2000, Path(clips))
