"""Tests that ``docs/limits.md`` lists every rate and every price."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from common import rates

SECTION = (Path(settings.BASE_DIR) / "docs" / "limits.md").read_text()
SECTION = SECTION.partition("## Rates and prices")[2].partition("\n## ")[0]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_every_rate_is_documented() -> None:
    found = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| .+ \|$", SECTION, re.MULTILINE)

    documented = {name: (number(units), number(period_s)) for name, units, period_s in found}

    assert documented == {name: (rate.units, rate.period_s) for name, rate in rates.RATES.items()}


def test_every_price_is_documented() -> None:
    found = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| [^|]+ \|$", SECTION, re.MULTILINE)
    amounts = {name: value for name, value in vars(rates).items() if name.endswith("_A_UNIT")}

    assert {name: number(units) for name, units in found} == rates.PRICES | amounts


@pytest.mark.parametrize(
    ("length", "units"),
    [
        ("", 0),
        ("0", 0),
        ("65535", 0),
        ("65536", 1),
        (str(5 * 1024**2), 80),
        ("-1", 0),
        ("\u0663", 0),
        ("x", 0),
    ],
)
def test_body_price_depends_on_its_length(length: Any, units: int) -> None:
    assert rates.body_price({"CONTENT_LENGTH": length}) == units
