"""What a label tells about a dimension of z: the correlation ratio, and mutual information.

Both ask of one dimension and one categorical label at a time. A label can be readable from the whole code and from no
dimension alone, and a dimension that carries a label need not be read by the decoder: these are figures of the encoder.

No torch here: codes come from latents.parquet as arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

NEIGHBOURS = 3
"""k of the nearest-neighbour estimator of mutual information, as in Ross 2014 and in scikit-learn."""


class Association(NamedTuple):
    """How much each label tells about each dimension of z."""

    labels: list[str]
    """The label columns, in the order of the rows below."""
    r2: Float[ndarray, "labels latent"]
    """Correlation ratio, from 0 to 1."""
    chance: Float[ndarray, " labels"]
    """What the correlation ratio of a label that tells nothing is on average: more with more values."""
    mi_nats: Float[ndarray, "labels latent"]
    """Mutual information, nats; at most the entropy of the label."""
    entropy_nats: Float[ndarray, " labels"]
    """Entropy of each label."""


def association(
    means: Float[ndarray, "sentences latent"], labels: Mapping[str, Sequence[object]], *, seed: int = 0
) -> Association:
    """Every label against every dimension. `labels` holds a value a sentence for each column: a DataFrame will do.

    `ValueError` for codes or labels that are empty, not finite, or of unequal lengths.
    """
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or not means.size or not np.isfinite(means).all():
        raise ValueError(f"The codes have the shape {means.shape}: give finite numbers, a row a sentence.")
    names = list(labels)
    if not names:
        raise ValueError("There are no labels to hold against the dimensions: give at least one column.")
    for name in names:
        if len(labels[name]) != len(means):
            raise ValueError(
                f"The label {name!r} has {len(labels[name])} values for {len(means)} codes: give one a sentence."
            )
    columns = [numbered(labels[name]) for name in names]
    return Association(
        labels=names,
        r2=np.stack([correlation_ratio(means, of) for of in columns]),
        chance=np.array([correlation_ratio_by_chance(of) for of in columns]),
        mi_nats=np.stack([mutual_information(means, of, seed=seed) for of in columns]),
        entropy_nats=np.array([entropy(of) for of in columns]),
    )


def numbered(values: Sequence[object]) -> Int[ndarray, " sentences"]:
    """The number of the group that each value belongs to; what is missing (NaN) is a group of its own."""
    numbers: dict[object, int] = {}
    named = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    return np.array([numbers.setdefault(value, len(numbers)) for value in named], np.int64)


def correlation_ratio(
    means: Float[ndarray, "sentences latent"], groups: Int[ndarray, " sentences"]
) -> Float[ndarray, " latent"]:
    """Share of the variance of each dimension that lies between the groups: eta squared, the R2 of a one-way ANOVA.

    sum_g n_g (mean_g - mean)^2 / sum_i (x_i - mean)^2 (Pearson 1905; Fisher 1925), from 0 to 1. It sees differences
    of means alone: a label that widens a dimension without moving it scores 0. So does every label on a dimension
    that does not vary. `groups` numbers the group of each sentence from 0.
    """
    centred = np.asarray(means, np.float64) - np.mean(means, axis=0, dtype=np.float64)
    sizes = np.bincount(groups)
    sums = np.stack([np.bincount(groups, column, len(sizes)) for column in centred.T])  # (latent, groups)
    between = (np.square(sums) / np.maximum(sizes, 1)).sum(1)
    total = np.square(centred).sum(0)
    varies = ~_constant(means)
    share: ndarray = np.divide(between, total, out=np.zeros_like(total), where=varies & (total > 0))
    return share.clip(0, 1)


def correlation_ratio_by_chance(groups: Int[ndarray, " sentences"]) -> float:
    """The mean correlation ratio over all ways to shuffle the label, exact: (G - 1) / (n - 1) of G groups."""
    n = len(groups)
    return (len(np.unique(groups)) - 1) / (n - 1) if n > 1 else 0.0


def mutual_information(
    means: Float[ndarray, "sentences latent"], groups: Int[ndarray, " sentences"], *, seed: int = 0
) -> Float[ndarray, " latent"]:
    """I(z_d; label), nats, of each dimension: the k-nearest-neighbour estimator between a number and a category.

    Ross 2014, "Mutual Information between Discrete and Continuous Data Sets", as scikit-learn has it; the seed is that
    of the tiny noise that breaks ties. From 0 to the entropy of the label, and clipped to that: the estimator may
    step over both ends. A group of one sentence has no neighbours and is left out by the estimator.
    """
    from sklearn.feature_selection import mutual_info_classif

    means = np.asarray(means, np.float64)
    varies, limit = ~_constant(means), entropy(groups)
    found = np.zeros(means.shape[1])
    if varies.any() and limit > 0 and np.bincount(groups).max() > 1:
        found[varies] = mutual_info_classif(
            means[:, varies], groups, discrete_features=False, n_neighbors=NEIGHBOURS, random_state=seed
        )
    return np.clip(found, 0, limit)


def entropy(groups: Int[ndarray, " sentences"]) -> float:
    """Entropy of a label, nats, of its values as counted: from 0 to ln G."""
    shares = np.bincount(groups) / len(groups)
    shares = shares[shares > 0]
    return max(0.0, float(-(shares * np.log(shares)).sum()))


def _constant(means: Float[ndarray, "sentences latent"]) -> ndarray:
    """Which dimensions are the same for every sentence."""
    constant: ndarray = np.ptp(means, axis=0) == 0
    return constant
