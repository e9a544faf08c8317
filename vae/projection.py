"""Two-dimensional maps of a run's codes, fitted once and kept in the run. No torch here, and no pickle anywhere.

A map is fitted on the posterior means of latents.parquet and written to projections/ as METHOD.parquet (x and y, in
the order of the sentences) and METHOD.json (parameters, seed, versions, and fingerprints of the codes it belongs to).

``pca``  The plane of largest variance. Linear, so any code has its exact place on it.
``umap`` Uniform Manifold Approximation and Projection (McInnes et al. 2018), started from the PCA plane, which is
         deterministic and keeps the global arrangement (Kobak & Linderman 2021). Neighbours stay neighbours; distances
         and directions across the map mean little. A new code is placed approximately: see `Projection.place`.

Equal codes share one place. Fewer than three distinct codes have no neighbourhoods to lay out; `umap` then returns
their PCA plane, which is faithful to them: a run whose codes are all one is a single point at the origin.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from vae.config import read_json
from vae.latents import nearest, read_latents
from vae.runs import Run, write_bytes, write_json

METHODS = ("umap", "pca")
NEIGHBOURS = 15
"""UMAP's neighbourhood (its own default), at most all other codes; also the codes that place a new one."""
MIN_DIST = 0.1
"""Closest that UMAP draws two points (its own default)."""
EXACT = 100_000
"""Codes up to which each is compared with all others, half a minute of a core for so many; beyond, UMAP searches."""
FEWEST = 3
"""Sentences, and distinct codes, under which UMAP has nothing to lay out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """A fitted map: the place of every code of the run, and the way to place others."""

    method: str
    """`umap` or `pca`."""
    coordinates: Float[ndarray, "sentences 2"]
    """x and y of every sentence, in the order of latents.parquet."""
    codes: Float[ndarray, "sentences latent"]
    """The posterior means that it was fitted on."""
    details: dict[str, Any]
    """What METHOD.json holds. For `pca` also `mean` (L), `components` (2, L) and `explained` (2)."""

    @property
    def exact(self) -> bool:
        """Whether `place` is the map itself; otherwise it is an estimate, and is to be labelled so."""
        return "components" in self.details

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the two axes; those of PCA carry their share of the variance of the codes."""
        if not self.exact:
            return "UMAP 1", "UMAP 2"
        first, second = (
            f"PC {i} ({100 * share:.0f} % of variance)" for i, share in enumerate(self.details["explained"], 1)
        )
        return first, second

    def place(self, codes: Float[ndarray, "new latent"]) -> Float[ndarray, "new 2"]:
        """Where other codes lie on the map; nothing is fitted anew, so the map does not move.

        PCA is exact. UMAP takes a weighted mean of the places of the nearest codes, as the library itself begins with
        a new point before refining it. The weights fall exponentially with distance, on the scale of the
        neighbourhood's mean distance, and are divided by the distance, so that a code of the map lands on its own
        place and a path runs into it without a jump. A code far from all others still lands among them: the map
        shows where its neighbours are, not how far away it is.
        """
        codes = np.asarray(codes, np.float64)
        if codes.ndim != 2 or codes.shape[1] != self.codes.shape[1] or not np.isfinite(codes).all():
            raise ValueError(
                f"Codes to place must be finite and of shape (n, {self.codes.shape[1]}), "
                f"but these have the shape {codes.shape}{'' if np.isfinite(codes).all() else ' and are not finite'}."
            )
        if self.exact:
            mean, components = np.array(self.details["mean"]), np.array(self.details["components"])
            return np.asarray((codes - mean) @ components.T, np.float32)
        indices, distances = nearest(self.codes, codes, min(NEIGHBOURS, len(self.codes)))
        distances = np.maximum(distances, 1e-9)
        weights = np.exp(-distances / distances.mean(1, keepdims=True)) / distances
        weights /= weights.sum(1, keepdims=True)
        return np.asarray((weights[:, :, None] * self.coordinates[indices]).sum(1), np.float32)


def project(run: Run, method: str = "umap", *, seed: int = 0, refit: bool = False, keep: bool = True) -> Projection:
    """The map of a run's codes: read if it is there and fits the codes and the seed, else fitted and, if wanted, kept.

    The same codes and seed give the same map. PCA draws no random numbers, so the seed does not concern it. UMAP takes
    seconds for thousands of sentences, two minutes for 100,000, and some seconds more in a new process, to compile.
    `ValueError` if the run has no codes, the method is unknown, or UMAP has fewer than three sentences to map.
    """
    known = None if refit else cached(run, method)
    if known is not None and known.details.get("seed") in (None, seed):
        return known
    codes = read_latents(run).means
    fit = _fit_umap(codes, seed) if _checked(method) == "umap" else _fit_pca(codes)
    if not keep:
        return fit
    run.projections_path.mkdir(exist_ok=True)
    content = io.BytesIO()
    pd.DataFrame(fit.coordinates, columns=["x", "y"]).to_parquet(content, index=False)
    write_bytes(run.projections_path / f"{method}.parquet", content.getvalue())
    write_json(run.projections_path / f"{method}.json", fit.details)
    return fit


def cached(run: Run, method: str) -> Projection | None:
    """The kept map of a run's codes; None if there is none, or if it is damaged or belongs to other codes.

    Loads neither scikit-learn nor UMAP. `ValueError` if the run has no codes, or the method is unknown.
    """
    document, table = (run.projections_path / f"{_checked(method)}.{end}" for end in ("json", "parquet"))
    codes = read_latents(run).means
    if not (document.is_file() and table.is_file()):
        return None
    try:
        details = read_json(document)
        coordinates = pd.read_parquet(table)[["x", "y"]].to_numpy(np.float32)
    except (ValueError, KeyError, OSError):  # a cache that cannot be read is a cache that is not there
        return None
    expected = _fingerprints(codes, coordinates)
    if not isinstance(details, dict) or any(details.get(name) != value for name, value in expected.items()):
        return None
    return Projection(method=method, coordinates=coordinates, codes=codes, details=details)


def _fit_pca(codes: Float[ndarray, "sentences latent"]) -> Projection:
    """Eigenvectors of the covariance; signs are fixed by making the largest loading positive."""
    exact = codes.astype(np.float64)
    mean = exact.mean(0)
    variances, vectors = np.linalg.eigh((exact - mean).T @ (exact - mean) / len(codes))  # ascending
    components = np.zeros((2, codes.shape[1]))
    explained = np.zeros(2)
    for i in range(min(2, codes.shape[1])):
        vector, variance = vectors[:, -1 - i], max(variances[-1 - i], 0.0)
        components[i] = vector * np.copysign(1, vector[np.abs(vector).argmax()])
        explained[i] = variance / variances.sum() if variances.sum() > 0 else 0.0
    coordinates = ((exact - mean) @ components.T).astype(np.float32)
    details = {
        "method": "pca",
        "parameters": {},
        "seed": None,
        "versions": {"numpy": version("numpy")},
        "mean": mean.tolist(),
        "components": components.tolist(),
        "explained": explained.tolist(),
        **_fingerprints(codes, coordinates),
    }
    return Projection(method="pca", coordinates=coordinates, codes=codes, details=details)


def _fit_umap(codes: Float[ndarray, "sentences latent"], seed: int) -> Projection:
    """UMAP of the distinct codes; equal codes get equal places."""
    if len(codes) < FEWEST:
        raise ValueError(f"UMAP needs at least {FEWEST} sentences, but there are {len(codes)}: choose pca.")
    distinct, rows = np.unique(codes, axis=0, return_inverse=True)
    plane = _fit_pca(codes)
    if len(distinct) < FEWEST:
        details = plane.details | {"method": "umap", "seed": seed}
        return Projection(method="umap", coordinates=plane.coordinates, codes=codes, details=details)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        from umap import UMAP
    from sklearn.neighbors import NearestNeighbors

    parameters = {"n_neighbors": min(NEIGHBOURS, len(distinct) - 1), "min_dist": MIN_DIST}
    start = plane.place(distinct)
    flat = bool((np.ptp(start, axis=0) == 0).any())  # codes on a line: their plane has no second axis to start from
    known = {}
    if len(distinct) <= EXACT:  # UMAP's own search takes longer to compile than this to compute
        search = NearestNeighbors(n_neighbors=parameters["n_neighbors"], algorithm="brute").fit(distinct)
        distances, neighbours = search.kneighbors(distinct)
        known = {"precomputed_knn": (neighbours, distances), "force_approximation_algorithm": True}
    # A seed makes UMAP run on one thread; saying so ourselves spares its warning.
    mapper = UMAP(**parameters, **known, init="random" if flat else start, random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"precomputed_knn\[2\]", UserWarning
        )  # its own `transform` would need a search
        coordinates = np.asarray(mapper.fit_transform(distinct), np.float32)[rows.reshape(-1)]
    details = {
        "method": "umap",
        "parameters": parameters | {"init": "random" if flat else "pca"},
        "seed": seed,
        "versions": {name: version(name) for name in ("umap-learn", "scikit-learn", "numba", "numpy")},
        **_fingerprints(codes, coordinates),
    }
    return Projection(method="umap", coordinates=coordinates, codes=codes, details=details)


def _fingerprints(codes: ndarray, coordinates: ndarray) -> dict[str, str]:
    """What ties the files of a map to each other and to the codes."""
    return {"codes": _fingerprint(codes), "coordinates": _fingerprint(coordinates)}


def _fingerprint(values: ndarray) -> str:
    content = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return hashlib.sha256(repr(values.shape).encode() + content).hexdigest()


def _checked(method: str) -> str:
    if method not in METHODS:
        raise ValueError(f"There is no map {method!r}: choose {' or '.join(METHODS)}.")
    return method
