"""A label read from whole codes: by a linear classifier from some examples, by a Gaussian mixture from none.

The codes stay as they are; nothing of the model is trained. Accuracy is a share of the held-out sentences, 0 to 1.
Held-out labels judge and do nothing else; which cluster stands for which label is for the caller to choose elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""C of the logistic regression, from much to little regularisation."""

FOLDS = 5


def linear_accuracy(
    train: Any,
    train_labels: Int[ndarray, " train"],
    test: Any,
    test_labels: Int[ndarray, " test"],
    *,
    size: int,
    seed: int = 0,
) -> float:
    """Held-out accuracy of a logistic regression on `size` random examples of `train`; those of a seed are nested.

    Rows are sentences, columns those of a code (standardised by the examples) or of `bag_of_words` (sparse, left as
    they are). Regularisation is chosen by cross-validation among the examples. Where they are all of one label, that
    is the answer. `ValueError` if there are not so many examples.
    """
    if not 1 <= size <= len(train_labels):
        raise ValueError(f"{size} labelled sentences are asked for, but there are {len(train_labels)}.")
    rows = np.random.default_rng(seed).permutation(len(train_labels))[:size]
    known, examples = train_labels[rows], train[rows]
    if len(np.unique(known)) == 1:
        return float(np.mean(test_labels == known[0]))
    if isinstance(train, ndarray):
        examples, test = _standardised(examples, test)
    model = _regression(_penalty(examples, known, seed)).fit(examples, known)
    return float(np.mean(model.predict(test) == test_labels))


def mixture_clusters(train: ndarray, test: ndarray, *, components: int, seed: int = 0) -> Int[ndarray, " test"]:
    """The clusters of held-out codes under a Gaussian mixture of full covariances, fitted to `train` without labels."""
    from sklearn.mixture import GaussianMixture

    train, test = _standardised(train, test)
    model = GaussianMixture(components, max_iter=300, random_state=seed).fit(train)
    clusters: ndarray = model.predict(test)
    return clusters


def cluster_labels(
    clusters: Int[ndarray, " n"], labels: Int[ndarray, " n"], *, components: int
) -> Int[ndarray, " components"]:
    """The label that each of the clusters stands for, under the best pairing of the two (Hungarian; Kuhn 1955).

    A label is given once: where there are more clusters than labels, what is left over stands for none, -1.
    """
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((components, labels.max() + 1), np.int64)
    np.add.at(table, (clusters, labels), 1)
    paired, to = linear_sum_assignment(table, maximize=True)
    named = np.full(components, -1)
    named[paired] = to
    return named


def bag_of_words(train: Sequence[str], test: Sequence[str]) -> tuple[Any, Any]:
    """Which words of `train` each sentence has, as sparse rows of 0 and 1: what a label owes to words alone."""
    from sklearn.feature_extraction.text import CountVectorizer

    reader = CountVectorizer(token_pattern=r"\S+", lowercase=False, binary=True, dtype=np.float64)
    return reader.fit_transform(train), reader.transform(test)


def _standardised(train: ndarray, test: ndarray) -> tuple[ndarray, ndarray]:
    """Both less the mean of `train`, over its standard deviation; what is constant there is left at its scale."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.asarray(train, np.float64))
    return scaler.transform(np.asarray(train, np.float64)), scaler.transform(np.asarray(test, np.float64))


def _penalty(examples: Any, labels: ndarray, seed: int) -> float:
    """The C with the most hits over the folds; of equals the most regularised. A fold of one label teaches nothing."""
    folds = np.random.default_rng(seed).permutation(np.arange(len(labels)) % FOLDS)
    hits = dict.fromkeys(PENALTIES, 0)
    for fold in range(FOLDS):
        held, kept = folds == fold, folds != fold
        if not held.any() or len(np.unique(labels[kept])) < 2:
            continue
        for penalty in PENALTIES:
            model = _regression(penalty).fit(examples[kept], labels[kept])
            hits[penalty] += int((model.predict(examples[held]) == labels[held]).sum())
    return max(hits, key=lambda penalty: hits[penalty])


def _regression(penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=2000)
