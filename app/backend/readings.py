"""Codes that one can start from, and codes read: a sentence for each, and where each lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from app.backend import maps, models, shell
from app.backend.models import Model


@dataclass(frozen=True, kw_only=True)
class Start:
    """A code to start from: a draw from the `prior`, by its seed, the mean code of a `sentence`, or `zero`."""

    kind: Literal["prior", "sentence", "zero"] = "prior"
    seed: int = 0
    text: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """Codes, each with its sentence."""

    codes: Float[ndarray, "n latent"]
    texts: list[str]
    shells: list[float]
    """How far |z| is from that of prior samples, in their standard deviations."""
    nearest: list[tuple[str, float]]
    """The nearest sentence of the map and its distance; empty for a model without codes."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """A slider over codes that have been read: at each of its values, a row of the reading."""

    name: str
    values: list[float]
    rows: list[int]
    own: int
    """Which of the values is the present one, by its place."""
    base: int
    """Which one it has at the base."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Sliders over one reading, all of it decoded in one batch, so that moving one of them asks nobody."""

    reading: Reading
    own: int
    """The row of the present code."""
    base: int
    """The row of the code that it is held against."""
    dials: list[Dial]
    followers: list[list[int]]
    """Further sentences that the first slider moves: for each, a row at each of its values."""


def start_code(of: Model, start: Start) -> Float[ndarray, " latent"]:
    """The code to start from."""
    if start.kind == "prior":
        return models.prior(of, 1, start.seed)[0]
    if start.kind == "zero":
        return np.zeros(models.latent_size(of), np.float32)
    return models.encode(of, start.text)[0]


def start_python(start: Start) -> str:
    """The same as an expression of `space`."""
    if start.kind == "prior":
        return f"space.sample_prior(1, seed={start.seed})[0]"
    return (
        "torch.zeros(space.latent_size)" if start.kind == "zero" else f"space.encode([{start.text.strip()!r}]).mean[0]"
    )


def load_python(of: Model) -> str:
    """The line that loads a model, as it is typed at the top of the project."""
    return f"space = vae.load({shell.source(of.source)!r}{'' if of.snapshot is None else f', snapshot={of.snapshot}'})"


def read(of: Model, codes: Float[ndarray, "n latent"]) -> Reading:
    """Read codes greedily, all in one batch, with how typical each is and which sentence lies nearest."""
    torch = models.load_torch()
    from vae import explore, latents

    codes = np.asarray(codes, np.float32)
    near: list[tuple[str, float]] = []
    if maps.has_codes(of):
        known = maps.codes(of)
        rows, distances = latents.nearest(known.means, codes, 1)
        near = [(known.texts[row], float(far)) for row, far in zip(rows[:, 0], distances[:, 0], strict=True)]
    return Reading(
        codes=codes,
        texts=models.decode(of, codes),
        shells=explore.shell(torch.tensor(codes)).tolist(),
        nearest=near,
    )
