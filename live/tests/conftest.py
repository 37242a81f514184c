"""Fixtures of the ingest's tests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from live.tests.doorkeeping import door, server
from live.tests.ingesting import one_rung_below

__all__ = ["door", "one_rung_below", "server"]


@pytest.fixture(autouse=True)
def own_data_folder(settings: Any, tmp_path: Path) -> None:
    """Give each test its own ``DATA_DIR``: recordings that one test leaves on disk are not another's."""
    settings.DATA_DIR = tmp_path


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Yield the thread in which a recorder stores."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
