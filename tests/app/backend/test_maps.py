import shutil
import sys

import numpy as np
import pytest

from app import backend
from app.backend import errands
from vae import projection
from vae.latents import read_latents


def test_codes_are_those_of_the_run(model, sentences):
    known, kept = backend.codes(model), read_latents(model.run)
    assert known.texts == sentences
    assert known.words.tolist() == [len(text.split()) for text in sentences]
    assert list(known.labels) == ["subject"]
    import torch

    from vae.posterior import DiagonalGaussian

    kl = DiagonalGaussian(torch.tensor(kept.means), torch.tensor(kept.logvars)).kl_per_dim().sum(1)
    assert known.kl_nats == pytest.approx(kl.numpy(), rel=1e-5)


def test_sentences_can_be_encoded_afterwards(explored, corpus_file):
    from dataclasses import replace

    from vae.runs import write_json

    config = replace(explored.config, data=replace(explored.config.data, corpus=f"file:{corpus_file}"))
    write_json(explored.path / "config.json", config.to_dict())
    explored.latents_path.unlink()
    model = backend.model("explored")
    assert not backend.has_codes(model)
    backend.encode_sentences(model)
    assert len(backend.codes(model).texts) > 1
    assert backend.project(model, "pca") is not None


def test_pca_is_fitted_where_it_is_missing_and_umap_is_not(model):
    shutil.rmtree(model.run.projections_path)
    assert backend.project(model, "pca").exact
    assert backend.project(model, "umap") is None


@pytest.fixture
def started(monkeypatch):
    """The processes that were started: none runs, and each ends when it is given a return code."""
    processes = []

    class Process:
        def __init__(self, command, **_):
            self.command, self.returncode = command, None
            processes.append(self)

        def poll(self):
            return self.returncode

    monkeypatch.setattr(errands.subprocess, "Popen", Process)
    return processes


def test_umap_is_fitted_by_one_process_of_its_own(model, started):
    assert backend.fitting(model) is None
    backend.fit_umap(model)
    backend.fit_umap(model)
    (process,) = started
    assert process.command == [sys.executable, "-m", "vae", "project", str(model.run.path), "--method", "umap"]
    assert backend.fitting(model).seconds >= 0
    process.returncode = 0
    assert backend.fitting(model) is None


def test_a_umap_that_fails_says_why_and_can_be_tried_again(model, started):
    backend.fit_umap(model)
    (model.run.projections_path / "umap.log").write_text("first\nno room left\n", encoding="utf-8")
    started[0].returncode = 2
    assert backend.fitting(model) == backend.Errand(problem="no room left")
    backend.fit_umap(model)
    assert len(started) == 2
    assert backend.fitting(model).problem == ""


def test_a_map_that_appears_is_seen(model):
    assert backend.project(model, "umap") is None
    plane = projection.project(model.run, "pca")
    for kind in ("json", "parquet"):  # stands for a UMAP, with its fingerprints
        shutil.copy(model.run.projections_path / f"pca.{kind}", model.run.projections_path / f"umap.{kind}")
    assert np.array_equal(backend.project(model, "umap").coordinates, plane.coordinates)


def test_a_umap_whose_log_cannot_be_written_is_one_sentence(model):
    shutil.rmtree(model.run.projections_path)
    model.run.projections_path.write_text("in the way", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^The UMAP of explored could not be started \([^\n]+\)\.$"):
        backend.fit_umap(model)
