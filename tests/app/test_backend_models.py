"""The app's door to models, codes and maps."""

import contextlib
import io
import shlex
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from app import backend
from app.backend import Decoding, End
from vae import projection
from vae.latents import read_latents

WAYS = {"steps": 5, "method": "slerp", "extend": 0.25}
TYPED = End(kind="sentence", text="an old dog waits for 'it' .")
ENDS = {
    "prior": End(seed=3),
    "typed": TYPED,
    "typed, drawn": End(kind="sentence", text="the boy is riding a bus .", drawn=True, seed=4),
    "map": End(kind="map", row=7),
    "map, drawn": End(kind="map", row=7, drawn=True, seed=5),
}


@pytest.fixture
def model(explored):
    return backend.model("explored")


def test_a_path_goes_from_end_to_end_in_even_steps(model):
    walk = backend.walk(model, ENDS["prior"], ENDS["map"], steps=9, extend=0.5)
    assert walk.places == pytest.approx(np.linspace(-0.5, 1.5, 9))
    assert walk.codes.shape == (9, 5)
    assert len(walk.texts) == len(walk.shells) == len(walk.nearest) == 9
    assert np.allclose(walk.codes[2], backend.prior(model, 2, 3)[0], atol=1e-6)
    assert np.allclose(walk.codes[6], backend.codes(model).means[7], atol=1e-6)


def test_the_nearest_sentence_of_a_code_of_the_map_is_its_own(model, sentences):
    walk = backend.walk(model, ENDS["map"], ENDS["prior"], steps=3)
    assert walk.nearest[0] == (sentences[7], pytest.approx(0, abs=1e-5))


def test_two_ends_from_one_seed_are_two_codes(model):
    a, b = backend.end_code(model, End(seed=1), 0), backend.end_code(model, End(seed=1), 1)
    assert not np.allclose(a, b)


def test_a_sample_of_a_posterior_follows_its_seed_and_is_not_its_mean(model):
    drawn = [backend.end_code(model, End(kind="map", row=2, drawn=True, seed=seed), 0) for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], backend.codes(model).means[2])


@pytest.mark.parametrize("how", [Decoding(), Decoding(method="sample", temperature=0.8, top_p=0.9, seed=6),
                                 Decoding(method="beam", beams=2)], ids=lambda how: how.method)  # fmt: skip
@pytest.mark.parametrize("b", ENDS, ids=str)
def test_the_python_to_be_copied_reads_the_same(model, b, how):
    ways = WAYS | {"how": how}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(backend.walk_python(model, ENDS["prior"], ENDS[b], **ways), {})
    assert said.getvalue() == "\n".join([*backend.walk(model, ENDS["prior"], ENDS[b], **ways).texts, ""])


@pytest.mark.parametrize(("a", "b"), [("prior", "prior"), ("typed", "map")])
def test_the_command_to_be_copied_reads_the_same(model, a, b):
    from vae import cli

    ways = WAYS | {"how": Decoding()}
    command = backend.walk_command(model, ENDS[a], ENDS[b], **ways)
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "vae"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert cli.main(words[3:]) == 0
    walk = backend.walk(model, ENDS[a], ENDS[b], **ways)
    lines = [f"{t:6.2f}  {text}" for t, text in zip(walk.places, walk.texts, strict=True)]
    assert said.getvalue() == "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        (End(seed=1), End(seed=2), Decoding()),
        (End(seed=1), TYPED, Decoding()),
        (ENDS["typed, drawn"], TYPED, Decoding()),
        (TYPED, TYPED, Decoding(method="beam")),
    ],
    ids=["two seeds", "mixed", "drawn", "beam"],
)
def test_what_the_command_line_cannot_say_has_no_command(model, a, b, how):
    assert backend.walk_command(model, a, b, **WAYS, how=how) is None


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (End(kind="sentence", text=" \n"), "End B is an empty sentence"),
        (End(kind="map", row=120), "There is no sentence 120 on the map of explored: choose one from 0 to 119"),
        (End(kind="map", row=-1), "no sentence -1"),
    ],
)
def test_an_end_that_is_none_is_named(model, end, words):
    with pytest.raises(ValueError, match=words):
        backend.walk(model, End(), end)


def test_a_path_is_decoded_once(model, monkeypatch):
    from vae.space import Space

    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, z, **how: calls.append(len(z)) or decode(self, z, **how))
    for _ in range(2):
        backend.walk(model, End(seed=77), End(seed=78), steps=6)
    assert calls == [6]


def test_new_weights_are_read_anew(model, make_space):
    before = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    make_space(seed=1).save_pretrained(model.run.model_path)
    after = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    assert np.array_equal(before[0], after[0])
    assert before[1] != after[1]


def test_one_at_a_time_decodes(model, monkeypatch):
    from vae.space import Space

    inside, most = [], []

    def slow(self, z, **how):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return ["said"] * len(z)

    monkeypatch.setattr(Space, "decode", slow)
    backend.latent_size(model)  # loaded before the race
    threads = [
        threading.Thread(target=backend.decode, args=(model, np.full((1, 5), number, np.float32)))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_a_model_folder_decodes_but_has_no_map(explored, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(explored.model_path, folder)
    model = backend.model("~model", str(folder))
    assert len(backend.walk(model, End(), End(), steps=4).texts) == 4
    assert backend.walk(model, End(), End(), steps=4).nearest == []
    assert not backend.has_codes(model)
    with pytest.raises(ValueError, match="without sentences of its own"):
        backend.codes(model)


def test_damaged_weights_are_one_sentence(model):
    weights = model.run.model_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        backend.decode(model, np.zeros((1, 5)))


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

    monkeypatch.setattr(backend.subprocess, "Popen", Process)
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
    assert backend.fitting(model) == backend.Fitting(problem="no room left")
    backend.fit_umap(model)
    assert len(started) == 2
    assert backend.fitting(model).problem == ""


def test_a_map_that_appears_is_seen(model):
    assert backend.project(model, "umap") is None
    plane = projection.project(model.run, "pca")
    for kind in ("json", "parquet"):  # stands for a UMAP, with its fingerprints
        shutil.copy(model.run.projections_path / f"pca.{kind}", model.run.projections_path / f"umap.{kind}")
    assert np.array_equal(backend.project(model, "umap").coordinates, plane.coordinates)


def test_the_door_opens_without_torch():
    script = "import sys, app.backend; assert not {'torch', 'transformers', 'sklearn', 'umap'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
