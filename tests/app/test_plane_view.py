"""What the drawing of a plane is given: tints, one table of sentences, facts of every cell, in JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app import backend
from app.backend import Cut
from app.components import plane_view
from app.components.path_strip import typical
from app.components.plane_view import Sign, Track
from app.palette import PALETTE

GRIDS = arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 6))


def seen(model, n=6):
    surface = backend.plane(model, Cut())
    return surface, backend.plane_field(model, surface, backend.plane_whole(model, surface, n=n))


def drawn(model, **extra):
    surface, field = seen(model)
    sentences = backend.plane_sentences(model)
    drawing = plane_view.drawing(field, surface, sentences, name="explored", **extra)
    return surface, field, json.loads(json.dumps(drawing))


@given(GRIDS)
def test_neighbours_differ_in_tint_while_there_are_colours_enough(cells):
    tints = plane_view.tints(cells)
    assert len(tints) == cells.max() + 1
    assert set(tints) <= set(range(len(PALETTE)))
    for one, other in ((cells[:, 1:], cells[:, :-1]), (cells[1:], cells[:-1])):
        for a, b in zip(one.ravel(), other.ravel(), strict=True):
            assert a == b or tints[a] != tints[b]


def test_many_sentences_with_few_neighbours_each_differ_from_them():
    cells = np.random.default_rng(0).permutation(144).reshape(12, 12)
    tint = np.array(plane_view.tints(cells))[cells]
    assert (tint[1:] != tint[:-1]).all()
    assert (tint[:, 1:] != tint[:, :-1]).all()


def test_more_neighbours_than_colours_are_tinted_all_the_same():
    cells = np.zeros((3, 30), int)
    cells[1, ::2] = np.arange(1, 16)
    tints = plane_view.tints(cells)
    assert tints[0] not in tints[1:]
    assert len(set(tints[1:])) == len(PALETTE) - 1


def test_the_drawing_reads_as_the_field(explored):
    model = backend.model("explored")
    _, field, drawing = drawn(model)
    texts, sentences = drawing["texts"], backend.codes(model)
    assert [texts[drawing["regions"][region]["text"]] for region in drawing["cells"]] == [
        field.texts[cell] for cell in field.cells.ravel()
    ]
    assert [texts[index] for index in drawing["nearest"]] == [sentences.texts[row] for row in field.nearest.ravel()]
    assert [drawing["typical"][index] for index in drawing["typicals"]] == [
        typical(round(shell, 1)) for shell in field.shells.ravel().tolist()
    ]
    assert drawing["apart"] == pytest.approx(field.apart.ravel().tolist(), abs=0.006)
    assert [value > 0 for value in drawing["aggregate"]] == [value > 1 for value in field.aggregate.ravel()]
    assert drawing["holes"] == field.holes.ravel().tolist()
    for region in drawing["regions"]:
        assert drawing["cells"][region["row"] * 6 + region["column"]] == drawing["regions"].index(region)


def test_the_codes_of_sentences_lie_where_they_do(explored, sentences):
    surface, _, drawing = drawn(backend.model("explored"))
    points, means = drawing["points"], backend.codes(backend.model("explored")).means
    rows = [sentences.index(drawing["texts"][text]) for text in points["text"]]
    where = surface.place(means[rows])
    assert points["x"] == pytest.approx(where[:, 0].tolist(), abs=1e-3)
    assert points["y"] == pytest.approx(where[:, 1].tolist(), abs=1e-3)
    assert points["away"] == pytest.approx(surface.distance(means[rows]).tolist(), abs=6e-3)
    assert points["away"] == sorted(points["away"], reverse=True)
    assert drawing["away"] == pytest.approx([min(points["away"]), max(points["away"])], abs=6e-3)


def test_of_many_codes_the_nearest_are_drawn(explored, monkeypatch):
    monkeypatch.setattr(plane_view, "POINTS", 10)
    surface, _, drawing = drawn(backend.model("explored"))
    every = np.sort(surface.distance(backend.codes(backend.model("explored")).means))
    assert drawing["points"]["away"] == pytest.approx(every[:10][::-1].tolist(), abs=6e-3)


def test_pins_marks_and_the_walk_are_signs(explored):
    _, _, drawing = drawn(
        backend.model("explored"),
        pins=[Sign(name="A", x=0.5, y=1.0)],
        marks=[Sign(name="1", x=0.0, y=0.0)],
        path=Track(id="p", x=[0.0, 1.0], y=[0.0, 2.0], position=1),
        shown=["labels"],
        whole=False,
    )
    assert drawing["pins"] == [{"name": "A", "x": 0.5, "y": 1.0}]
    assert drawing["marks"] == [{"name": "1", "x": 0.0, "y": 0.0}]
    assert drawing["path"] == {"id": "p", "x": [0.0, 1.0], "y": [0.0, 2.0], "position": 1}
    assert (drawing["shown"], drawing["whole"]) == (["labels"], False)


def test_what_the_browser_has_is_not_sent_again(explored):
    model = backend.model("explored")
    signs = {"pins": [Sign(name="A", x=0.5, y=1.0)], "shown": ["labels"], "whole": False}
    _, _, everything = drawn(model, **signs)
    _, _, other = drawn(model, **signs, held="another window")
    _, _, rest = drawn(model, **signs, held=everything["id"])
    assert other == everything
    assert rest == {name: everything[name] for name in ("id", "whole", "pins", "path", "shown")}
    assert len(json.dumps(rest)) < 500


def test_what_is_seen_has_one_name(explored):
    model = backend.model("explored")
    surface, field = seen(model)
    name = plane_view.identity(field, surface)
    assert name == plane_view.identity(field, surface)
    assert name != plane_view.identity(seen(model, 7)[1], surface)
    assert name != plane_view.identity(field, backend.plane(model, Cut(kind="dimensions")))


def test_a_model_without_sentences_is_drawn(explored):
    model = backend.model("~folder", str(explored.model_path))
    surface = backend.plane(model, Cut(kind="samples"))
    field = backend.plane_field(model, surface, backend.plane_whole(model, surface, n=5))
    drawing = json.loads(json.dumps(plane_view.drawing(field, surface, None, name="~folder")))
    assert (drawing["nearest"], drawing["aggregate"], drawing["holes"]) == (None, None, None)
    assert drawing["points"]["x"] == []
