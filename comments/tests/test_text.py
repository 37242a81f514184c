"""Tests of text: cleaning before storage, and HTML on pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comments.text import Unshowable, clean, clean_line, gist, link_count, mentioned, to_html


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("  hello \r\nworld  ", "hello\nworld"),
        ("a\tb   c\u00a0\u00a0d", "a b c d"),
        ("one\n\n\n\n\ntwo", "one\n\ntwo"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\u202edetrevni", "detrevni"),
        ("Z" + "\u0335" * 30, "Z" + "\u0335" * 4),
        (" \n \u200b ", ""),
        ("\u0301\u0301", ""),
        ("\u3164\u2800 \u115f\uffa0", ""),
        ("\U000e0041\U000e007f\u034f", ""),
        ("\u2800 seen", "\u2800 seen"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("。。。", "。。。"),
    ],
)
def test_text_is_cleaned(written: str, stored: str) -> None:
    assert clean(written) == stored


@pytest.mark.parametrize("written", ["a\0b", "\x1b[31mred", "\ud800", "\x85"])
def test_control_characters_and_surrogates_are_refused(written: str) -> None:
    with pytest.raises(Unshowable):
        clean(written)


def test_clean_line_joins_lines() -> None:
    assert clean_line("a\nb\n\nc") == "a b c"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<b>&\"'</b>", "&lt;b&gt;&amp;&quot;&#x27;&lt;/b&gt;"),
        ("one\ntwo", "one<br>two"),
        ("at 1:23", 'at <a class="time-link" href="?t=83" data-seek="83">1:23</a>'),
        ("1:02:03!", '<a class="time-link" href="?t=3723" data-seek="3723">1:02:03</a>!'),
        ("看1：05处", '看<a class="time-link" href="?t=65" data-seek="65">1：05</a>处'),
        ("75:30", '<a class="time-link" href="?t=4530" data-seek="4530">75:30</a>'),
        ("16:9 and 1:75 and 1:2:3 and 12:34:56:78", "16:9 and 1:75 and 1:2:3 and 12:34:56:78"),
        ("hi @ALICE.", 'hi <a class="mention" href="/@Alice/">@ALICE</a>.'),
        ("谢谢@Alice你好", '谢谢<a class="mention" href="/@Alice/">@Alice</a>你好'),
        ("@nobody, me@alice.org", "@nobody, me@alice.org"),
    ],
)
def test_times_and_names_become_links_and_other_text_is_escaped(text: str, html: str) -> None:
    assert to_html(text, ["Alice"]) == html


@pytest.mark.parametrize(
    ("text", "url", "rest"),
    [
        ("see https://example.org/a?b=1&c=2.", "https://example.org/a?b=1&amp;c=2", "."),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)", ")"),
        ("看https://example.org/很好", "https://example.org/", "很好"),
        ("https://example.org/@alice/1:23", "https://example.org/@alice/1:23", ""),
    ],
)
def test_urls_become_nofollow_links(text: str, url: str, rest: str) -> None:
    html = to_html(text, ["alice"])

    assert f'<a href="{url}" rel="nofollow ugc noopener" target="_blank">{url}</a>{rest}' in html
    assert html.count("<a ") == 1


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://bank.example@evil.example/",
        "https://",
        "http:///x",
    ],
)
def test_unsafe_or_malformed_urls_are_not_links(text: str) -> None:
    assert "<a" not in to_html(text)


def test_time_beyond_the_length_is_text() -> None:
    html = to_html("0:59 1:00 1:00:00", (), 60)

    assert html.count("<a ") == 1
    assert html.endswith("</a> 1:00 1:00:00")


@given(st.text(max_size=200))
def test_html_has_only_generated_tags(text: str) -> None:
    html = to_html(text, ["alice"])

    ours = re.sub(r'<br>|</a>|<a (?:class="[a-z-]+" )?href="[^"<>]*"(?: [a-z-]+="[^"<>]*")*>', "", html)
    assert "<" not in ours
    assert ">" not in ours


@given(st.text(max_size=200))
def test_cleaning_is_idempotent(text: str) -> None:
    try:
        once = clean(text)
    except Unshowable:
        return
    assert clean(once) == once


_WALK = '<a class="hashtag" href="/search/?q=%E6%95%A3%E6%AD%A5">#散步#</a>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("#walk, by the sea", '<a class="hashtag" href="/search/?q=walk">#walk</a>, by the sea'),
        ("很#散步#开心", f"很{_WALK}开心"),
        ("a#b &#x27; C# ## #", "a#b &amp;#x27; C# ## #"),
        ("#1 of #2", "#1 of #2"),
        ("#<b>", "#&lt;b&gt;"),
        ("https://a.example/#walk", None),
        ("#" + "x" * 41, "#" + "x" * 41),
    ],
)
def test_hashtags_lead_to_the_search(text: str, shown: str | None) -> None:
    html = to_html(text)

    assert html == shown if shown else "hashtag" not in html


def test_mentions_are_distinct_and_not_taken_from_urls() -> None:
    assert mentioned("@Alice @alice @bob, https://example.org/@carol x@dave.org") == ("alice", "bob")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("none here. e.g. this/that", 0),
        ("https://a.example http://b.example", 2),
        ("www.example.com and t.me/x", 2),
        ("mail me@example.org/x", 0),
    ],
)
def test_links_without_scheme_are_counted(text: str, count: int) -> None:
    assert link_count(text) == count


def test_texts_that_differ_in_case_or_signs_have_the_same_gist() -> None:
    assert gist("Buy  NOW!!!") == gist("buy now") == gist("ＢＵＹ ｎｏｗ")
    assert gist("！！！") == gist("!!!")
