"""What a card of a pair shows, and what is counted."""

from app.components import walk_pairs
from tests.app.test_walk_table import walk_of


def test_a_card_merges_repeats_marks_new_words_and_escapes():
    page = walk_pairs.example_html({"x": walk_of("a <b> .", "a <b> .", "a cat .")}, ("<i>in</i>", ""))
    assert "Source: &lt;i&gt;in&lt;/i&gt;" in page
    assert "Target" not in page
    assert page.count("a &lt;b&gt; .") == 1
    assert "t 0.00 – 0.50" in page
    assert page.count("<mark") == 1
    assert ">cat</mark>" in page
    assert "<b>" not in page


def test_a_card_names_the_models_where_there_are_two():
    walks = {"run <one>": walk_of("", "a"), "two": walk_of("b", "c")}
    page = walk_pairs.example_html(walks, ("", ""))
    assert "run &lt;one&gt;" in page
    assert "(an empty sentence)" in page
    assert "two" not in walk_pairs.example_html({"two": walks["two"]}, ("", ""))


def test_different_sentences_are_counted_for_each_model():
    examples = [
        {"lively": walk_of("a", "b", "c"), "deaf": walk_of("a", "a", "a")},
        {"lively": walk_of("a", "b", "b"), "deaf": walk_of("b", "b", "b")},
    ]
    said = walk_pairs.counted(examples)
    assert said == "Different sentences on a path of 3 steps, on average: 2.5 by lively; 1.0 by deaf."
    assert walk_pairs.counted([{"x": walk_of("a", "b")}]).endswith("on average: 2.0.")
