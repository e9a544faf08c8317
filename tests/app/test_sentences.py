import html
import re

from hypothesis import given
from hypothesis import strategies as st

from app.components import sentences


@given(st.text())
def test_text_never_becomes_markup(text):
    shown = sentences._text(text) + sentences._marked(text, text) + sentences._marked("a b", text)
    tags = set(re.findall(r"<[^>]*>", shown))
    assert all(tag.startswith(("<span style=", "<mark style=", "</span", "</mark")) for tag in tags)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80))
def test_all_words_of_a_sentence_are_shown(text):
    plain = html.unescape(re.sub(r"<[^>]*>", "", sentences._marked("something else", text)))
    assert plain.split() == text.split() or not text.strip()


def test_only_words_that_differ_are_marked():
    shown = sentences._marked("a boy is riding a bike", "a girl is riding a bike")
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", shown) == ["girl"]
    assert "<mark" not in sentences._marked("a boy", "a boy")


def test_a_long_sentence_is_cut_and_an_empty_one_said():
    assert len(sentences._text("x" * 10_000)) < 500
    assert "empty" in sentences._text("  ")
    assert "empty" in sentences._marked("a boy", "")


def test_escaped_text_has_no_live_markdown():
    assert sentences.escape(":red[x] $y$ *z*\n# w") == r"\:red\[x\] \$y\$ \*z\* \# w"
