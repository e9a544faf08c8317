"""Sentences as sequences of words: edit distance, the nearest of many, words swapped, and smoothness.

A word is what stands between spaces. The edit distance is Levenshtein's: the fewest words inserted, deleted or replaced
that turn one sentence into the other. It is computed for thousands of pairs at once, a row of the table at a time: 0.2
microseconds a pair of twelve words, so that 100,000 pairs are no wait and no library is needed for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

BLOCK = 4096
"""Pairs at once: their rows of the table stay in the processor's cache."""

PAIRS = 100_000
"""Random pairs of sentences of Li et al. 2019, section 3.2."""


def edit_distances(a: Sequence[str], b: Sequence[str]) -> Int[ndarray, " pairs"]:
    """Words to insert, delete or replace on the way from a[i] to b[i], for all i. `ValueError` for unequal lengths."""
    if len(a) != len(b):
        raise ValueError(f"{len(a)} sentences cannot be paired with {len(b)}: give as many of both.")
    numbers: dict[str, int] = {}
    (left, left_lengths), (right, right_lengths) = _words(a, numbers), _words(b, numbers)
    found = np.zeros(len(a), np.int64)
    order = np.lexsort((left_lengths, right_lengths))  # pairs of like lengths share a block: little padding
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        found[rows] = _distances(left[:, rows], left_lengths[rows], right[:, rows], right_lengths[rows])
    return found


def nearest_distances(texts: Sequence[str], among: Sequence[str]) -> Int[ndarray, " texts"]:
    """The edit distance, in words, of each text to the nearest of the others; exact, and 0 for one that is there.

    Sentences of the most similar length are tried first: a difference in length is a lower bound on the distance, so
    the search of a text ends where that reaches what has been found. `ValueError` where there is nothing to search.
    """
    if not len(among):
        raise ValueError("There are no sentences to search for the nearest: give at least one.")
    numbers: dict[str, int] = {}
    (left, left_lengths), (right, right_lengths) = _words(texts, numbers), _words(among, numbers)
    best = np.full(len(texts), np.iinfo(np.int64).max)
    for length in np.unique(left_lengths):
        alike = np.flatnonzero(left_lengths == length)
        for other in sorted(np.unique(right_lengths), key=lambda each: abs(int(each) - int(length))):
            asked = alike[best[alike] > abs(int(other) - int(length))]
            group = np.flatnonzero(right_lengths == other)
            for i, j in _crossed(asked, group):
                found = _distances(left[:, i], left_lengths[i], right[:, j], right_lengths[j])
                np.minimum.at(best, i, found)
    return best


def swapped(text: str, swaps: int, generator: np.random.Generator) -> str:
    """The sentence after two words at different random places have changed places, so many times.

    As in Zhao et al. 2018 and Li et al. 2019, section 3.2. A sentence of a single word stays as it is.
    """
    words = text.split()
    if swaps == 0 or len(words) < 2:
        return text
    for _ in range(swaps):
        i, j = generator.choice(len(words), 2, replace=False)
        words[i], words[j] = words[j], words[i]
    return " ".join(words)


def correlation(x: Float[ndarray, " n"], y: Float[ndarray, " n"], weights: Float[ndarray, " n"] | None = None) -> float:
    """Pearson's correlation coefficient, weighted if asked for, from -1 to 1; 0 where one of the two does not vary."""
    centred = [np.asarray(each, np.float64) - np.average(each, weights=weights) for each in (x, y)]
    weights = np.ones(len(x)) if weights is None else weights
    both, *own = (float((weights * a * b).sum()) for a, b in (centred, centred[:1] * 2, centred[1:] * 2))
    if np.ptp(x) == 0 or np.ptp(y) == 0 or min(own) <= 0:
        return 0.0
    return float(np.clip(both / np.sqrt(own[0]) / np.sqrt(own[1]), -1, 1))


def smoothness(
    means: Float[ndarray, "sentences latent"],
    texts: Sequence[str],
    *,
    pairs: int = PAIRS,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, tuple[float, tuple[float, float]]]:
    """Correlation of the distance of two codes (L2) with the edit distance of their sentences; its 95 % interval.

        smoothness                 over random pairs of different sentences, as in Li et al. 2019, Table 5
        smoothness_equal_lengths   the same, each distance less its mean over the pairs that have the same two lengths

    The second is there because the first is largely of lengths where those vary: an edit distance is nearly the length
    of the longer sentence, so that codes at random correlate with it if only their norm grows with the length. Where
    each pair of lengths is there once, nothing is left to correlate, and the second is 0.

    The interval is a bootstrap over the sentences, not the pairs, which share sentences and are not independent: a
    pair counts as often as both are drawn; where the codes know little, that is too wide by a fifth to a third.
    `ValueError` for fewer than 3 sentences, or another number of codes.
    """
    n = len(texts)
    if n < 3 or len(means) != n:
        raise ValueError(f"Smoothness needs at least 3 sentences with a code each: there are {n} and {len(means)}.")
    generator = np.random.default_rng(seed)
    i = generator.integers(n, size=pairs)
    j = (i + generator.integers(1, n, size=pairs)) % n
    codes = np.asarray(means, np.float64)
    apart = np.linalg.norm(codes[i] - codes[j], axis=1)
    edits = edit_distances([texts[k] for k in i], [texts[k] for k in j]).astype(np.float64)
    words = np.array([len(text.split()) for text in texts])
    lengths = np.unique(np.sort([words[i], words[j]], axis=0), axis=1, return_inverse=True)[1]

    def both(weights: Float[ndarray, " pairs"]) -> tuple[float, float]:
        codes_within, edits_within = (_less_mean(each, lengths, weights) for each in (apart, edits))
        return correlation(apart, edits, weights), correlation(codes_within, edits_within, weights)

    drawn = (generator.multinomial(n, np.full(n, 1 / n)) for _ in range(resamples))
    weights = ((count[i] * count[j]).astype(np.float64) for count in drawn)
    again = [both(each) for each in weights if each.any()]  # of a few sentences it may be one alone
    low, high = np.quantile(again, (0.025, 0.975), axis=0)
    names = ("smoothness", "smoothness_equal_lengths")
    return {
        name: (value, (float(a), float(b)))
        for name, value, a, b in zip(names, both(np.ones(pairs)), low, high, strict=True)
    }


def _less_mean(
    values: Float[ndarray, " n"], groups: Int[ndarray, " n"], weights: Float[ndarray, " n"]
) -> Float[ndarray, " n"]:
    """Each value less the weighted mean of its group; exactly 0 throughout where all groups are of equal values."""
    total = np.bincount(groups, weights)
    means = np.divide(np.bincount(groups, weights * values), total, out=np.zeros_like(total), where=total > 0)
    left: Float[ndarray, " n"] = np.where(weights > 0, values - means[groups], 0.0)
    return left if np.abs(left).max() > 1e-9 * np.abs(values).max() else np.zeros_like(left)


def _words(
    texts: Sequence[str], numbers: dict[str, int]
) -> tuple[Int[ndarray, "longest texts"], Int[ndarray, " texts"]]:
    """The words of each text by number, a column a text, padded; and how many there are. New words are numbered."""
    split = [text.split() for text in texts]
    lengths = np.array([len(words) for words in split], np.int64)
    table = np.full((int(lengths.max(initial=0)), len(texts)), -1, np.int32)
    for column, words in enumerate(split):
        table[: len(words), column] = [numbers.setdefault(word, len(numbers)) for word in words]
    return table, lengths


def _distances(
    a: Int[ndarray, "longest pairs"],
    a_lengths: Int[ndarray, " pairs"],
    b: Int[ndarray, "longest_b pairs"],
    b_lengths: Int[ndarray, " pairs"],
) -> Int[ndarray, " pairs"]:
    """Levenshtein's table for all pairs side by side, a row for each word of b; the padding is not read."""
    height, pairs = int(a_lengths.max(initial=0)), np.arange(len(a_lengths))
    row = np.repeat(np.arange(height + 1, dtype=np.int32)[:, None], len(pairs), axis=1)
    found: ndarray = row[a_lengths, pairs]
    for j in range(1, int(b_lengths.max(initial=0)) + 1):
        following = np.empty_like(row)
        following[0] = j
        np.minimum(row[:-1] + (a[:height] != b[j - 1]), row[1:] + 1, out=following[1:])
        for i in range(1, height + 1):
            np.minimum(following[i], following[i - 1] + 1, out=following[i])
        row, ends = following, b_lengths == j
        found[ends] = row[a_lengths[ends], pairs[ends]]
    return found


def _crossed(a: ndarray, b: ndarray) -> Iterator[tuple[ndarray, ndarray]]:
    """Every one of a with every one of b, in blocks."""
    for start in range(0, len(a) * len(b), BLOCK):
        at = np.arange(start, min(start + BLOCK, len(a) * len(b)))
        yield a[at // len(b)], b[at % len(b)]
