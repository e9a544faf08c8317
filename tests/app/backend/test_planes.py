"""Planes behind the door: fields that read what the space says, pins on their cells, and Python that agrees."""

import contextlib
import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app import backend
from app.backend import Cut

CUTS = {
    "principal": Cut(),
    "dimensions": Cut(kind="dimensions", pair=(3, 1)),
    "dimensions through": Cut(kind="dimensions", pair=(0, 2), texts=("an old dog waits for 'it' .",)),
    "sentences": Cut(kind="sentences", texts=("the boy is riding it .", " a cat sleeps . ", "an old dog waits .")),
    "samples": Cut(kind="samples", seed=4),
}


@pytest.fixture
def snapshot(explored, make_space):
    """The same run with other weights at step 7."""
    make_space(seed=3).model.save_pretrained(explored.path / "snapshots" / "step-7")
    return backend.model("explored", snapshot=7)


def field_of(model, cut, n=6):
    surface = backend.plane(model, cut)
    window = backend.plane_whole(model, surface, backend.plane_spanning(model, cut), n)
    return surface, backend.plane_field(model, surface, window)


@given(st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(1e-9, 5000), st.integers(1, 80))
def test_the_middle_of_every_cell_can_be_written_down(x, y, width, n):
    window = backend.plane_window(x, y, width, n)
    places = window.places
    assert len(places) == n * n
    assert [float(f"{value:.3f}") for value in places.ravel()] == places.ravel().tolist()
    steps = np.diff(places.reshape(n, n, 2)[0, :, 0])
    assert np.allclose(steps, window.cell, atol=1e-9)
    assert places.mean(0) == pytest.approx((window.x, window.y), abs=1e-6)


def test_a_window_is_the_one_asked_for():
    window = backend.plane_window(0.5, -1.25, 4.0, 40)
    assert (window.x, window.y, window.cell, window.n) == (0.5, -1.25, 0.1, 40)
    assert backend.plane_window(0, 0, 1e-9, 40).cell == 0.002
    assert backend.plane_window(window.x, window.y, window.width, 40) == window


def test_every_cell_reads_what_the_space_says_of_its_middle(model):
    space = backend.models.space(model)
    for cut in CUTS.values():
        surface, field = field_of(model, cut)
        codes = torch.tensor(surface.code(field.window.places), dtype=torch.float32)
        read = [field.texts[cell] for cell in field.cells.ravel()]
        assert read == space.decode(codes)
        assert read[::15] == [space.decode(code[None])[0] for code in codes[::15]]
        assert len(set(field.texts)) == len(field.texts) == field.cells.max() + 1
        counts = np.bincount(field.cells.ravel()).tolist()
        assert counts == sorted(counts, reverse=True)


def test_a_field_knows_what_is_near(model, sentences):
    from vae import explore

    surface, field = field_of(model, CUTS["samples"])
    codes = surface.code(field.window.places).astype(np.float32)
    apart = np.linalg.norm(codes[:, None] - backend.codes(model).means, axis=2)
    assert field.nearest.ravel().tolist() == apart.argmin(1).tolist()
    assert field.apart.ravel() == pytest.approx(apart.min(1), abs=1e-5)
    assert field.shells.ravel() == pytest.approx(explore.shell(torch.tensor(codes)).numpy(), abs=1e-5)


def test_holes_lie_between_the_outlines(model):
    surface, field = field_of(model, Cut(), 20)
    far = np.linalg.norm(surface.code(field.window.places), axis=1)
    on_plane = np.sqrt(far**2 - surface.distance(np.zeros((1, 5))) ** 2).reshape(20, 20)
    prior, sentences = on_plane < backend.RADIUS, field.aggregate > 1
    assert (field.holes == 1).tolist() == (prior & ~sentences).tolist()
    assert (field.holes == -1).tolist() == (sentences & ~prior).tolist()
    assert {-1, 0, 1} >= set(field.holes.ravel().tolist())


def test_the_first_window_holds_the_prior_and_what_spans_the_plane(model):
    for cut in CUTS.values():
        surface, spans = backend.plane(model, cut), backend.plane_spanning(model, cut)
        window = backend.plane_whole(model, surface, spans)
        for code in (np.zeros(5), *spans):
            room = window.width / 2 - (0 if code.any() else backend.RADIUS)
            assert (np.abs(surface.place(code[None])[0] - [window.x, window.y]) < room).all()


def test_a_window_is_decoded_once_for_its_weights_plane_and_cells(model, monkeypatch):
    from vae.space import Space

    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, z, **how: calls.append(len(z)) or decode(self, z, **how))
    cut = Cut(kind="dimensions", pair=(4, 2))
    for _ in range(2):
        surface, field = field_of(model, cut, 7)
    assert calls == [49]
    part = backend.plane_window(field.window.x, field.window.y, field.window.width / 2, 7)
    backend.plane_field(model, surface, part)
    backend.plane_field(model, backend.plane(model, Cut(kind="dimensions", pair=(2, 4))), part)
    assert calls == [49, 49, 49]


def test_a_pin_on_a_cell_reads_as_the_cell(model):
    surface, field = field_of(model, CUTS["sentences"])
    rows = [0, 21, 35]
    places = [tuple(field.window.places[row].tolist()) for row in rows]
    pins = backend.plane_pins(model, surface, places)
    assert [pin.text for pin in pins] == [field.texts[field.cells.ravel()[row]] for row in rows]
    for pin, row in zip(pins, rows, strict=True):
        assert np.array_equal(pin.code, surface.code(field.window.places)[row].astype(np.float32))
        text, apart = pin.nearest
        assert text == backend.codes(model).texts[field.nearest.ravel()[row]]
        assert apart == pytest.approx(field.apart.ravel()[row])
        assert pin.shell == pytest.approx(field.shells.ravel()[row], abs=1e-5)
    assert backend.plane_pins(model, surface, []) == []


def test_the_walk_between_two_pins_stays_on_the_plane(model):
    surface = backend.plane(model, Cut())
    a, b = backend.plane_pins(model, surface, [(0.5, -1.0), (2.0, 0.25)])
    walk = backend.plane_walk(model, a, b, 6)
    assert surface.distance(walk.codes).max() < 1e-5
    assert np.allclose(surface.place(walk.codes), np.linspace((0.5, -1.0), (2.0, 0.25), 6), atol=1e-5)
    assert walk.texts == backend.models.space(model).decode(torch.tensor(walk.codes))
    assert len(walk.nearest) == len(walk.shells) == len(walk.places) == 6


def test_a_snapshot_has_codes_of_its_own(model, snapshot):
    own, later = backend.plane_sentences(snapshot), backend.plane_sentences(model)
    assert own.texts == later.texts
    assert not np.allclose(own.means, later.means, atol=0.1)
    q = backend.models.space(snapshot).encode(own.texts)
    assert np.allclose(own.means, q.mean.numpy())
    assert np.allclose(own.kl_nats, q.kl_per_dim().sum(1).numpy(), atol=1e-4)
    surface, field = field_of(snapshot, Cut())
    assert np.allclose(surface.origin, own.means.mean(0))
    said = backend.models.space(snapshot).decode(torch.tensor(surface.code(field.window.places), dtype=torch.float32))
    assert [field.texts[cell] for cell in field.cells.ravel()] == said


def test_the_kl_of_a_dimension_is_that_of_the_posteriors(model):
    q = backend.models.space(model).encode(backend.codes(model).texts)
    assert backend.dimension_kl(model) == pytest.approx(q.kl_per_dim().mean(0).numpy(), abs=1e-5)


def test_a_model_folder_has_planes_without_sentences(explored):
    model = backend.model("~folder", str(explored.model_path))
    assert backend.plane_sentences(model) is None
    assert backend.dimension_kl(model) is None
    surface, field = field_of(model, CUTS["samples"])
    assert (field.nearest, field.apart, field.aggregate) == (None, None, None)
    assert not field.holes.any()
    (pin,) = backend.plane_pins(model, surface, [(0.0, 0.0)])
    assert pin.nearest is None
    with pytest.raises(ValueError, match="has no sentences, so it has no principal axes"):
        backend.plane(model, Cut())


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (Cut(kind="sentences", texts=("a .", " ", "b .")), "Sentence 2 of the plane is empty"),
        (Cut(kind="sentences", texts=("the boy .", "a dog .", "the boy .")), "1, 2 and 3 lie on one line"),
        (Cut(kind="dimensions", pair=(2, 2)), "choose two different ones from 0 to 4"),
    ],
)
def test_a_plane_that_is_none_is_one_sentence(model, cut, words):
    with pytest.raises(ValueError, match=words):
        backend.plane(model, cut)


def test_the_python_to_be_copied_reads_the_same(model):
    places = [(0.25, -1.5), (1.125, 0.5), (0.0, 0.0)]
    for number, cut in enumerate(CUTS.values()):
        compare(model, cut, places[: number % 4])


def test_the_python_of_a_snapshot_reads_the_same(snapshot):
    compare(snapshot, Cut(), [(0.25, -1.5), (1.125, 0.5)])


def compare(model, cut, places):
    surface, field = field_of(model, cut)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(backend.plane_python(model, cut, field.window, places, 5), {})
    counts = np.bincount(field.cells.ravel())
    expected = [f"{count} {text}" for count, text in zip(counts, field.texts, strict=True)]
    pins = backend.plane_pins(model, surface, places)
    expected += [pin.text for pin in pins]
    if len(pins) > 1:
        expected += backend.plane_walk(model, pins[0], pins[1], 5).texts
    assert said.getvalue() == "\n".join([*expected, ""])


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_the_command_to_be_copied_reads_the_same(model, typed, cut):
    typed_as_shown(model, typed, cut, [(0.25, -1.5), (1.125, 0.5), (-0.001, 0.0)])
    typed_as_shown(model, typed, cut, [])


def test_the_command_of_a_snapshot_reads_the_same(snapshot, typed):
    typed_as_shown(snapshot, typed, Cut(), [(0.25, -1.5)])


def typed_as_shown(model, typed, cut, places):
    surface, field = field_of(model, cut)
    grid, *more = backend.plane_command(model, cut, field.window, places, 5).split("\n")
    document = json.loads(typed(f"{grid} --json"))
    assert [cell["text"] for cell in document["cells"]] == [field.texts[cell] for cell in field.cells.ravel()]
    assert [(cell["x"], cell["y"]) for cell in document["cells"]] == [tuple(at) for at in field.window.places.tolist()]
    assert [region["cells"] for region in document["regions"]] == [region.size for region in field.regions]
    assert typed(grid).startswith(f"{len(field.texts)} different sentences in {len(field.regions)} regions")
    assert len(more) == bool(places)
    pins = backend.plane_pins(model, surface, places)
    for line in more:
        document = json.loads(typed(f"{line} --json"))
        assert [(row["x"], row["y"], row["text"], row["nearest"]) for row in document["at"]] == [
            (*pin.place, pin.text, pin.nearest[0]) for pin in pins
        ]
        assert [row["shell"] for row in document["at"]] == pytest.approx([pin.shell for pin in pins], abs=1e-3)
        walk = backend.plane_walk(model, pins[0], pins[1], 5).texts if len(pins) > 1 else []
        assert [row["text"] for row in document.get("path", [])] == walk
