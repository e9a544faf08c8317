"""What the sliders are given."""

import json

import numpy as np
import pytest

from app import backend
from app.components import dials

TEXTS = ["a cat runs .", "a dog runs .", "a dog runs .", "a cat runs .", "two cats run .", ""]


def board_of(*, own=0, base=0, followers=(), texts=TEXTS):
    reading = backend.Reading(
        codes=np.zeros((len(texts), 2), np.float32),
        texts=texts,
        shells=[0.0, 0.0, 0.0, 0.0, 5.0, 0.0],
        nearest=[("the cat .", 1.5)] * len(texts),
    )
    dial = backend.Dial(name="z7", values=[-1.0, -0.5, 0.0, 0.25, 1.0], rows=[1, 2, 0, 3, 4], own=0, base=3)
    return backend.Board(reading=reading, own=own, base=base, dials=[dial], followers=list(followers))


def test_every_sentence_is_sent_once_with_its_new_words_marked():
    drawn = dials.drawing(board_of(), {})
    assert [" ".join(words for words, kind in said if kind != "gone") for said in drawn["sentences"]] == list(
        dict.fromkeys(TEXTS)
    )
    assert drawn["sentences"][1] == [("a", ""), ("dog", "new"), ("runs .", "")]
    assert [place for place, _ in drawn["rows"]] == [0, 1, 1, 0, 2, 3]
    assert drawn["before"]["words"] == [("a cat runs .", "")]


def test_what_is_said_beside_a_code_is_sent_once():
    drawn = dials.drawing(board_of(), {})
    assert len(drawn["facts"]) == 2
    typical, lead, quote = drawn["facts"][drawn["rows"][4][1]]
    assert typical.startswith("Farther from the origin")
    assert (lead, quote) == ("Nearest on the map, 1.5 away: ", "the cat .")


def test_a_strip_merges_repeats_and_marks_what_differs_from_the_base():
    (slider,) = dials.drawing(board_of(), {"z7": "KL 0.52"}, locked={"z7"})["dials"]
    assert [(each["first"], each["last"], each["where"]) for each in slider["strip"]] == [
        (0, 1, "−1.00 to −0.50"), (2, 3, "0.00 to +0.25"), (4, 4, "+1.00"),
    ]  # fmt: skip
    assert [words for words, kind in slider["strip"][0]["words"] if kind] == ["dog"]
    assert [words for words, kind in slider["strip"][2]["words"] if kind] == ["two cats run"]
    assert (slider["note"], slider["locked"], slider["own"], slider["base"]) == ("KL 0.52", True, 0, 3)


def test_sliders_are_lockable_where_it_is_said_which_are():
    for locked, expected in ((None, None), ((), False), (("z6",), False), (("z7",), True)):
        assert dials.drawing(board_of(), {}, locked)["dials"][0]["locked"] is expected


def test_followers_are_held_against_what_they_were():
    drawn = dials.drawing(board_of(followers=[[0, 1, 4, 2, 5]]), {}, inputs=["a big dog runs ."])
    (follower,) = drawn["followers"]
    assert follower["input"] == "a big dog runs ."
    rebuilt = drawn["asides"][follower["rebuilt"]]  # at the place of the slider's base, which is 3
    assert rebuilt == [("a", ""), ("big", "gone"), ("dog runs .", "")]
    said = [drawn["asides"][place] for place in follower["rows"]]
    assert said[0] == [("a", ""), ("cat", "new"), ("runs .", "")]
    assert said[3] == [("a dog runs .", "")]
    assert said[4] == []


@pytest.mark.parametrize(("value", "shown"), [(0.5, "+0.50"), (-2.0, "−2.00"), (0.0, "0.00"), (-0.001, "0.00")])
def test_values_carry_their_sign(value, shown):
    assert dials.signed(value) == shown


def test_a_board_has_a_name_that_changes_with_what_it_says():
    name = dials.drawing(board_of(), {})["id"]
    assert dials.drawing(board_of(), {})["id"] == name
    assert dials.drawing(board_of(), {}, locked=["z7"])["id"] != name
    assert dials.drawing(board_of(texts=[*TEXTS[:-1], "x"]), {})["id"] != name


def test_it_is_plain_json():
    json.dumps(dials.drawing(board_of(followers=[[0, 1, 2, 3, 4]]), {}, locked=[], inputs=["a"]), allow_nan=False)
