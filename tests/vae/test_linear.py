"""The linear VAE: its exact answer against other people's formulas, and training against the exact answer."""

import time

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from torch.distributions import Normal, kl_divergence

from vae import linear

VARIANCE = st.floats(0.1, 10)
VARIANCES = st.lists(VARIANCE, min_size=1, max_size=6)
NOISES = st.lists(VARIANCE, min_size=1, max_size=4)


def data_of(variances, rows=200):
    """Data whose covariance is exactly diagonal with these variances, and whose mean is 0."""
    drawn = np.random.default_rng(0).normal(size=(rows, len(variances)))
    basis = np.linalg.qr(drawn - drawn.mean(0))[0]
    return basis * np.sqrt(rows * np.asarray(variances))


def best_model(variances, noise):
    """W, V and d of the optimum, as the module's docstring gives them."""
    alive = np.maximum(variances - noise, 0)
    return (
        np.diag(np.sqrt(alive)),
        np.diag(np.sqrt(alive) / np.maximum(variances, noise)),
        np.minimum(noise / variances, 1),
    )


@given(VARIANCES, VARIANCE)
def test_the_likelihood_is_that_of_the_best_gaussian(variances, noise):
    variances = np.sort(variances)[::-1]
    weights = best_model(variances, noise)[0]
    model = multivariate_normal(np.zeros(len(variances)), weights @ weights.T + noise * np.eye(len(variances)))
    expected = np.mean(model.logpdf(data_of(variances)))
    assert linear.optimum(variances, [noise]).log_likelihood[0] == pytest.approx(expected, abs=1e-8)


@given(VARIANCES, NOISES)
def test_at_the_optimum_the_elbo_is_the_likelihood(variances, noises):
    found = linear.optimum(variances, noises)
    assert found.neg_elbo == pytest.approx(-found.log_likelihood, abs=1e-9)
    assert found.rec + found.kl.sum(1) == pytest.approx(found.neg_elbo)


@given(VARIANCES, VARIANCE)
def test_kl_and_reconstruction_are_those_of_the_best_model_on_data(variances, noise):
    variances = np.sort(variances)[::-1]
    decoder, encoder, spread = best_model(variances, noise)
    data = data_of(variances)
    means = torch.tensor(data @ encoder.T)
    deviations = torch.tensor(np.sqrt(spread))
    unit = Normal(torch.zeros_like(means), 1)
    kl = kl_divergence(Normal(means, deviations), unit).mean(0)
    found = linear.optimum(variances, [noise])
    assert found.kl[0] == pytest.approx(kl.numpy(), abs=1e-8)
    missed = ((data - means.numpy() @ decoder.T) ** 2).mean(0) + decoder.diagonal() ** 2 * spread
    rec = 0.5 * (np.log(2 * np.pi * noise) + missed / noise).sum()
    assert found.rec[0] == pytest.approx(rec, abs=1e-8)


@given(st.floats(1.01, 50), VARIANCE)
def test_the_kl_of_a_living_dimension_is_its_mutual_information(ratio, noise):
    """z given x has the variance s2 / l, and z the variance 1: their ratio is what x tells."""
    kl = linear.optimum([ratio * noise], [noise]).kl[0, 0]
    assert kl == pytest.approx(-0.5 * np.log(1 / ratio))


@given(VARIANCES, NOISES)
def test_a_dimension_lives_where_its_variance_exceeds_the_noise(variances, noises):
    found = linear.optimum(variances, noises)
    variances = np.sort(variances)[::-1]
    assert (found.alive == (variances > np.array(noises)[:, None])).all()
    assert ((found.kl > 0) <= found.alive).all()  # a hair above the noise, and the logarithm rounds to 0


@settings(max_examples=25)
@given(VARIANCES, NOISES, st.integers(0, 99))
def test_training_arrives_at_the_exact_answer(variances, noises, seed):
    ordered = np.sort(variances)
    assume((ordered[1:] > 1.3 * ordered[:-1]).all())  # which of two equal directions is whose takes long to settle
    trained, exact = linear.train(variances, noises, seed=seed), linear.optimum(variances, noises)
    assert trained.neg_elbo == pytest.approx(exact.neg_elbo, abs=5e-3)
    assert trained.kl == pytest.approx(exact.kl, abs=0.02)
    assert trained.rec == pytest.approx(exact.rec, abs=0.02)


@settings(max_examples=25)
@given(VARIANCES, NOISES, st.integers(1, 60), st.integers(0, 99))
def test_no_amount_of_training_beats_the_optimum(variances, noises, steps, seed):
    trained = linear.train(variances, noises, steps=steps, seed=seed)
    assert (trained.neg_elbo >= linear.optimum(variances, noises).neg_elbo - 1e-9).all()
    assert trained.neg_elbo == pytest.approx(trained.rec + trained.kl.sum(1))


def test_the_reconstruction_of_a_trained_model_is_what_data_say():
    """A half-trained model, by sampling: far from the optimum, where no closed form of it helps."""
    rng = np.random.default_rng(0)
    decoder, encoder, log_variances = rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), rng.normal(size=2)
    variances, noise = np.array([3.0, 0.5]), 0.7
    x = rng.normal(size=(400_000, 2)) * np.sqrt(variances)
    means = x / np.sqrt(variances) @ encoder.T
    z = means + rng.normal(size=means.shape) * np.exp(log_variances / 2)
    written = z @ decoder.T * np.sqrt(variances)
    sampled = 0.5 * (np.log(2 * np.pi * noise) + (x - written) ** 2 / noise).sum(1)
    spread = np.exp(log_variances / 2)
    told = kl_divergence(Normal(torch.from_numpy(means), torch.from_numpy(spread)), Normal(torch.zeros(2).double(), 1))
    rec, kl = linear._terms(np.vstack([decoder, encoder, log_variances])[None], variances, np.array([[noise]]))
    assert rec[0] == pytest.approx(sampled.mean(), rel=0.01)
    assert kl[0] == pytest.approx(told.mean(0).numpy(), rel=0.01)


def test_the_history_begins_at_the_random_start_and_ends_where_training_does():
    variances, noises = (4.0, 1.0, 0.2), (0.5, 2.0)
    trained = linear.train(variances, noises, steps=400)
    assert trained.history.shape == (401, 2, 3)
    assert (trained.history[-1] == trained.kl).all()
    assert (trained.history[0] < 0.2).all()  # the start tells next to nothing
    assert (np.diff(trained.kl, axis=1) <= 0).all()
    assert trained.alive.tolist() == [[True, True, False], [True, False, False]]


def test_a_seed_is_a_start():
    one, same, other = (linear.train([2.0, 0.5], [0.3], steps=5, seed=seed).kl for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).all()


def test_it_takes_no_longer_than_a_glance():
    begin = time.process_time()
    linear.train(np.geomspace(5, 0.1, 6), np.geomspace(0.1, 10, 20))
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("eigenvalues", "noise", "words"),
    [
        ([1.0, 0.0], [1.0], "A variance is a positive number, not 0.0."),
        ([1.0], [-2.0], "A noise is a positive number, not -2.0."),
        ([float("nan")], [1.0], "A variance is a positive number, not nan."),
        ([1.0], [float("inf")], "A noise is a positive number, not inf."),
        ([], [1.0], "There is no variance: give at least one."),
        ([1.0], [], "There is no noise: give at least one."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(eigenvalues, noise, words):
    for ask in (linear.optimum, linear.train):
        with pytest.raises(ValueError, match=f"^{words}$"):
            ask(eigenvalues, noise)
    with pytest.raises(ValueError, match=r"^Training takes at least 1 step, not 0\.$"):
        linear.train([1.0], [1.0], steps=0)
