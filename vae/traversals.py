"""One dimension of z at a time: how far a traversal goes, which values it takes, and a code with some values changed.

Values of a code are written in as few digits as name their float32, so that they can be printed, sent and read back
without loss. No torch; `vae.explore.traverse` makes the codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

VALUES = 11
"""Evenly spaced values of a traversal, 0 in the middle."""
REACH = 2.5
"""How far a traversal goes to either side, in standard deviations of the prior: 99 % of it lies within."""
FARTHEST = 100.0
"""The largest value that a dimension can be given by hand."""


def reach(means: Float[ndarray, "sentences latent"], logvars: Float[ndarray, "sentences latent"]) -> list[float]:
    """How far each dimension is traversed to either side: farther where its codes vary more than the prior does.

    `REACH` times the standard deviation of the aggregate posterior, if that is above 1, to the nearest half.
    """
    spread = np.sqrt(means.var(0) + np.exp(logvars).mean(0))
    return [round(2 * REACH * max(1.0, sd)) / 2 for sd in spread.tolist()]


def stops(far: float, *further: float, count: int = VALUES) -> list[float]:
    """The values of a traversal in order: `count` even ones from -far to far, and some more."""
    return sorted({short(value) for value in np.linspace(-far, far, count).round(6)} | set(further))


def even(low: float, high: float, step: float) -> list[float]:
    """Numbers from low to high, in decimals: what a slider of such a step stops at."""
    return [round(low + step * number, 6) + 0.0 for number in range(round((high - low) / step) + 1)]


def moved(base: Float[ndarray, " latent"], changes: Mapping[int, float]) -> Float[ndarray, " latent"]:
    """The base with some dimensions set to other values; `ValueError` for a dimension that it does not have."""
    z = base.astype(np.float32)
    for dimension, value in changes.items():
        if not 0 <= dimension < len(z):
            raise ValueError(
                f"There is no dimension {dimension} in a code of {len(z)}: choose one from 0 to {len(z) - 1}."
            )
        z[dimension] = value
    return z


def by_kl(kl: Sequence[float], size: int) -> list[tuple[int, float | None]]:
    """Every dimension with its KL in nats, the most used first; as they come where there is no KL for each."""
    if len(kl) != size:
        return [(dimension, None) for dimension in range(size)]
    order = sorted(range(size), key=lambda dimension: -kl[dimension])
    return [(dimension, kl[dimension]) for dimension in order]


def short(value: float) -> float:
    """A number of a code in as few digits as name it."""
    return float(str(np.float32(value)))
