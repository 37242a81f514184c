"""The searched form of texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.folding import searchable


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Été à ZÜRICH", "ete a zurich"),
        ("Łódź Smørrebrød", "lodz smorrebrod"),
        ("STRASSE Straße", "strasse strasse"),
        ("Ελλάδα ΕΛΛΆΔΑ", "ελλαδα ελλαδα"),
        ("ＡＢＣ１２３", "abc123"),
        ("電腦與網絡", "电脑与网络"),
        ("臺灣風景", "台湾风景"),
        ("頭髮 發現", "头发 发现"),
        ("漢字かなガ", "汉字かなガ"),
        ("ｶﾞ", "ガ"),
        ("한국어", "한국어"),
        ("हिन्दी ไทย", "हिन्दी ไทย"),
        ("👩‍🚀", "👩‍🚀"),
    ],
)
def test_differences_of_case_width_accents_and_characters_are_removed(text: str, form: str) -> None:
    assert searchable(text) == form


@given(st.text())
def test_searched_form_of_any_text_stays_when_it_is_made_again(text: str) -> None:
    form = searchable(text)

    assert searchable(form) == form
