"""The linear VAE, whose collapse has an exact answer: no text, no network, no torch.

    x in R^D, of covariance diag(l_1, ..., l_D)     z in R^D, p(z) = N(0, I)
    decoder p(x|z) = N(W z, s2 I)                   encoder q(z|x) = N(V x, diag(d))

At the optimum W_i = sqrt(l_i - s2) and d_i = s2 / l_i for every direction with l_i > s2: its dimension of z is alive,
and its KL is 0.5 (E mu^2 + d_i - 1 - ln d_i) = 0.5 ln(l_i / s2), because E mu^2 = 1 - d_i. All others are dead: their
KL is 0, and their x is noise to the decoder. The noise s2 is given, not learned: it is what decides.

Tipping & Bishop 1999 (probabilistic PCA: what is optimal, and its likelihood); Dai et al. 2018 and Lucas et al. 2019
(the ELBO of the linear VAE reaches it, and has no other maximum). Left out: the mean of x, which costs nothing, and a
change of basis of x, which changes nothing, so that the covariance is diagonal without loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

STEPS = 1000
"""Steps of training that are enough for variances and noises within a factor of a hundred of each other."""

ALIVE_NATS = 0.01
"""The KL from which a trained dimension counts as alive. It is never exactly 0 there."""

_RATE = 0.2
_DECAYS = (0.9, 0.99)
_TINY = 1e-8
_FIRST = 0.1


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The best linear VAE for each of some noises. Nats are per x, on average over the data."""

    kl: Float[ndarray, "noises latent"]
    """KL of each dimension of z, which is also its mutual information with x, in nats; eigenvalues in falling order."""
    alive: Bool[ndarray, "noises latent"]
    rec: Float[ndarray, " noises"]
    """What it costs to rebuild x, in nats: of densities, so it may be negative."""
    neg_elbo: Float[ndarray, " noises"]
    log_likelihood: Float[ndarray, " noises"]
    """ln p(x) in nats, in closed form (Tipping & Bishop 1999)."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Linear VAEs after training, one a noise. Dimensions of z stand by their KL at the end, the greatest first."""

    kl: Float[ndarray, "noises latent"]
    """In nats."""
    rec: Float[ndarray, " noises"]
    """In nats."""
    neg_elbo: Float[ndarray, " noises"]
    """In nats."""
    history: Float[ndarray, "checks noises latent"]
    """The KL of each dimension before the first step and after each, in nats."""

    @property
    def alive(self) -> Bool[ndarray, "noises latent"]:
        """Which dimensions have a KL that counts."""
        return self.kl > ALIVE_NATS


def optimum(eigenvalues: Sequence[float], noise: Sequence[float]) -> Optimum:
    """The exact answer for data of these variances, at each noise s2 (both in units of x squared).

    `ValueError` for a variance or a noise that is not positive.
    """
    variances, noises = _checked(eigenvalues, noise)
    ratio = variances / noises
    kl = 0.5 * np.log(np.maximum(ratio, 1))
    rec = 0.5 * (np.log(2 * np.pi * noises) + np.minimum(ratio, 1)).sum(1)
    explained = np.maximum(variances, noises)  # the eigenvalues of W W^T + s2 I
    return Optimum(
        kl=kl,
        alive=ratio > 1,
        rec=rec,
        neg_elbo=rec + kl.sum(1),
        log_likelihood=-0.5 * (np.log(2 * np.pi * explained) + variances / explained).sum(1),
    )


def train(eigenvalues: Sequence[float], noise: Sequence[float], *, steps: int = STEPS, seed: int = 0) -> Trained:
    """Climb the ELBO by its gradient from a random start: one VAE for each noise s2, all at once and alike.

    The expectations over data of these variances are exact, so nothing is random but the start. The steps are Adam's
    (Kingma & Ba 2015), on W, V and ln d, and grow smaller to the end; W and V act on x in units of its deviations.
    `ValueError` for a variance or a noise that is not positive, or for fewer than 1 step.
    """
    variances, noises = _checked(eigenvalues, noise)
    if steps < 1:
        raise ValueError(f"Training takes at least 1 step, not {steps}.")
    size = variances.size
    start = np.random.default_rng(seed).normal(0, _FIRST, (2 * size + 1, size))
    model = np.repeat(start[None], len(noises), 0)
    slope, square = np.zeros_like(model), np.zeros_like(model)
    rec, kl = _terms(model, variances, noises)
    history = [kl]
    for step in range(steps):
        gradient = _gradient(model, variances, noises)
        slope += (1 - _DECAYS[0]) * (gradient - slope)
        square += (1 - _DECAYS[1]) * (gradient**2 - square)
        towards = slope / (1 - _DECAYS[0] ** (step + 1))
        model += _RATE * (1 - step / steps) * towards / (np.sqrt(square / (1 - _DECAYS[1] ** (step + 1))) + _TINY)
        rec, kl = _terms(model, variances, noises)
        history.append(kl)
    order = np.argsort(-kl, axis=1)
    return Trained(
        kl=np.take_along_axis(kl, order, 1),
        rec=rec,
        neg_elbo=rec + kl.sum(1),
        history=np.take_along_axis(np.stack(history), order[None], 2),
    )


def _terms(
    model: Float[ndarray, "noises rows latent"], variances: Float[ndarray, " data"], noises: Float[ndarray, "noises 1"]
) -> tuple[Float[ndarray, " noises"], Float[ndarray, "noises latent"]]:
    """The reconstruction, and the KL of each dimension, in nats."""
    decoder, encoder, log_variances = _parts(model)
    spread = np.exp(log_variances)
    missed = np.eye(variances.size) - decoder @ encoder
    lost = variances * ((missed**2).sum(2) + (decoder**2 * spread[:, None]).sum(2))
    rec = 0.5 * (np.log(2 * np.pi * noises) + lost / noises).sum(1)
    return rec, 0.5 * ((encoder**2).sum(2) + spread - 1 - log_variances)


def _gradient(
    model: Float[ndarray, "noises rows latent"], variances: Float[ndarray, " data"], noises: Float[ndarray, "noises 1"]
) -> Float[ndarray, "noises rows latent"]:
    """The gradient of the ELBO, which is that of -(rec + KL) in `_terms`."""
    decoder, encoder, log_variances = _parts(model)
    spread = np.exp(log_variances)[:, None]
    ratio = (variances / noises)[:, :, None]
    missed = ratio * (np.eye(variances.size) - decoder @ encoder)
    to_decoder = missed @ encoder.swapaxes(1, 2) - ratio * decoder * spread
    to_encoder = decoder.swapaxes(1, 2) @ missed - encoder
    to_log_variances = 0.5 * (1 - spread * (1 + (ratio * decoder**2).sum(1, keepdims=True)))
    return np.concatenate([to_decoder, to_encoder, to_log_variances], 1)


def _parts(
    model: Float[ndarray, "noises rows latent"],
) -> tuple[Float[ndarray, "noises data latent"], Float[ndarray, "noises latent data"], Float[ndarray, "noises latent"]]:
    """W, V and ln d, which lie below each other."""
    size = model.shape[2]
    return model[:, :size], model[:, size:-1], model[:, -1]


def _checked(
    eigenvalues: Sequence[float], noise: Sequence[float]
) -> tuple[Float[ndarray, " data"], Float[ndarray, "noises 1"]]:
    """Variances in falling order, and noises as a column."""
    for name, values in (("variance", eigenvalues), ("noise", noise)):
        if not len(values):
            raise ValueError(f"There is no {name}: give at least one.")
        for value in values:
            if not 0 < value < np.inf:
                raise ValueError(f"A {name} is a positive number, not {value}.")
    return np.sort(np.asarray(eigenvalues, float))[::-1], np.asarray(noise, float)[:, None]
