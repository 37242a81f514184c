from __future__ import annotations

import gc

import pytest

from common import garbage


@pytest.fixture(autouse=True)
def collector_as_it_was() -> object:
    thresholds = gc.get_threshold()
    yield
    gc.freeze()  # as conftest.py leaves it
    gc.set_threshold(*thresholds)


def test_objects_loaded_at_start_are_excluded_from_collections() -> None:
    gc.unfreeze()
    garbage.settle()

    assert gc.get_freeze_count() > 50_000
    assert len(gc.get_objects()) < gc.get_freeze_count()
    assert gc.get_threshold()[0] == garbage.THRESHOLDS[0]
