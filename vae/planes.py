"""Exact two-dimensional planes in latent space: where a code lies on one, which codes make it up, what is dense there.

A plane is an origin and two orthonormal directions; a point (x, y) of it *is* the code origin + x e1 + y e2, so a plane
can be decoded and walked on, which a UMAP cannot. Nothing is estimated here. Codes are float64; no torch.

Densities are marginals: what is seen of a distribution when everything is projected onto the plane at a right angle.
That of a Gaussian is again one, so prior and aggregate posterior are computed exactly. They are not the densities of
the slice that is decoded, which in many dimensions is empty nearly everywhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

FLAT = 1e-6
"""Distance from a line, relative to the longer side of a triangle, under which it spans no plane."""
BLOCK = 2**17
"""Most pairs of places and sentences whose densities are computed at once: as many as stay in a cache."""
DRAWS = 2000
"""Codes drawn from the aggregate posterior to find the density that encloses a share of it."""
SHARE = 0.95
"""Of prior and aggregate posterior, what counts as within them."""
RADIUS = math.sqrt(-2 * math.log(1 - SHARE))
"""Around the middle of the prior on a plane, within which that share of it lies."""
FINEST = 0.002
"""Width of the smallest cell: then the middle of every cell is a whole number of thousandths."""
FARTHEST = 1000.0
"""How far from the origin of a plane a window or a place may lie."""
ENCODED = 2000
"""Sentences that are encoded anew for a snapshot, to find its principal plane: the first ones of the run's."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Plane:
    """A plane: z = origin + x axes[0] + y axes[1]."""

    origin: Float[ndarray, " latent"]
    axes: Float[ndarray, "2 latent"]
    """Orthonormal rows."""
    names: tuple[str, str]
    """What the two axes are called."""

    def code(self, xy: Float[ndarray, "n 2"]) -> Float[ndarray, "n latent"]:
        """The codes at places of the plane."""
        found: ndarray = self.origin + np.asarray(xy, np.float64) @ self.axes
        return found

    def place(self, codes: Float[ndarray, "n latent"]) -> Float[ndarray, "n 2"]:
        """The places of the plane that lie nearest to codes: their own, for codes of the plane."""
        found: ndarray = (np.asarray(codes, np.float64) - self.origin) @ self.axes.T
        return found

    def distance(self, codes: Float[ndarray, "n latent"]) -> Float[ndarray, " n"]:
        """How far codes lie from the plane (Euclidean)."""
        found: ndarray = np.linalg.norm(np.asarray(codes, np.float64) - self.code(self.place(codes)), axis=1)
        return found


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square part of a plane, in n x n cells whose middles have whole thousandths as their coordinates."""

    x: float
    y: float
    """The middle."""
    cell: float
    """The width of a cell."""
    n: int

    @property
    def width(self) -> float:
        """From side to side."""
        return self.n * self.cell

    @property
    def places(self) -> Float[ndarray, "cells 2"]:
        """The middles of its cells, in the order of `centres`."""
        half = self.width / 2
        found: ndarray = centres((self.x - half, self.x + half, self.y - half, self.y + half), self.n).round(3)
        return found


class Region(NamedTuple):
    """Cells of a grid that hang together and read the same."""

    value: int
    """What the cells of the grid hold."""
    size: int
    """Number of cells."""
    row: int
    column: int
    """A cell well inside, as far from the edge of the region as there is one."""


def principal(means: Float[ndarray, "sentences latent"]) -> Plane:
    """The plane in which codes differ most: through their mean, along the two directions of largest variance.

    The signs are those of the PCA of `vae.projection`: the largest loading of a direction is positive. `ValueError`
    for codes that are no table of at least one row and two columns.
    """
    codes = np.asarray(means, np.float64)
    if codes.ndim != 2 or len(codes) < 1 or codes.shape[1] < 2:
        raise ValueError(f"A plane needs codes of two dimensions or more, but these have the shape {codes.shape}.")
    mean = codes.mean(0)
    variances, vectors = np.linalg.eigh((codes - mean).T @ (codes - mean) / len(codes))  # ascending
    axes = np.array([vector * np.copysign(1, vector[np.abs(vector).argmax()]) for vector in vectors.T[:-3:-1]])
    total = float(variances.sum())
    shares = variances[:-3:-1].clip(0) / total if total > 0 else np.zeros(2)
    first, second = (f"PC {i} ({100 * share:.0f} % of variance)" for i, share in enumerate(shares, 1))
    return Plane(origin=mean, axes=axes, names=(first, second))


def dimensions(i: int, j: int, size: int, through: Float[ndarray, " latent"] | None = None) -> Plane:
    """The plane of two of the `size` dimensions, counted from 0; its coordinates are z[i] and z[j] themselves.

    The other dimensions are those of the code `through`, else 0. `ValueError` for dimensions that are not two of them.
    """
    if i == j or not (0 <= i < size and 0 <= j < size):
        raise ValueError(f"Dimensions {i} and {j} span no plane: choose two different ones from 0 to {size - 1}.")
    origin = np.zeros(size) if through is None else np.array(through, np.float64)
    if origin.shape != (size,):
        raise ValueError(f"A plane of {size} dimensions cannot go through a code of the shape {origin.shape}.")
    origin[[i, j]] = 0
    return Plane(origin=origin, axes=np.eye(size)[[i, j]], names=(f"z{i}", f"z{j}"))


def through(
    a: Float[ndarray, " latent"],
    b: Float[ndarray, " latent"],
    c: Float[ndarray, " latent"],
    names: Sequence[str] = "ABC",
) -> Plane:
    """The plane through three codes: a is its origin, b lies on the first axis, c on the side where y > 0.

    `ValueError` for codes of different sizes, and for three that lie on a line.
    """
    a, b, c = (np.asarray(code, np.float64) for code in (a, b, c))
    if a.ndim != 1 or not a.shape == b.shape == c.shape:
        raise ValueError(
            f"Three codes of one size span a plane; these have the shapes {a.shape}, {b.shape}, {c.shape}."
        )
    width, side = np.linalg.norm(b - a), np.linalg.norm(c - a)
    scale = FLAT * max(width, side)
    one, two, three = names
    if width > scale:
        first = (b - a) / width
        for _ in range(2):  # once more: what rounding has left along the first axis
            c = c - ((c - a) @ first) * first
        height = np.linalg.norm(c - a)
        if height > scale:
            return Plane(
                origin=a, axes=np.array([first, (c - a) / height]), names=(f"from {one} to {two}", f"towards {three}")
            )
    raise ValueError(f"{one}, {two} and {three} lie on one line, so they span no plane: choose another of them.")


def window(x: float, y: float, width: float, n: int) -> Window:
    """The window nearest to the one asked for, whose cells have their middles at whole thousandths."""
    cell = FINEST * max(1, round(min(width, FARTHEST) / n / FINEST))
    x, y = (round(max(-FARTHEST, min(FARTHEST, middle)), 3) for middle in (x, y))
    return Window(x=x, y=y, cell=round(cell, 3), n=n)


def whole(
    plane: Plane,
    means: Float[ndarray, "sentences latent"] | None,
    spans: Sequence[Float[ndarray, " latent"]],
    n: int,
) -> Window:
    """The window that a plane is first seen through: nearly all of the codes, the prior, and what spans the plane."""
    middle = plane.place(np.zeros((1, len(plane.origin))))
    seen = [middle - RADIUS, middle + RADIUS]
    if means is not None:
        seen.append(np.percentile(plane.place(means), [0.5, 99.5], axis=0))
    if len(spans):
        seen.append(plane.place(np.array(spans)))
    low, high = np.concatenate(seen).min(0), np.concatenate(seen).max(0)
    x, y = ((low + high) / 2).tolist()
    return window(x, y, float(1.08 * (high - low).max()), n)


def centres(bounds: tuple[float, float, float, float], n: int) -> Float[ndarray, "cells 2"]:
    """The middles of n x n cells of a window (left, right, bottom, top): from the left, row by row from the bottom."""
    left, right, bottom, top = bounds
    if n < 1 or not (left < right and bottom < top and np.isfinite(bounds).all()):
        raise ValueError(f"There is no grid of {n} by {n} cells in the window {bounds}.")
    share = (np.arange(n) + 0.5) / n
    x, y = np.meshgrid(left + (right - left) * share, bottom + (top - bottom) * share)
    return np.stack([x.ravel(), y.ravel()], 1)


def grid(plane: Plane, bounds: tuple[float, float, float, float], n: int) -> Float[ndarray, "cells latent"]:
    """The codes at the middles of n x n cells of a window of the plane, in the order of `centres`."""
    return plane.code(centres(bounds, n))


def ranked(said: Sequence[str], n: int) -> tuple[list[str], Int[ndarray, "n n"]]:
    """What n x n cells read: the different sentences, the most frequent first, and of each cell which one it is."""
    texts = [text for text, _ in Counter(said).most_common()]
    index = {text: number for number, text in enumerate(texts)}
    return texts, np.array([index[text] for text in said]).reshape(n, n)


def regions(cells: Int[ndarray, "rows columns"]) -> tuple[Int[ndarray, "rows columns"], list[Region]]:
    """Cells that touch at a side and hold the same number, as regions: of each cell the index of its own, and a list.

    The largest comes first. A cell well inside is one whose square of equal cells around it is largest.
    """
    from scipy import ndimage

    labels = np.zeros(cells.shape, np.int64)
    count = 0
    for value in np.unique(cells):
        parts, found = ndimage.label(cells == value)
        labels[parts > 0] = parts[parts > 0] + count
        count += found
    known: list[Region] = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == label
        depth = ndimage.distance_transform_cdt(np.pad(inside, 1), "chessboard")[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        row, column = int(row) + box[0].start, int(column) + box[1].start
        known.append(Region(int(cells[row, column]), int(inside.sum()), row, column))
    order = sorted(range(count), key=lambda index: -known[index].size)
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return rank[labels - 1], [known[index] for index in order]


def prior_density(plane: Plane, xy: Float[ndarray, "n 2"]) -> Float[ndarray, " n"]:
    """The prior N(0, I) as seen on the plane, per unit of area: N(place of 0, I) in two dimensions."""
    centre = plane.place(np.zeros((1, len(plane.origin))))
    found: ndarray = np.exp(-0.5 * np.square(np.asarray(xy) - centre).sum(1)) / (2 * np.pi)
    return found


def aggregate_density(
    plane: Plane,
    xy: Float[ndarray, "n 2"],
    means: Float[ndarray, "sentences latent"],
    logvars: Float[ndarray, "sentences latent"],
) -> Float[ndarray, " n"]:
    """The aggregate posterior q(z) = mean of q(z|x) over sentences as seen on the plane, per unit of area.

    A mixture of Gaussians with the means and covariances axes diag(sigma^2) axes^T of the projected posteriors. Each
    log density is a polynomial of second degree in x and y, so those of all pairs are one matrix product; places are
    taken from the middle of the sentences, so that little cancels in it.
    """
    places = plane.place(means)
    middle = places.mean(0)
    (x, y), (u, v) = (np.asarray(xy, np.float64) - middle).T, (places - middle).T
    first, second = plane.axes
    variances = np.exp(np.asarray(logvars, np.float64))
    a, b, c = variances @ first**2, variances @ (first * second), variances @ second**2  # (N,) each: [[a, b], [b, c]]
    determinant = a * c - b**2
    a, b, c = (-0.5 * part / determinant for part in (a, b, c))
    terms = np.stack([x**2, x * y, y**2, x, y, np.ones_like(x)], 1)  # (n, 6)
    constant = c * u**2 - 2 * b * u * v + a * v**2 - 0.5 * np.log(determinant)
    factors = np.stack([c, -2 * b, a, 2 * (b * v - c * u), 2 * (b * u - a * v), constant])  # (6, N)
    density = np.zeros(len(x))
    block = max(1, BLOCK // max(1, len(x)))
    for start in range(0, len(places), block):
        logarithms = terms @ factors[:, start : start + block]  # (n, b)
        density += np.exp(logarithms, out=logarithms).sum(1)
    found: ndarray = density / (2 * np.pi * len(places))
    return found


def prior_level(share: float) -> float:
    """The density of the prior on a plane above which a share of it lies: that at the radius sqrt(-2 ln(1 - share))."""
    return (1 - share) / (2 * np.pi)


def aggregate_level(
    plane: Plane,
    means: Float[ndarray, "sentences latent"],
    logvars: Float[ndarray, "sentences latent"],
    share: float,
    seed: int = 0,
) -> float:
    """The density of the aggregate posterior on a plane above which a share of it lies.

    A quantile of the density at 2,000 draws of z ~ q(z), the same for the same seed: estimated, all else is exact.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(DRAWS) * len(means) // DRAWS  # every sentence as often as another, nearly
    noise = random.standard_normal((DRAWS, means.shape[1]))
    draws = means[rows] + np.exp(0.5 * np.asarray(logvars[rows], np.float64)) * noise
    return float(np.quantile(aggregate_density(plane, plane.place(draws), means, logvars), 1 - share))
