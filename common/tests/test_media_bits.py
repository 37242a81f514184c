"""The bit reader of decoder configurations."""

from __future__ import annotations

import pytest

from common.media.bits import BitReader, BrokenConfiguration


def bits(text: str) -> BitReader:
    """Return a reader of these bits, padded to whole bytes with zeros."""
    text = text.replace(" ", "")
    size = (len(text) + 7) // 8
    return BitReader(int(text.ljust(8 * size, "0"), 2).to_bytes(size))


def test_bits_are_taken_from_the_most_significant_on() -> None:
    reader = BitReader(bytes([0b1010_0011, 0b1100_0000]))

    assert [reader.take(count) for count in (1, 3, 6, 0, 6)] == [1, 0b010, 0b001111, 0, 0]


def test_reading_behind_the_end_is_an_error() -> None:
    reader = BitReader(b"\xff")
    reader.take(5)

    with pytest.raises(BrokenConfiguration):
        reader.take(4)
    with pytest.raises(BrokenConfiguration):
        BitReader(b"").take(1)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 0), ("010", 1), ("011", 2), ("00100", 3), ("00111", 6), ("0001000", 7), ("000000011111111", 254)],
)
def test_exp_golomb_number_has_as_many_zeros_as_further_bits(text: str, number: int) -> None:
    reader = bits(f"{text} 1")

    assert (reader.golomb(), reader.take(1)) == (number, 1)


@pytest.mark.parametrize(("text", "number"), [("1", 0), ("010", 1), ("011", -1), ("00100", 2), ("00101", -2)])
def test_signed_exp_golomb_numbers_alternate(text: str, number: int) -> None:
    assert bits(text).signed_golomb() == number


def test_longest_exp_golomb_number_has_32_zeros() -> None:
    assert bits("0" * 32 + "1" + "0" * 32).golomb() == 2**32 - 1
    with pytest.raises(BrokenConfiguration, match="32 bits"):
        bits("0" * 33 + "1" + "0" * 33).golomb()


def test_exp_golomb_number_that_is_cut_is_an_error() -> None:
    with pytest.raises(BrokenConfiguration, match="too early"):
        BitReader(b"\x00").golomb()
