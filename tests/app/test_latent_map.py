"""What the drawing of the map is given: colours, shades, marks, in JSON."""

import json

import numpy as np
import pandas as pd
import pytest

from app import backend
from app.components import latent_map
from app.components.latent_map import KL, LENGTH, Course, Mark, Scene
from app.palette import PALETTE


def codes_of(**labels):
    """Codes of as many sentences as the labels have values."""
    n = len(next(iter(labels.values())))
    frame = pd.DataFrame({name: pd.Series(values, dtype="string") for name, values in labels.items()})
    return backend.Codes(
        labels=frame,
        texts=[f"sentence {row} ." for row in range(n)],
        means=np.zeros((n, 2), np.float32),
        logvars=np.zeros((n, 2), np.float32),
        words=np.arange(n) + 3,
        kl_nats=np.linspace(1, 2, n),
    )


def named(colour):
    return [colour["groups"][group]["name"] for group in colour["rows"]]


def test_every_value_has_a_colour_of_its_own_while_there_are_enough():
    colour = latent_map.colouring(codes_of(kind=["man", "dog", "man", "none"]), "kind")
    assert named(colour) == ["man", "dog", "man", "none"]
    assert [group["count"] for group in colour["groups"]] == [2, 1, 1]
    assert [group["colour"] for group in colour["groups"]] == [PALETTE[0], PALETTE[1], latent_map.NONE]


def test_rare_values_share_a_colour():
    values = [f"v{i:02}" for i in range(20) for _ in range(20 - i)]
    colour = latent_map.colouring(codes_of(kind=values), "kind")
    names = [group["name"] for group in colour["groups"]]
    assert names == [*(f"v{i:02}" for i in range(len(PALETTE))), f"{20 - len(PALETTE)} others"]
    assert len({group["colour"] for group in colour["groups"]}) == len(names)
    assert named(colour) == [value if value in names else names[-1] for value in values]


def test_a_label_of_many_numbers_is_shaded_and_of_few_is_grouped():
    many = latent_map.colouring(codes_of(year=[str(1980 + i) for i in range(30)] + ["none"]), "year")
    assert many["groups"] is None
    assert many["rows"][:-1] == sorted(many["rows"][:-1])
    assert many["shades"][many["rows"][-1]] == latent_map.NONE
    assert latent_map.colouring(codes_of(stars=list("12345")), "stars")["groups"]


@pytest.mark.parametrize(("column", "low"), [(LENGTH, "3"), (KL, "1.0")])
def test_lengths_and_kl_are_shaded_from_low_to_high(column, low):
    colour = latent_map.colouring(codes_of(kind=["a"] * 9), column)
    assert colour["low"] == low
    assert colour["rows"] == sorted(colour["rows"])
    assert colour["shades"][colour["rows"][0]] == latent_map.RAMP[0]
    assert colour["shades"][colour["rows"][-1]] == latent_map.RAMP[-1]


def test_one_sentence_is_shaded_too():
    assert latent_map.colouring(codes_of(kind=["a"]), LENGTH)["rows"] == [0]


def test_a_map_begins_with_a_label_of_few_values():
    many = [str(i) for i in range(40)]
    assert latent_map.colourings(codes_of(id=many, kind=["a", "b"] * 20)) == ["id", "kind", LENGTH, KL]
    assert latent_map.first_colouring(codes_of(id=many, kind=["a", "b"] * 20)) == 1
    assert latent_map.first_colouring(codes_of(id=many)) == 0


def test_a_search_finds_all_words_in_any_order_and_case():
    texts = ["A red jacket .", "a jacket that is Red", "a red hat", ""]
    assert latent_map.matches(texts, "RED jacket") == [0, 1]
    assert latent_map.matches(texts, "  ") == []
    assert latent_map.matches(texts, "(") == []


def test_the_drawing_is_json_and_has_every_sentence(explored):
    model = backend.model("explored")
    codes, projection = backend.codes(model), backend.project(model, "pca")
    scene = Scene(
        ends=[Mark(x=0, y=1, text="a", title="End A", name="A", row=3)],
        path=Course(id="p", x=[0.0], y=[0.0], t=[0.0], texts=["a"], position=0),
        found=[1],
    )
    drawing = json.loads(json.dumps(latent_map.drawing(codes, projection, "subject", scene, "explored")))
    drawing |= json.loads(drawing["sheet"])
    points = drawing["points"]
    assert points["text"] == codes.texts
    assert len(points["x"]) == len(points["y"]) == len(points["kl"]) == len(points["words"]) == 120
    (label,) = points["labels"]
    assert [label["values"][row] for row in label["rows"]] == codes.labels["subject"].tolist()
    assert drawing["ends"][0]["name"] == "A"
    assert drawing["found"] == [1]
    assert drawing["selected"] is None


def test_the_circle_of_the_prior_holds_95_percent_of_it(explored):
    model = backend.model("explored")
    projection = backend.project(model, "pca")
    circle = json.loads(latent_map.sheet(backend.codes(model), projection, LENGTH, "explored"))["prior"]
    places = projection.place(np.random.default_rng(0).standard_normal((20_000, 5)))
    inside = np.hypot(*(places - [circle["x"], circle["y"]]).T) < circle["radius"]
    assert inside.mean() == pytest.approx(0.95, abs=0.006)
