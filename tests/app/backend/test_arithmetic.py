import contextlib
import io
import json

import numpy as np
import pytest

from app import backend
from app.backend import Group
from app.backend.models import encode_all

A, B, C = "two women is riding a bus .", "a man is riding a bus .", "an old dog waits for 'it' ."
LEFT, RIGHT = Group(texts=("a man is riding it .", "a man waits for a bus .")), Group(texts=("nobody is riding it .",))
DOGS, MEN = Group(label="subject", value="an old"), Group(label="subject", value="a man")


def printed(python):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(python, {})
    return said.getvalue().split("\n")[:-1]


def said_of(board):
    dial = board.dials[0]
    rows = zip(dial.values, dial.rows, strict=True)
    return "\n".join(f"{value:+.2f}  {board.reading.texts[row]}" for value, row in rows).split("\n")


def test_a_list_is_a_sentence_a_line():
    assert backend.examples(" a dog .\n\n\ta cat .\r\n") == ("a dog .", "a cat .")
    for text in ("", " \n\t", "x\n" * 201):
        with pytest.raises(ValueError, match=r"^A list [^\n]*$"):
            backend.examples(text)


def test_strengths_are_round_and_have_a_zero():
    assert backend.strengths(-0.5, 0.5, 0.25) == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert backend.strengths(0, 2, 0.1)[3] == 0.3
    assert 0.0 in backend.strengths(-3, 3, 0.25)
    assert "-0.0" not in map(str, backend.strengths(-0.3, 0.3, 0.1))


def test_at_one_it_is_a_minus_b_plus_c(model):
    along = backend.strengths(0, 2, 0.5)
    board = backend.analogy(model, A, B, C, along, 1.0)
    a, b, c = encode_all(model, (A, B, C))
    dial = board.dials[0]
    codes = board.reading.codes[dial.rows]
    assert dial.values == along
    assert codes[0] == pytest.approx(c, abs=1e-6)
    assert codes[2] == pytest.approx(a - b + c, abs=1e-5)
    assert codes[4] == pytest.approx(2 * a - 2 * b + c, abs=1e-5)
    assert (dial.own, dial.base) == (2, 0)
    assert (board.own, board.base) == (dial.rows[2], dial.rows[0])
    assert board.followers == []


@pytest.mark.parametrize(("texts", "name"), [((" ", B, C), "A"), ((A, "", C), "B"), ((A, B, "\t"), "C")])
def test_an_empty_sentence_is_named(model, texts, name):
    with pytest.raises(ValueError, match=f"^{name} is an empty sentence"):
        backend.analogy(model, *texts, [0.0, 1.0], 1.0)


def test_the_strength_that_is_asked_for_is_the_nearest_there_is(model):
    assert backend.analogy(model, A, B, C, [0.0, 1.0, 2.0], 1.7).dials[0].own == 2
    assert backend.analogy(model, A, B, C, [0.0, 1.0, 2.0], -9).dials[0].own == 0


def test_a_direction_leads_from_mean_to_mean(model):
    known = backend.codes(model)
    rows = {value: (known.labels["subject"] == value).to_numpy() for value in ("an old", "a man")}
    means = {value: known.means[own].mean(0) for value, own in rows.items()}
    found = backend.direction(model, DOGS, MEN)
    assert found.sizes == (rows["an old"].sum(), rows["a man"].sum()) == (20, 20)
    assert found.length == pytest.approx(np.linalg.norm(means["a man"] - means["an old"]), rel=1e-5)
    along = [-1.0, 0.0, 1.0]
    board = backend.steered(model, DOGS, MEN, C, [5, 9], along, 1.0)
    starts = [encode_all(model, (C,))[0], known.means[5], known.means[9]]
    for start, places in zip(starts, [board.dials[0].rows, *board.followers], strict=True):
        for strength, row in zip(along, places, strict=True):
            moved = start + strength * (means["a man"] - means["an old"])
            assert board.reading.codes[row] == pytest.approx(moved, abs=1e-5)
    assert board.dials[0].base == 1


def test_everything_is_decoded_in_one_batch(model, monkeypatch):
    from app.backend import models

    calls = []
    monkeypatch.setattr(models, "decode", lambda of, codes, how=None: calls.append(len(codes)) or ["x"] * len(codes))
    backend.steered(model, LEFT, RIGHT, C, backend.witnesses(model, 0), backend.strengths(-3, 3, 0.25), 1.0)
    assert calls == [25 * 6]


def test_witnesses_are_drawn_by_their_seed(model, explored):
    assert backend.witnesses(model, 1) == backend.witnesses(model, 1) != backend.witnesses(model, 2)
    assert len(set(backend.witnesses(model, 1))) == 5
    explored.latents_path.unlink()
    assert backend.witnesses(model, 1) == []


def test_the_values_of_a_label_come_with_their_counts(model):
    assert backend.label_values(model, "subject") == dict.fromkeys(
        ["a man", "two women", "the boy", "an old", "three girls", "nobody is", "nobody waits"], 20
    ) | {"nobody is": 15, "nobody waits": 5}


def test_the_python_of_an_analogy_prints_the_same(model):
    along = backend.strengths(0, 2, 0.25)
    python = backend.analogy_python(model, f" {A} ", B, C, along)
    assert printed(python) == said_of(backend.analogy(model, f" {A} ", B, C, along, 0))


@pytest.mark.parametrize("groups", [(LEFT, RIGHT), (DOGS, MEN), (LEFT, MEN)])
def test_the_python_of_a_direction_prints_the_same(model, groups):
    along = backend.strengths(-2, 2, 0.5)
    assert printed(backend.steered_python(model, *groups, C, along)) == said_of(
        backend.steered(model, *groups, C, [1, 2], along, 0)
    )


def test_sentences_without_a_value_are_a_group_too(explored, make_space, sentences, typed):
    import pandas as pd

    from vae import latents

    labels = [None if "bus" in text else "" if "ball" in text else "x" for text in sentences]
    latents.write_latents(explored, make_space(), pd.DataFrame({"text": sentences, "thing": labels}))
    model = backend.model("explored")
    groups = Group(label="thing", value="none"), Group(label="thing", value="x")
    assert backend.direction(model, *groups).sizes == (48, 72)
    along = [0.0, 1.0, 2.0]
    assert printed(backend.steered_python(model, *groups, C, along)) == said_of(
        backend.steered(model, *groups, C, [], along, 0)
    )
    document = json.loads(typed(f"{backend.steered_command(model, *groups, C, along)} --json"))
    assert document["sizes"] == [48, 72]
    assert document["length"] == pytest.approx(backend.direction(model, *groups).length, rel=1e-5)


@pytest.mark.parametrize("texts", [(f" {A} ", B, C), ("-x", "--from", 'say "no" to $5 & more!')], ids=["plain", "odd"])
def test_the_command_of_an_analogy_prints_the_same(model, typed, texts):
    for along in (backend.strengths(0, 2, 0.25), backend.strengths(-0.3, 0.3, 0.1)):
        said = typed(backend.analogy_command(model, *texts, along))
        assert said.split("\n")[:-1] == said_of(backend.analogy(model, *texts, along, 0))


@pytest.mark.parametrize("groups", [(LEFT, RIGHT), (DOGS, MEN), (LEFT, MEN)])
def test_the_command_of_a_direction_prints_the_same(model, typed, groups):
    along = backend.strengths(-2, 2, 0.5)
    said = typed(backend.steered_command(model, *groups, C, along))
    assert said.split("\n")[:-1] == said_of(backend.steered(model, *groups, C, [1, 2], along, 0))


def test_what_is_no_line_to_type_has_no_command(model):
    along = backend.strengths(-2, 2, 0.5)
    assert backend.steered_command(model, Group(rows=(1, 2)), MEN, C, along) is None
    many = Group(texts=("a man is riding a bus to the red bicycle in the park .",) * 200)
    assert backend.steered_command(model, many, MEN, C, along) is None
    assert len(backend.steered_command(model, Group(texts=many.texts[:90]), MEN, C, along)) < 8000
