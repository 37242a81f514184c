"""Tests of captions made from words: lengths, line breaks and times."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from videos.transcription.cues import LEAST_MS, LINE, MOST_MS, WIDE_LINE, Word, captions_of
from videos.transcription.languages import CODES, code_of, tag_of


def spoken(text: str, *, at_ms: int = 0, word_ms: int = 300) -> list[Word]:
    """Return the words of ``text``, each of the same length, without silence between them."""
    return [
        Word(at_ms + index * word_ms, at_ms + (index + 1) * word_ms, f" {word}")
        for index, word in enumerate(text.split())
    ]


def chinese(text: str, *, letter_ms: int = 200) -> list[Word]:
    return [Word(i * letter_ms, (i + 1) * letter_ms, letter) for i, letter in enumerate(text)]


def test_sentences_have_captions_of_their_own() -> None:
    words = spoken("We will learn how to upload a film. Then we will correct its captions.")

    cues = captions_of(words, "en").cues

    assert [cue.text for cue in cues] == [
        "We will learn how to upload a film.",
        "Then we will correct its captions.",
    ]


def test_long_sentence_is_broken_after_a_clause_and_into_two_lines() -> None:
    words = spoken(
        "Today we will learn how to upload a film, watch it while it is being encoded, "
        "and share it with friends"
    )

    cues = captions_of(words, "en").cues

    assert [cue.text for cue in cues] == [
        "Today we will learn how to upload a film,\nwatch it while it is being encoded,",
        "and share it with friends",
    ]


def test_silence_ends_a_caption() -> None:
    words = [*spoken("one two three four"), *spoken("five six seven eight", at_ms=3000)]

    cues = captions_of(words, "en").cues

    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in cues] == [
        (0, 1500, "one two three four"),
        (3000, 4500, "five six seven eight"),
    ]


def test_chinese_lines_are_short_and_never_begin_with_a_mark() -> None:
    text = "大家好，欢迎来到我们的视频平台，今天我们学习怎样上传视频，怎样修改字幕。"

    cues = captions_of(chinese(text), "zh-Hans").cues

    lines = [line for cue in cues for line in cue.text.split("\n")]
    assert "".join(lines) == text
    assert max(map(len, lines)) <= WIDE_LINE
    assert not any(line[0] in "，。" for line in lines)


def test_single_short_word_stays_for_a_second() -> None:
    (cue,) = captions_of([Word(5000, 5200, " Hello.")], "en").cues

    assert cue.end_ms - cue.start_ms == LEAST_MS


def test_words_without_text_make_no_caption() -> None:
    assert captions_of([Word(0, 500, "  ")], "en").cues == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 3000), st.text("ab.,。 文", min_size=1, max_size=9)),
        max_size=60,
    ),
    st.sampled_from(["en", "zh-Hans"]),
)
def test_captions_of_any_words_are_bounded_and_do_not_overlap(
    drawn: list[tuple[int, int, str]], language: str
) -> None:
    words, now_ms = [], 0
    for silence_ms, length_ms, text in drawn:
        words.append(Word(now_ms + silence_ms, now_ms + silence_ms + length_ms, f" {text}"))
        now_ms += silence_ms + length_ms

    cues = captions_of(words, language).cues

    line = WIDE_LINE if language == "zh-Hans" else LINE
    for cue in cues:
        assert 0 < cue.end_ms - cue.start_ms <= MOST_MS
        assert max(map(len, cue.text.split("\n"))) <= line
    for before, after in pairwise(cues):
        assert before.end_ms <= max(after.start_ms, before.start_ms + 1)
    letters = "".join(word.text for word in words).replace(" ", "")
    assert "".join(cue.text for cue in cues).replace("\n", "").replace(" ", "") == letters


def test_codes_and_tags_belong_together() -> None:
    assert (code_of("zh-Hant"), code_of("nb"), code_of("pt-BR"), code_of("tlh")) == ("zh", "no", "pt", None)
    assert (tag_of("zh"), tag_of("no"), tag_of("en"), tag_of("<x>")) == ("zh-Hans", "nb", "en", "und")
    assert all(code_of(tag_of(code)) == code for code in CODES)
