"""Maps: exact PCA, cached and deterministic UMAP, new codes placed without moving anything."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray

from vae import projection
from vae.config import Config, Phase
from vae.projection import METHODS, Projection, _fit_pca, cached, project
from vae.runs import Run

Maker = Callable[[ndarray], Run]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """A run with these codes."""

    def with_codes(codes: ndarray) -> Run:
        run = Run(tmp_path / "run")
        if not run.exists:
            Run.create(run.path, Config(phase2=Phase(epochs=1)))
        write_codes(run, codes)
        return run

    return with_codes


def write_codes(run: Run, codes: ndarray) -> None:
    table = {f"{name}_{d}": column for name in ("mu", "logvar") for d, column in enumerate(codes.T)}
    pd.DataFrame({"text": [f"sentence {i}" for i in range(len(codes))], **table}).to_parquet(run.latents_path)


def gaussian(n: int, latent: int, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).normal(size=(n, latent)).astype(np.float32)


def clusters(n: int = 30, latent: int = 8) -> ndarray:
    """Three groups of n codes, far apart."""
    return gaussian(3 * n, latent) + 20 * np.repeat(np.eye(3, latent, dtype=np.float32), n, axis=0)


class TestPCA:
    @settings(max_examples=40, deadline=None)
    @given(n=st.integers(1, 60), latent=st.integers(1, 9), seed=st.integers(0, 2**20))
    def test_is_the_singular_value_decomposition(self, n: int, latent: int, seed: int) -> None:
        codes = gaussian(n, latent, seed) * np.arange(1, latent + 1, dtype=np.float32)
        fit = _fit_pca(codes)
        centred = codes.astype(float) - codes.astype(float).mean(0)
        singular = np.append(np.linalg.svd(centred, compute_uv=False), 0)[:2]
        np.testing.assert_allclose(np.linalg.norm(fit.coordinates, axis=0), singular, atol=1e-4, rtol=1e-5)
        if np.square(centred).sum() > 0:
            np.testing.assert_allclose(fit.details["explained"], singular**2 / np.square(centred).sum(), atol=1e-6)
        np.testing.assert_allclose(fit.place(codes), fit.coordinates, atol=1e-5)

    def test_axes_carry_their_share_of_the_variance(self) -> None:
        codes = np.array([[3, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]], np.float32)
        fit = _fit_pca(codes)
        assert fit.axes == ("PC 1 (90 % of variance)", "PC 2 (10 % of variance)")
        np.testing.assert_allclose(fit.coordinates, codes[:, :2], atol=1e-6)
        np.testing.assert_allclose(fit.place(np.array([[1, 2, 50]], np.float32)), [[1, 2]], atol=1e-6)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_largest_loading_of_an_axis_is_positive(self, seed: int) -> None:
        components = np.array(_fit_pca(gaussian(20, 3, seed)).details["components"])
        assert (components.max(1) == np.abs(components).max(1)).all()

    def test_one_dimension_has_one_axis(self) -> None:
        fit = _fit_pca(gaussian(20, 1))
        assert fit.details["explained"] == pytest.approx([1, 0])
        assert not fit.coordinates[:, 1].any()


class TestUMAP:
    def test_keeps_groups_apart_and_is_read_back_the_same(self, make: Maker) -> None:
        run = make(clusters())
        fit = project(run, "umap", seed=3)
        assert not fit.exact
        assert fit.axes == ("UMAP 1", "UMAP 2")
        centres = fit.coordinates.reshape(3, 30, 2).mean(1)
        apart = np.linalg.norm(centres[[0, 1, 2]] - centres[[1, 2, 0]], axis=1).min()
        assert apart > 2 * np.linalg.norm(fit.coordinates.reshape(3, 30, 2) - centres[:, None], axis=-1).max()

        kept = cached(run, "umap")
        assert kept is not None
        np.testing.assert_array_equal(kept.coordinates, fit.coordinates)
        assert kept.details == fit.details
        assert kept.details["seed"] == 3
        assert kept.details["parameters"] == {"n_neighbors": 15, "min_dist": 0.1, "init": "pca"}
        assert "umap-learn" in kept.details["versions"]
        assert {path.suffix for path in run.projections_path.iterdir()} == {".json", ".parquet"}

        again = project(run, "umap", seed=3, refit=True)
        np.testing.assert_array_equal(again.coordinates, fit.coordinates)
        other = project(run, "umap", seed=4)
        assert other.details["seed"] == 4
        assert np.abs(other.coordinates - fit.coordinates).max() > 1e-3

    def test_up_to_a_size_umap_is_told_the_neighbours(self, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
        def searches(*_: object, **__: object) -> None:
            raise RuntimeError("UMAP has searched")

        import umap.umap_

        monkeypatch.setattr(umap.umap_, "nearest_neighbors", searches)
        fit = project(make(clusters()), "umap")
        assert np.isfinite(fit.coordinates).all()
        monkeypatch.setattr(projection, "EXACT", 10)
        with pytest.raises(RuntimeError, match="searched"):
            project(make(clusters()), "umap", seed=1)

    def test_places_a_code_of_the_map_on_itself_and_runs_into_it_without_a_jump(self, make: Maker) -> None:
        codes = clusters()
        fit = project(make(codes), "umap")
        np.testing.assert_allclose(fit.place(codes), fit.coordinates, atol=1e-4)
        towards = codes[0] + np.array([1e-1, 1e-2, 1e-3, 1e-4])[:, None] * gaussian(1, 8, seed=5)
        gaps = np.linalg.norm(fit.place(towards) - fit.coordinates[0], axis=1)
        assert (np.diff(gaps) < 0).all()
        assert gaps[-1] < 1e-2

    def test_places_new_codes_in_their_group(self, make: Maker) -> None:
        fit = project(make(clusters()), "umap")
        new = gaussian(12, 8, seed=9) + 20 * np.repeat(np.eye(3, 8, dtype=np.float32), 4, axis=0)
        centres = fit.coordinates.reshape(3, 30, 2).mean(1)
        nearest = np.linalg.norm(fit.place(new)[:, None] - centres, axis=-1).argmin(1)
        assert nearest.tolist() == np.repeat([0, 1, 2], 4).tolist()

    @pytest.mark.parametrize("n", [3, 4, 5, 10, 16, 17])
    @pytest.mark.parametrize("latent", [1, 2, 32])
    def test_small_runs_have_maps(self, make: Maker, n: int, latent: int) -> None:
        fit = project(make(gaussian(n, latent)), "umap")
        assert fit.coordinates.shape == (n, 2)
        assert np.isfinite(fit.coordinates).all()
        assert len(np.unique(fit.coordinates, axis=0)) == n

    def test_equal_codes_share_one_place(self, make: Maker) -> None:
        codes = np.concatenate([gaussian(20, 4), gaussian(20, 4)])
        fit = project(make(codes), "umap")
        np.testing.assert_array_equal(fit.coordinates[:20], fit.coordinates[20:])
        np.testing.assert_allclose(fit.place(codes), fit.coordinates, atol=1e-5)

    def test_two_sentences_are_too_few(self, make: Maker) -> None:
        with pytest.raises(ValueError, match="at least 3 sentences, but there are 2"):
            project(make(gaussian(2, 4)), "umap")


@pytest.mark.parametrize("method", METHODS)
class TestBoth:
    def test_a_collapsed_run_is_one_point_at_the_origin(self, make: Maker, method: str) -> None:
        codes = np.repeat(gaussian(1, 6), 40, axis=0)
        run = make(codes)
        for fit in (project(run, method), cached(run, method)):
            assert fit is not None
            assert not fit.coordinates.any()
            assert not fit.place(codes[:1]).any()
            assert np.isfinite(fit.place(gaussian(3, 6, seed=1))).all()
            assert len(fit.axes) == 2

    def test_two_distinct_codes_keep_their_distance(self, make: Maker, method: str) -> None:
        codes = np.repeat(np.array([[0, 0, 0], [3, 4, 0]], np.float32), 10, axis=0)
        fit = project(make(codes), method)
        assert np.linalg.norm(fit.coordinates[0] - fit.coordinates[-1]) == pytest.approx(5, rel=1e-5)

    def test_other_codes_make_the_cache_stale(self, make: Maker, method: str) -> None:
        run = make(gaussian(12, 3))
        assert cached(run, method) is None
        first = project(run, method)
        write_codes(run, gaussian(13, 3))
        assert cached(run, method) is None
        second = project(run, method)
        assert len(second.coordinates) == 13
        assert second.details["codes"] != first.details["codes"]

    def test_a_damaged_cache_is_fitted_anew(self, make: Maker, method: str) -> None:
        run = make(gaussian(12, 3))
        fit = project(run, method)
        document, table = run.projections_path / f"{method}.json", run.projections_path / f"{method}.parquet"
        other = pd.DataFrame(np.zeros((12, 2), np.float32), columns=["x", "y"])
        for damage in (
            lambda: document.write_text("{", encoding="utf-8"),
            lambda: document.write_text("[]", encoding="utf-8"),
            lambda: document.write_text(json.dumps({"method": method}), encoding="utf-8"),
            document.unlink,
            lambda: table.write_bytes(b"PAR1"),
            lambda: other.to_parquet(table),
            lambda: other[["x"]].to_parquet(table),
        ):
            damage()
            assert cached(run, method) is None
            np.testing.assert_array_equal(project(run, method).coordinates, fit.coordinates)

    def test_bad_codes_to_place_are_one_sentence(self, make: Maker, method: str) -> None:
        fit = project(make(gaussian(12, 3)), method)
        with pytest.raises(ValueError, match=r"shape \(n, 3\), but these have the shape \(2, 4\)"):
            fit.place(np.zeros((2, 4), np.float32))
        with pytest.raises(ValueError, match="not finite"):
            fit.place(np.full((2, 3), np.nan, np.float32))
        assert fit.place(np.zeros((0, 3), np.float32)).shape == (0, 2)


def test_an_unknown_method_and_a_run_without_codes_are_one_sentence(make: Maker) -> None:
    run = make(gaussian(5, 2))
    for ask in (project, cached):
        with pytest.raises(ValueError, match="no map 'tsne': choose umap or pca"):
            ask(run, "tsne")
    run.latents_path.unlink()
    for ask in (project, cached):
        with pytest.raises(ValueError, match="no codes yet"):
            ask(run, "pca")


def test_a_kept_map_is_read_and_placed_on_without_heavy_libraries(make: Maker) -> None:
    run = make(gaussian(12, 3))
    assert isinstance(project(run, "umap"), Projection)
    code = (
        "import sys; from vae.projection import cached; from vae.runs import Run;"
        f"fit = cached(Run({str(run.path)!r}), 'umap'); fit.place(fit.codes);"
        "sys.exit(', '.join({'umap', 'numba', 'sklearn', 'torch'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
