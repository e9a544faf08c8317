"""Films: exact on their plane, read back as they were written, encoded once; what is damaged is said to be."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from vae import film, latents, recipes
from vae.film import Film, Frame
from vae.metrics import active_units
from vae.posterior import DiagonalGaussian
from vae.runs import Run, Status, write_json

MEANS = arrays(np.float64, (7, 4), elements=st.floats(-5, 5, width=32))
LOGVARS = arrays(np.float64, (7, 4), elements=st.floats(-6, 1, width=32))


def random_frames(count: int = 3, seed: int = 0) -> list[Frame]:
    rng = np.random.default_rng(seed)
    return [
        Frame(step=10 * step, means=rng.normal(0, 1 + step, (7, 4)), logvars=rng.normal(-1, 1, (7, 4)))
        for step in range(count)
    ]


@settings(max_examples=40, deadline=None)
@given(MEANS, LOGVARS)
def test_places_and_spreads_are_those_of_samples_seen_on_the_plane(means, logvars):
    frame = Frame(step=0, means=means, logvars=logvars)
    plane = Film(
        texts=[""] * 7, labels={}, frames=[Frame(step=0, means=means + np.eye(7, 4), logvars=logvars)]
    ).principal
    shown = film.screen([frame], plane)
    turn = plane.axes  # (2, L)
    for row in range(7):
        assert np.allclose(shown.places[0, row], turn @ (means[row] - plane.origin))
        covariance = turn @ np.diag(np.exp(logvars[row])) @ turn.T
        a, b, c = shown.spreads[0, row]
        assert np.allclose([[a, b], [b, c]], covariance)
    assert np.allclose(shown.prior, turn @ -plane.origin)


def test_a_collapsed_frame_is_the_circle_of_the_prior_at_its_middle():
    frames = [*random_frames(1), Frame(step=9, means=np.zeros((7, 4)), logvars=np.zeros((7, 4)))]
    shown = film.screen(frames, Film(texts=[""] * 7, labels={}, frames=frames[:1]).principal)
    assert np.allclose(shown.places[1], shown.prior)
    assert np.allclose(shown.spreads[1], [1, 0, 1])
    assert shown.seen[1] == pytest.approx(0, abs=1e-12)
    assert np.allclose(frames[1].kl_nats, 0)
    assert frames[1].active_units == 0


def test_what_is_seen_of_the_last_frame_is_the_share_that_names_the_axes():
    frames = random_frames()
    seen = Film(texts=[""] * 7, labels={}, frames=frames)
    shown = film.screen(frames, seen.principal)
    shares = [int(name.split("(")[1].split()[0]) for name in seen.principal.names]
    assert 100 * shown.seen[-1] == pytest.approx(sum(shares), abs=1.01)
    flat = np.linalg.eigvalsh(np.cov(frames[-1].means.T, bias=True))
    assert shown.seen[-1] == pytest.approx(flat[-2:].sum() / flat.sum())


def test_the_two_dimensions_are_those_of_the_highest_kl_at_the_end():
    frames = random_frames(2)
    frames[-1].means[:, 2] += 30
    frames[-1].means[:, 0] -= 20
    plane = Film(texts=[""] * 7, labels={}, frames=frames).dimensions
    assert plane.names[0].startswith("z2 (KL ")
    assert plane.names[1].startswith("z0 (KL ")
    assert np.allclose(film.screen(frames, plane).places[0], frames[0].means[:, [2, 0]])


def test_figures_of_a_frame_are_those_of_the_metrics():
    import torch

    for frame in random_frames(3, seed=4):
        q = DiagonalGaussian(torch.tensor(frame.means), torch.tensor(frame.logvars))
        assert np.allclose(frame.kl_nats, q.kl_per_dim().sum(1))
        assert frame.active_units == active_units(q.mean).count


@pytest.fixture
def run(tmp_path) -> Run:
    made = Run.create(tmp_path / "filmed", recipes.get("two-phase"))
    made.write_status(Status(state="finished", step=20, phase=2))
    return made


def keep(run: Run, frames: list[Frame], **columns: list[str]) -> None:
    run.codes_path.mkdir()
    write_json(run.codes_path / "texts.json", columns)
    for frame in frames:
        codes = {"mean": frame.means.astype(np.float16), "logvar": frame.logvars.astype(np.float16)}
        save_file(codes, run.codes_path / f"step-{frame.step}.safetensors")


def test_codes_that_a_run_has_kept_are_read_in_the_order_of_their_steps(run):
    frames = random_frames(12)
    keep(run, frames[::-1], text=list("abcdefg"), kind=list("xyxyxyx"))
    seen = film.read(run)
    assert [frame.step for frame in seen.frames] == [frame.step for frame in frames]
    assert np.allclose(seen.frames[3].means, frames[3].means, atol=0.02)
    assert seen.texts == list("abcdefg")
    assert seen.labels == {"kind": list("xyxyxyx")}


def test_a_run_without_codes_has_no_film_and_damaged_codes_are_said(run):
    assert film.read(run) is None
    keep(run, random_frames(2), text=list("abcdef"))
    with pytest.raises(ValueError, match="is damaged"):
        film.read(run)
    write_json(run.codes_path / "texts.json", {"text": list("abcdefg")})
    assert film.read(run) is not None
    (run.codes_path / "step-0.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="is damaged"):
        film.read(run)


@pytest.fixture
def weighed(run, make_space, sentences) -> Run:
    """A run with two snapshots, last weights, and labelled sentences."""
    for seed, folder in enumerate([run.path / "snapshots/step-0", run.path / "snapshots/step-10", run.model_path]):
        make_space(seed).save_pretrained(folder)
    subjects = [text.split()[0] for text in sentences]
    latents.write_latents(run, make_space(2), pd.DataFrame({"text": sentences, "subject": subjects}))
    return run


def test_weights_along_the_way_make_a_film_and_are_opened_once(weighed, make_space, sentences):
    asked = []

    def load(snapshot):
        asked.append(snapshot)
        return make_space({0: 0, 10: 1, None: 2}[snapshot])

    assert film.weights(weighed) == {0: 0, 10: 10, 20: None}
    seen = film.from_weights(weighed, load)
    assert asked == [0, 10, None]
    assert [frame.step for frame in seen.frames] == [0, 10, 20]
    assert seen.texts == sentences
    assert seen.labels["subject"] == [text.split()[0] for text in sentences]
    assert np.allclose(seen.frames[-1].means, latents.read_latents(weighed).means, atol=2e-3)
    again = film.from_weights(weighed, load)
    assert asked == [0, 10, None]
    assert np.array_equal(again.frames[1].means, seen.frames[1].means)

    make_space(5).save_pretrained(weighed.path / "snapshots/step-10")  # other weights: another frame
    film.from_weights(weighed, load)
    assert asked == [0, 10, None, 10]


def test_of_a_run_that_trains_only_snapshots_are_frames(weighed):
    weighed.write_status(Status(state="running", step=15))
    assert film.weights(weighed) == {0: 0, 10: 10}


def test_a_film_of_no_weights_is_refused(run, make_space, sentences):
    latents.write_latents(run, make_space(), pd.DataFrame({"text": sentences}))
    with pytest.raises(ValueError, match="no weights yet"):
        film.from_weights(run, lambda _: make_space())


def test_a_folder_that_cannot_be_written_still_gives_the_frame(weighed, make_space):
    weighed.projections_path.write_text("a file where the folder should be", encoding="utf-8")
    frame = film.encode(weighed, 0, make_space(0))
    assert len(frame.means) == 120
    assert film.known(weighed, 0) is None


def test_a_film_is_read_without_torch():
    code = "import sys, vae.film; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
