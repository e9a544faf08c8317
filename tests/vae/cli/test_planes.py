"""The command plane: the planes, windows and cells of the page, read."""

import csv
import io
import re

import numpy as np
import pytest
import torch

import vae as package
from vae import explore, planes
from vae.latents import nearest, read_latents

RUN = "captions-two-phase"
TEXTS = ("a man is waiting for a bus .", "two dogs are sleeping on a rug .", "a girl is not singing .")


def decoded(space, codes):
    return space.decode(torch.tensor(codes, dtype=torch.float32))


@pytest.fixture
def space(healthy):
    return package.load(healthy.path)


@pytest.fixture
def surfaces(space, healthy):
    """The options of each kind of plane, and the plane they mean."""
    codes = space.encode(TEXTS).mean.numpy()
    main = planes.principal(read_latents(healthy).means)
    through = planes.dimensions(3, 1, space.latent_size, codes[0])
    return {
        (): main,
        ("--principal",): main,
        ("--dimensions", "3", "1"): planes.dimensions(3, 1, space.latent_size),
        ("--dimensions", "3", "1", "--through", f" {TEXTS[0]} "): through,
        ("--texts", *TEXTS): planes.through(*codes),
        ("--draws", "--seed", "5"): planes.through(*space.sample_prior(3, 5).numpy()),
    }


def test_a_place_reads_as_its_code(vae, space, healthy, surfaces):
    known = read_latents(healthy)
    for words, surface in surfaces.items():
        said = vae("plane", RUN, *words, "--at", "0.25", "-1.5", "--at", "1.125", "0.5", "--json").document
        codes = surface.code([(0.25, -1.5), (1.125, 0.5)]).astype(np.float32)
        assert [(row["x"], row["y"], row["text"]) for row in said["at"]] == [
            (0.25, -1.5, decoded(space, codes)[0]), (1.125, 0.5, decoded(space, codes)[1])
        ]  # fmt: skip
        rows, distances = nearest(known.means, codes, 1)
        for row, near, far, code in zip(said["at"], rows[:, 0], distances[:, 0], codes, strict=True):
            assert row["nearest"] == known.frame["text"][near]
            assert row["distance"] == pytest.approx(far, abs=1e-3)
            assert row["shell"] == pytest.approx(float(explore.shell(torch.tensor(code))), abs=1e-3)


def test_the_walk_between_two_places_is_straight(vae, space, surfaces):
    words = ("plane", RUN, "--at", "0.25", "-1.5", "--at", "1.125", "0.5", "--steps", "5")
    codes = surfaces[()].code(np.linspace((0.25, -1.5), (1.125, 0.5), 5))
    said = vae(*words, "--json").document["path"]
    assert [row["t"] for row in said] == [0, 0.25, 0.5, 0.75, 1]
    assert [row["text"] for row in said] == decoded(space, codes)
    lines = vae(*words).out.splitlines()
    assert lines[0] == f"(0.25, -1.5)  {said[0]['text']}"
    assert "; nearest sentence, " in lines[1]
    assert lines[-5:] == [f"{row['t']:6.2f}  {row['text']}" for row in said]


def test_a_grid_is_that_of_its_window(vae, space, surfaces):
    for words, surface in surfaces.items():
        said = vae("plane", RUN, *words, "--window", "0.5", "-0.25", "2", "--cells", "4", "--json").document
        places = planes.centres((-0.5, 1.5, -1.25, 0.75), 4)
        assert said["window"] == {"x": 0.5, "y": -0.25, "width": 2.0, "cells": 4}
        assert said["axes"][1] in (surface.names[1], "towards 3", "towards C")
        assert [(cell["x"], cell["y"]) for cell in said["cells"]] == [tuple(place) for place in places.tolist()]
        assert [cell["text"] for cell in said["cells"]] == decoded(space, surface.code(places))
        assert sum(region["cells"] for region in said["regions"]) == 16
        assert sum(region["share"] for region in said["regions"]) == pytest.approx(1)
        for number, region in enumerate(said["regions"]):
            (inside,) = (cell for cell in said["cells"] if (cell["x"], cell["y"]) == (region["x"], region["y"]))
            assert (inside["text"], inside["region"]) == (region["text"], number)


def test_without_a_window_it_is_the_one_that_the_page_begins_with(vae, healthy, space, surfaces):
    means = read_latents(healthy).means
    said = vae("plane", RUN, "--json").document["window"]
    window = planes.whole(surfaces[()], means, (), 9)
    assert said == {"x": window.x, "y": window.y, "width": pytest.approx(window.width), "cells": 9}
    spans = space.sample_prior(3, 5).numpy()
    window = planes.whole(planes.through(*spans), means, list(spans), 3)
    said = vae("plane", RUN, "--draws", "--seed", "5", "--cells", "3", "--json").document["window"]
    assert said == {"x": window.x, "y": window.y, "width": pytest.approx(window.width), "cells": 3}


def test_regions_are_listed_and_cells_are_a_table(vae, healthy):
    words = ("plane", RUN, "--window", "0", "0", "2", "--cells", "5")
    document = vae(*words, "--json").document
    head, *lines = vae(*words).out.splitlines()
    texts = {cell["text"] for cell in document["cells"]}
    assert head.startswith(f"{len(texts)} different sentences in {len(lines)} regions of 5 by 5 cells, PC 1")
    for line, region in zip(lines, document["regions"], strict=True):
        share, _, x, y, text = re.split(r" +", line.strip(), maxsplit=4)
        assert (float(x), float(y), text) == (region["x"], region["y"], region["text"])
        assert float(share) == pytest.approx(100 * region["share"], abs=0.05)
    table = list(csv.DictReader(io.StringIO(vae(*words, "--csv").out)))
    assert [(float(row["x"]), float(row["y"]), int(row["region"]), row["text"]) for row in table] == [
        tuple(cell.values()) for cell in document["cells"]
    ]
    (row,) = csv.DictReader(io.StringIO(vae("plane", RUN, "--at", "0", "0", "--csv").out))
    assert row["text"] == vae("plane", RUN, "--at", "0", "0", "--json").document["at"][0]["text"]


def test_a_snapshot_has_the_axes_of_its_own_codes(vae, healthy):
    step = min(healthy.snapshots())
    space = package.load(healthy.path, step)
    texts = read_latents(healthy).frame["text"].tolist()[: planes.ENCODED]
    surface = planes.principal(space.encode(texts).mean.numpy())
    said = vae("plane", RUN, "--snapshot", str(step), "--at", "1", "0.5", "--json").document
    assert said["at"][0]["text"] == decoded(space, surface.code([(1, 0.5)]))[0]
    assert said["axes"] == list(surface.names)


def test_a_model_without_sentences_has_planes_of_its_dimensions(vae, healthy):
    folder = str(healthy.model_path)
    assert "no encoded sentences, so no principal axes" in vae("plane", folder).complaint
    (row,) = vae("plane", folder, "--dimensions", "0", "1", "--at", "0", "0", "--json").document["at"]
    assert set(row) == {"x", "y", "text", "shell"}


REFUSED = [
    (("--through", "a"), "--through has no effect without --dimensions"),
    (("--seed", "3"), "--seed has no effect without --draws"),
    (("--steps", "3", "--at", "0", "0"), "give --at twice"),
    (("--at", "0", "0", "--cells", "3"), "have no effect on --at"),
    (("--dimensions", "3", "3"), "Dimensions 3 and 3 span no plane"),
    (("--dimensions", "3", "32"), "different ones from 0 to 31"),
    (("--dimensions", "3"), "expected 2 arguments"),
    (("--texts", "a", "a", "b"), "lie on one line"),
    (("--texts", "a", " ", "b"), "no sentence to encode"),
    (("--principal", "--draws"), "not allowed with"),
    (("--at", "x", "0"), "'x' is not a number from -1000 to 1000"),
    (("--at", "nan", "0"), "'nan' is not a number"),
    (("--window", "0", "0", "0"), "A window of the width 0 has no cells"),
    (("--cells", "81"), "'81' is not a whole number from 1 to 80"),
]


@pytest.mark.parametrize(("words", "complaint"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_is_no_plane_is_one_line(vae, healthy, words, complaint):
    assert complaint in vae("plane", RUN, *words).complaint
