"""What the strip of sentences is given."""

import numpy as np
import pytest

from app import backend
from app.components import path_strip


def walk_of(*texts, shells=None, nearest=(), further=(), start=0.0, end=1.0, draws=()):
    n = len(texts)
    return backend.Walk(
        places=np.linspace(start, end, n).round(6).tolist(),
        codes=np.zeros((n, 2), np.float32),
        texts=list(texts),
        shells=shells or [0.0] * n,
        nearest=list(nearest),
        further=list(further),
        draws=list(draws),
    )


def test_repeats_are_one_row_with_their_stretch():
    reading = path_strip.reading(walk_of("a dog .", "a dog .", "a cat .", "a dog .", "a dog ."))
    assert [row["where"] for row in reading["rows"]] == ["t 0.00 – 0.25", "t 0.50", "t 0.75 – 1.00"]
    assert [row["first"] for row in reading["rows"]] == [0, 2, 3]
    assert [step["row"] for step in reading["steps"]] == [0, 0, 1, 2, 2]


def test_words_are_marked_that_the_sentence_before_did_not_have():
    rows = path_strip.reading(walk_of("a dog sleeps .", "a dog runs .", "a dog runs ."))["rows"]
    assert rows[0]["words"] == [("a dog sleeps .", "")]
    assert rows[1]["words"] == [("a dog", ""), ("runs", "new"), (".", "")]


def test_an_empty_sentence_is_a_row_without_words():
    rows = path_strip.reading(walk_of("", "a dog ."))["rows"]
    assert [row["words"] for row in rows] == [[], [("a dog .", "new")]]


def test_a_step_that_is_read_several_times_is_one_row_unless_every_draw_repeats():
    draws = [["a dog .", "x"], ["a dog .", "x"], ["a dog .", "y"], ["a cat .", "y"]]
    rows = path_strip.reading(walk_of(*(first for first, _ in draws), draws=draws))["rows"]
    assert [row["first"] for row in rows] == [0, 2, 3]
    assert [row["more"] for row in rows] == [[[("x", "")]], [[("y", "")]], [[("y", "")]]]
    assert [any(kind for _, kind in row["words"]) for row in rows] == [False, False, True]


def test_what_is_drawn_along_the_slider_is_within_its_range():
    walk = walk_of("a", "b", "c", shells=[0.0, -7.5, 1.0], nearest=[("x", 0.0), ("y", 3.25), ("z", 1.0)])
    shell, near = path_strip.lines(walk)
    assert shell["values"] == [0.0, -7.5, 1.0]
    assert (shell["low"], shell["high"], shell["band"]) == (-7.5, 7.5, [-2.0, 2.0])
    assert near["values"] == [0.0, 3.25, 1.0]
    assert near["name"].endswith("at most 3.2")
    assert (near["low"], near["high"]) == (0.0, 3.25)
    (alone,) = path_strip.lines(walk_of("a", "b"))
    assert (alone["low"], alone["high"]) == (-4.0, 4.0)


def test_places_before_a_carry_a_minus_sign():
    assert path_strip.reading(walk_of("a", "b", start=-0.5, end=1.5))["rows"][0]["where"] == "t −0.50"


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        (0.3, "As far from the origin as a typical random code."),
        (-2.0, "As far from"),
        (-4.4, "Nearer to the origin than random codes are, by 4.4 standard deviations"),
        (3.0, "Farther from the origin than random codes are, by 3.0"),
    ],
)
def test_how_typical_a_code_is_stands_in_words(shell, words):
    assert path_strip.typical(shell).startswith(words)


def test_the_nearest_sentence_is_named_with_its_distance():
    walk = walk_of("a", "b", nearest=[("the dog .", 0.0), ("the cat .", 2.34)])
    assert path_strip.near(walk, 0) == ("The code of a sentence of the map: ", "the dog .")
    assert path_strip.near(walk, 1) == ("Nearest on the map, 2.3 away: ", "the cat .")
    assert path_strip.near(walk_of("a"), 0) == ("", "")


def test_a_path_has_a_name_that_changes_with_what_it_says():
    assert path_strip.identity(walk_of("a", "b")) == path_strip.identity(walk_of("a", "b"))
    assert path_strip.identity(walk_of("a", "b")) != path_strip.identity(walk_of("a", "c"))
    assert path_strip.identity(walk_of("a", "b")) != path_strip.identity(walk_of("a", "b", end=2.0))
    assert path_strip.identity(walk_of("a", "b")) != path_strip.identity(walk_of("a", "b", draws=[["a", "c"]] * 2))


def test_several_near_sentences_are_listed_where_they_were_looked_for():
    near = {"nearest": [("the dog .", 0.0), ("the cat .", 2.34)], "further": [[("a" * 500, 4.0)], []]}
    steps = path_strip.reading(walk_of("a", "b", **near))["steps"]
    assert steps[0]["near"] == [("0.0", "the dog ."), ("4.0", "a" * 400 + "…")]
    assert steps[1]["near"] == []
    assert path_strip.reading(walk_of("a"))["steps"][0]["near"] == []


def test_a_strip_can_be_of_sentences_alone():
    walk = walk_of("a dog .", "a cat .")
    full, bare = path_strip.reading(walk), path_strip.reading(walk, distances=False)
    assert bare["rows"] == full["rows"]
    assert [step["row"] for step in bare["steps"]] == [0, 1]
    assert full["steps"][0]["typical"]
    assert not any(step[part] for step in bare["steps"] for part in ("typical", "lead", "quote", "near"))
