"""Recorded segments on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from common import disk
from live.recording import spool as spool_module
from live.recording.spool import (
    Spool,
    SpoolFull,
    forget,
    is_held,
    left_behind,
    leftovers,
)


def test_spool_without_disk_space_refuses_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "has_room", lambda: False)

    with pytest.raises(SpoolFull):
        Spool(10_000).folder("b1").store(0, {}, {"r0": b"1"})


@pytest.mark.redis
def test_spooled_segments_are_held_while_their_folder_is_open() -> None:
    folder = Spool(10_000).folder("b2")
    kept = folder.store(7, {}, {"r0": b"1"})

    assert (left_behind(), is_held("b2"), is_held("b2", before_msn=7)) == (set(), True, False)
    assert dict(kept) == {"r0": b"1"}
    folder.close()
    assert (left_behind(), is_held("b2")) == ({"b2"}, False)
    forget("b2")


@pytest.mark.redis
def test_segments_left_behind_count_towards_the_disk_budget() -> None:
    kept = Spool(3).folder("b5").store(0, {}, {"r0": b"12"})
    left = Spool(10_000).folder("b6")
    whole = left.store(0, {}, {"r0": b"1"})

    with pytest.raises(SpoolFull):
        Spool(3).folder("b7").store(0, {}, {"r0": b"3"})

    del kept
    left.close()
    assert whole.path.exists()
    forget("b6")
    assert Spool(3).folder("b7").store(0, {}, {"r0": b"3"})


@pytest.mark.redis
def test_folder_is_not_left_behind_while_it_is_being_created(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def make(prefix: str, dir: Path) -> str:  # noqa: A002 (the name in tempfile)
        made = make_folder(prefix=prefix, dir=dir)
        forget("b8")
        seen.append(left_behind())
        return made

    make_folder = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", make)
    folder = Spool(10_000).folder("b8")

    stored_bytes = folder.store(0, {}, {"r0": b"1"})

    assert (seen, dict(stored_bytes)) == ([set()], {"r0": b"1"})
    del stored_bytes
    folder.close()
    assert left_behind() == set()


@pytest.mark.redis
def test_spooled_segment_that_is_cut_is_left_out() -> None:
    folder = Spool(10_000).folder("b4")
    whole, cut = (folder.store(msn, {}, {"r0": b"12"}) for msn in range(2))
    folder.close()
    cut.path.write_bytes(cut.path.read_bytes()[:-1])

    with leftovers("b4") as found:
        assert [segment.msn for segment in found] == [0]
    forget("b4")
    assert not whole.path.exists()


@pytest.mark.redis
def test_spooled_broadcast_is_held_for_other_hosts_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Spool(10_000).folder("b3")
    kept = folder.store(7, {}, {"r0": b"1"})
    assert kept

    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(spool_module, "_root", lambda: disk.work_folder())
        elsewhere.setattr("socket.gethostname", lambda: "another")
        assert (is_held("b3"), is_held("b3", before_msn=7)) == (True, False)
    folder.close()
    forget("b3")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "another")
        assert not is_held("b3")
