"""Planes: exact coordinates, grids, regions that partition, and densities against independent ones."""

import itertools
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vae import planes
from vae.planes import Plane
from vae.projection import _fit_pca

CODES = arrays(np.float64, (8, 5), elements=st.floats(-20, 20, width=32))
PLACES = arrays(np.float64, (6, 2), elements=st.floats(-50, 50, width=32))
WINDOW = (-9.0, 9.0, -9.0, 9.0)


def some_planes(codes: np.ndarray) -> list[Plane]:
    made = [planes.principal(codes), planes.dimensions(3, 1, 5), planes.dimensions(0, 4, 5, codes[0])]
    if np.linalg.matrix_rank(codes[1:3] - codes[0], tol=1e-3) == 2:
        made.append(planes.through(*codes[:3]))
    return made


@settings(max_examples=40, deadline=None)
@given(CODES, PLACES)
def test_places_and_codes_are_each_others_inverse_on_the_plane(codes, xy):
    for plane in some_planes(codes):
        assert np.allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)
        assert np.allclose(plane.place(plane.code(xy)), xy, atol=1e-7)
        assert np.allclose(plane.distance(plane.code(xy)), 0, atol=1e-7)
        assert [type(name) for name in plane.names] == [str, str]


@settings(max_examples=40, deadline=None)
@given(CODES, PLACES)
def test_the_distance_is_the_shortest_to_any_place(codes, xy):
    for plane in some_planes(codes):
        distances = plane.distance(codes)
        apart = np.linalg.norm(codes[:, None] - plane.code(xy), axis=2)
        assert (distances[:, None] <= apart + 1e-9).all()
        offset = np.linalg.norm(plane.place(codes)[:, None] - xy, axis=2)
        assert np.allclose(apart**2, offset**2 + distances[:, None] ** 2, atol=1e-6)  # Pythagoras


def test_the_principal_plane_is_the_pca_of_the_maps():
    codes = np.random.default_rng(0).standard_normal((200, 6)) * [3, 1, 2, 0.1, 1, 0.5]
    plane, known = planes.principal(codes), _fit_pca(codes)
    assert np.allclose(plane.place(codes), known.coordinates, atol=1e-5)
    assert plane.names == known.axes


@pytest.mark.parametrize("codes", [np.ones((4, 1)), np.ones(4), np.empty((0, 3))])
def test_what_has_no_plane_is_said(codes):
    with pytest.raises(ValueError, match="needs codes of two dimensions"):
        planes.principal(codes)


def test_equal_codes_have_a_plane_through_them():
    plane = planes.principal(np.ones((5, 3)))
    assert np.allclose(plane.axes @ plane.axes.T, np.eye(2))
    assert np.allclose(plane.place(np.ones((1, 3))), 0)
    assert plane.names == ("PC 1 (0 % of variance)", "PC 2 (0 % of variance)")


def test_coordinates_on_two_dimensions_are_their_values():
    code = np.arange(5.0)
    plane = planes.dimensions(3, 1, 5, code)
    assert plane.place(code[None]).tolist() == [[3, 1]]
    assert plane.code(np.array([[7.0, 8.0]])).tolist() == [[0, 8, 2, 7, 4]]
    assert planes.dimensions(3, 1, 5).code(np.array([[7.0, 8.0]])).tolist() == [[0, 8, 0, 7, 0]]
    assert code.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("i", "j"), [(1, 1), (-1, 2), (0, 5)])
def test_dimensions_that_span_nothing_are_said(i, j):
    with pytest.raises(ValueError, match="choose two different ones from 0 to 4"):
        planes.dimensions(i, j, 5)


@settings(max_examples=60, deadline=None)
@given(CODES)
def test_a_plane_through_three_codes_has_them_where_it_says(codes):
    a, b, c = codes[:3]
    try:
        plane = planes.through(a, b, c)
    except ValueError:
        area = np.linalg.svd(np.array([b - a, c - a]), compute_uv=False)
        assert area[1] <= 1e-5 * max(1, area[0])
        return
    assert np.allclose(plane.distance(codes[:3]), 0, atol=1e-6)
    (ax, ay), (bx, by), (_, cy) = plane.place(codes[:3])
    assert (ax, ay) == pytest.approx((0, 0), abs=1e-9)
    assert (bx, by) == pytest.approx((np.linalg.norm(b - a), 0), abs=1e-6)
    assert cy > 0


@pytest.mark.parametrize("third", [[0, 0, 0], [2, 2, 2], [-4, -4, -4], [2, 2, 2 + 1e-9]])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_three_codes_on_a_line_are_said_in_a_sentence(third, order):
    codes = np.array([[0, 0, 0], [2, 2, 2], third], float)[list(order)]
    with pytest.raises(ValueError, match="lie on one line, so they span no plane: choose another of them") as said:
        planes.through(*codes)
    assert "\n" not in str(said.value)


def test_cells_go_from_the_left_and_from_the_bottom():
    assert planes.centres((0, 4, 10, 12), 2).tolist() == [[1, 10.5], [3, 10.5], [1, 11.5], [3, 11.5]]
    plane = planes.dimensions(0, 1, 3)
    assert planes.grid(plane, (0, 4, 10, 12), 2)[:, :2].tolist() == planes.centres((0, 4, 10, 12), 2).tolist()
    for bounds, n in (((0, 0, 0, 1), 2), ((0, 1, 0, math.inf), 2), ((0, 1, 0, 1), 0)):
        with pytest.raises(ValueError, match="no grid"):
            planes.centres(bounds, n)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 2)))
def test_regions_partition_the_grid(cells):
    index, regions = planes.regions(cells)
    assert index.shape == cells.shape
    assert [region.size for region in regions] == [int((index == i).sum()) for i in range(len(regions))]
    assert sum(region.size for region in regions) == cells.size
    assert [region.size for region in regions] == sorted((region.size for region in regions), reverse=True)
    for i, region in enumerate(regions):
        assert index[region.row, region.column] == i
        assert np.unique(cells[index == i]).tolist() == [region.value]
        assert reached(cells, region.row, region.column) == set(zip(*np.nonzero(index == i), strict=True))


def reached(cells: np.ndarray, row: int, column: int) -> set[tuple[int, int]]:
    """The region of a cell, by walking."""
    found, ahead = set(), [(row, column)]
    while ahead:
        row, column = ahead.pop()
        if (row, column) in found:
            continue
        found.add((row, column))
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            r, c = row + down, column + right
            if 0 <= r < cells.shape[0] and 0 <= c < cells.shape[1] and cells[r, c] == cells[row, column]:
                ahead.append((r, c))
    return found


def test_the_representative_cell_lies_well_inside():
    cells = np.zeros((9, 9), int)
    cells[1:6, 2:7] = 1
    _, regions = planes.regions(cells)
    (square,) = (region for region in regions if region.value == 1)
    assert (square.row, square.column, square.size) == (3, 4, 25)


@pytest.fixture(scope="module")
def posteriors():
    random = np.random.default_rng(1)
    return random.standard_normal((40, 5)) * [2, 1, 0.2, 1, 1], random.uniform(-3, 0.5, (40, 5))


def test_densities_are_densities(posteriors):
    means, logvars = posteriors
    area = (18 / 180) ** 2
    for plane in some_planes(means):
        xy = planes.centres(WINDOW, 180)
        assert planes.prior_density(plane, xy).sum() * area == pytest.approx(1, abs=2e-3)
        assert planes.aggregate_density(plane, xy, means, logvars).sum() * area == pytest.approx(1, abs=2e-3)


def test_densities_are_those_of_samples_projected(posteriors):
    """Against nothing but samples in all dimensions, counted in a few squares of the plane."""
    means, logvars = posteriors
    random = np.random.default_rng(2)
    n = 400_000
    rows = random.integers(0, len(means), n)
    drawn = {
        planes.prior_density: random.standard_normal((n, 5)),
        planes.aggregate_density: means[rows] + np.exp(0.5 * logvars[rows]) * random.standard_normal((n, 5)),
    }
    for plane in some_planes(means):
        for density, samples in drawn.items():
            extra = () if density is planes.prior_density else (means, logvars)
            places = plane.place(samples)
            for x, y in ((0.0, 0.0), (1.2, -0.6), (-1.5, 1.0)):
                bounds = (x - 0.4, x + 0.4, y - 0.4, y + 0.4)
                mass = density(plane, planes.centres(bounds, 8), *extra).mean() * 0.64
                share = (np.abs(places - [x, y]) < 0.4).all(1).mean()
                assert mass == pytest.approx(share, rel=0.03, abs=6e-4)


def test_many_sentences_are_counted_in_blocks(posteriors, monkeypatch):
    means, logvars = posteriors
    plane, xy = planes.principal(means), planes.centres(WINDOW, 10)
    whole = planes.aggregate_density(plane, xy, means, logvars)
    monkeypatch.setattr(planes, "BLOCK", 700)
    assert np.allclose(planes.aggregate_density(plane, xy, means, logvars), whole)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_share_of_the_mass_lies_above_its_level(posteriors, share):
    means, logvars = posteriors
    plane, xy, area = planes.principal(means), planes.centres(WINDOW, 180), (18 / 180) ** 2
    prior, aggregate = planes.prior_density(plane, xy), planes.aggregate_density(plane, xy, means, logvars)
    assert prior[prior > planes.prior_level(share)].sum() * area == pytest.approx(share, abs=0.01)
    level = planes.aggregate_level(plane, means, logvars, share)
    assert aggregate[aggregate > level].sum() * area == pytest.approx(share, abs=0.03)
    assert planes.aggregate_level(plane, means, logvars, share) == level


def test_planes_need_no_torch():
    code = "import sys, vae.planes; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_densities_over_many_sentences_are_made_in_pieces_that_fit_a_cache():
    """All terms of two million pairs at once went through memory ten times: thirteen times as long."""
    random = np.random.default_rng(0)
    means, logvars = random.normal(size=(30_000, 5)), random.normal(size=(30_000, 5))
    plane = planes.principal(means)
    tracemalloc.start()
    planes.aggregate_density(plane, random.normal(size=(900, 2)), means, logvars)
    assert tracemalloc.get_traced_memory()[1] < 24e6
    tracemalloc.stop()


def test_the_density_of_needles_far_out_keeps_its_digits():
    random = np.random.default_rng(1)
    means, logvars = 30 + 5 * random.normal(size=(7, 5)), np.full((7, 5), -14.0)
    plane = planes.principal(means)
    xy = plane.place(means)[:4] + 5e-4
    away = xy[:, None] - plane.place(means)  # (4, 7, 2)
    plain = (np.exp(-0.5 * np.square(away).sum(-1) * np.exp(14)) * np.exp(14)).mean(1) / (2 * np.pi)
    np.testing.assert_allclose(planes.aggregate_density(plane, xy, means, logvars), plain, rtol=1e-6)
