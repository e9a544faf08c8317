import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components import sentences


@given(st.text())
def test_text_never_becomes_markup(text):
    shown = sentences._text(text) + sentences._marked(text, text) + sentences._marked("a b", text)
    tags = set(re.findall(r"<[^>]*>", shown))
    assert all(tag.startswith(("<span style=", "<span role=", "<mark style=", "</span", "</mark")) for tag in tags)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80))
def test_all_words_of_a_sentence_are_shown(text):
    plain = html.unescape(re.sub(r"<[^>]*>", "", sentences._marked("something else", text)))
    assert plain.split() == text.split() or not text.strip()


def test_only_words_that_differ_are_marked():
    shown = sentences._marked("a boy is riding a bike", "a girl is riding a bike")
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", shown) == ["girl"]
    assert "<mark" not in sentences._marked("a boy", "a boy")


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        ("a dog runs .", "a dog runs .", [("a dog runs .", "")]),
        ("a dog runs .", "a big dog sleeps .", [("a", ""), ("big", "new"), ("dog", ""), ("sleeps", "new"), (".", "")]),
        ("a black dog is here .", "a dog is here .", [("a", ""), ("black", "gone"), ("dog is here .", "")]),
        ("now a dog runs here", "a dog runs", [("now", "gone"), ("a dog runs", ""), ("here", "gone")]),
        ("", "two words", [("two words", "new")]),
        ("two words", " ", []),
        ("a a a b", "a b b", [("a a", "gone"), ("a b", ""), ("b", "new")]),
    ],
)
def test_words_are_the_same_new_or_gone(before, after, runs):
    assert sentences.compared(before, after) == runs


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_runs_hold_both_sentences(before, after):
    runs = sentences.compared(" ".join(before), " ".join(after))
    assert " ".join(words for words, kind in runs if kind != "gone").split() == after
    assert ([kind for _, kind in runs] == [""]) is (before == after != [])


def test_a_place_where_words_are_gone_has_a_mark_that_says_which():
    shown = sentences._marked("several young <blue> birds", "several young birds")
    assert 'aria-label="left out: &lt;blue&gt;"' in shown
    assert re.sub(r"<[^>]*>", "", shown) == "several young birds"  # and is no part of the sentence
    assert "left out" not in sentences._marked("a boy", "a girl")
    assert "left out" not in sentences._marked("x " * 300, "x " * 250)  # both are cut where they are the same


def test_a_long_sentence_is_cut_and_an_empty_one_said():
    assert len(sentences._text("x" * 10_000)) < 500
    assert "empty" in sentences._text("  ")
    assert "empty" in sentences._marked("a boy", "")


def test_escaped_text_has_no_live_markdown():
    assert sentences.escape(":red[x] $y$ *z*\n# w") == r"\:red\[x\] \$y\$ \*z\* \# w"
