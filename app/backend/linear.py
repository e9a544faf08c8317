"""The linear VAE at many noises: trained at each, with the exact answer beside it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from vae import linear

VARIANCES = (5.3, 2.66, 1.33, 0.67, 0.33, 0.15)
"""How much the data vary in each of their directions."""

NOISES = tuple(round(10 ** (stop / 20 - 1), 4) for stop in range(41))
"""Variances of the decoder's noise, twenty to a factor of ten. No variance of the data is near to one of them."""


@dataclass(frozen=True, kw_only=True)
class LinearVae:
    """One linear VAE a noise: the KL of its dimensions in nats, the greatest first, as trained and as it should be."""

    variances: tuple[float, ...]
    noises: tuple[float, ...]
    trained: list[list[float]]
    exact: list[list[float]]
    alive: list[int]
    """How many dimensions are alive after training."""


@st.cache_resource(show_spinner=False)
def linear_vae() -> LinearVae:
    """Train them all, in less than a second, the first time that somebody asks; who asks meanwhile waits for it."""
    trained, exact = linear.train(VARIANCES, NOISES), linear.optimum(VARIANCES, NOISES)
    return LinearVae(
        variances=VARIANCES,
        noises=NOISES,
        trained=trained.kl.tolist(),
        exact=exact.kl.tolist(),
        alive=trained.alive.sum(1).tolist(),
    )
