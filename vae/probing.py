"""A model and its corpus put to the probes of Li et al. 2019, sections 3.2, 3.3 and appendix B: `probe` gives `Probes`.

    rebuild     held-out sentences decoded greedily from a sample of their posterior   BLEU, Table 4
    smooth      are similar sentences near each other? also among pairs of equal lengths   PCC, Table 5
    swap        encode the sentence with words swapped, score the sentence itself      Table 6
    read        labels from a few codes by a linear classifier, from none by clusters  Table 8
    copy        are draws from the prior nearer to the training set than new ones are? appendix B
    walk        the sentences between two draws from the prior, and between two samples   appendix D

The model is asked through `Space` alone, whatever its backbone. Codes are means; costs are under one sample of z, as in
a report. Of a large corpus a seeded sample is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from vae import explore, metrics, probes
from vae.evaluate import Watch, decode_all, readings
from vae.report import LABELLED, SWAPS, Interpolation, Probe, Probes
from vae.space import Space

if TYPE_CHECKING:
    import pandas as pd

    from vae.corpora import Corpus

TRAIN = 20_000
"""Training sentences that are encoded, at most."""
HELD_OUT = 10_000
"""Held-out sentences that are encoded, at most."""
SCORED = 2_000
"""Held-out sentences that are scored and decoded, at most: once for every seed and number of swaps."""
DRAWS = 300
"""Draws from the prior that are held against the training set, as in appendix B; and as many held-out sentences."""
PATHS = 3
"""Interpolations between draws from the prior; and as many between samples of the posteriors of held-out sentences."""
PATH_STEPS = 7
"""Sentences of an interpolation, ends included."""
MOST_CLASSES = 50
"""Values that a label to be read may have."""
SEEDS = 5


def probe(
    space: Space,
    corpus: Corpus,
    *,
    split: str = "test",
    label: str | None = None,
    seeds: int = SEEDS,
    seed: int = 0,
    watch: Watch | None = None,
) -> Probes:
    """Every probe of a model, on a held-out split and, for what is learned or searched, the training sentences.

    `label` is a column of the corpus; by default the first with 2 to 50 values, and without one nothing is read.
    `ValueError` for a label that is not there or not of that kind, for the split train, and for fewer than 3 sentences.
    """
    if seeds < 1:
        raise ValueError(f"seeds={seeds} must be at least 1.")
    held, train = _sample(held_out(corpus, split), HELD_OUT, seed), _sample(corpus.train, TRAIN, seed)
    label = label_of(corpus, label)
    sizes = [size for size in LABELLED if size <= len(train)] if label else []
    rounds = range(seed, seed + seeds)
    step = _steps(watch, 5 + (1 + len(SWAPS)) * seeds + 3 * len(sizes) + 2 * bool(label))

    known, codes = _codes(space, train["text"], step), _codes(space, held["text"], step)
    figures = {
        name: Probe(value=value, interval=interval, n=probes.PAIRS, by_seed=[value])
        for name, (value, interval) in probes.smoothness(codes, held["text"].tolist(), seed=seed).items()
    }
    step()
    scored = _sample(held, SCORED, seed)["text"].tolist()
    figures |= _rebuilt(space, scored, rounds, step)
    figures |= _swaps(space, scored, rounds, step)
    if label:
        other = _sample(corpus.valid if split == "test" else corpus.test, HELD_OUT, seed)
        aside = _codes(space, other["text"], step)
        figures |= _labels(train, held, other, known, codes, aside, label, sizes, rounds, step)
    figures |= _copying(space, corpus.train["text"].tolist(), _sample(held, DRAWS, seed)["text"].tolist(), seed)
    step()
    interpolations = _interpolations(space, held["text"], seed)
    step()
    return Probes(
        label=label,
        classes=corpus.train[label].nunique() if label else 0,
        train_sentences=len(train),
        seed=seed,
        figures=figures,
        interpolations=interpolations,
    )


def held_out(corpus: Corpus, split: str) -> pd.DataFrame:
    """The sentences to probe on: at least 3, and not those of training."""
    if split == "train":
        raise ValueError("Probes need sentences that the model was not trained on: choose valid or test.")
    frame: pd.DataFrame = getattr(corpus, split)
    if len(frame) < 3:
        raise ValueError(f"The probes need at least 3 sentences, but {split} has {len(frame)}.")
    return frame


def label_of(corpus: Corpus, label: str | None = None) -> str | None:
    """The label column to be read: the one named, or the first with 2 to 50 values among the training sentences."""
    fit = [name for name in corpus.labels if 2 <= corpus.train[name].nunique() <= MOST_CLASSES]
    if label is None:
        return fit[0] if fit else None
    if label not in fit:
        choice = f"choose {', '.join(fit)}" if fit else "this corpus has none"
        raise ValueError(f"{label!r} is no label of {corpus.name} with 2 to {MOST_CLASSES} values: {choice}.")
    return label


# --- Each probe ----------------------------------------------------------------------------------------------------


def _rebuilt(space: Space, texts: Sequence[str], rounds: range, step: Callable[[], None]) -> dict[str, Probe]:
    """What is decoded from a sample of each posterior, as in the code released with the paper.

    It is held against what the vocabulary reads of a sentence, <unk> for a word that it does not know; words are what
    stands between spaces.
    """
    q, draws = space.encode(texts), []
    for seed in rounds:
        draws.append(decode_all(space, q.rsample(torch.Generator().manual_seed(seed))))
        step()
    return {"bleu_sampled": _likeness(draws, _written(space, texts), words=True)}


def _swaps(space: Space, texts: Sequence[str], rounds: range, step: Callable[[], None]) -> dict[str, Probe]:
    """What the sentences cost under the code of themselves with words swapped, and what is decoded from its mean."""
    read = readings(space.tokenizer, texts, space.tokens(texts), space.max_tokens)
    found = {}
    for swaps in SWAPS:
        costs: list[torch.Tensor] = []
        rebuilt: list[list[str]] = []
        for seed in rounds:
            generator = np.random.default_rng((seed, swaps))
            q = space.encode([probes.swapped(text, swaps, generator) for text in read])
            costs.append(space.nll(read, q.rsample(torch.Generator().manual_seed(seed))).double())
            if swaps or not rebuilt:  # without swaps there is nothing random in the mean
                rebuilt.append(decode_all(space, q.mean))
            step()
        each = torch.stack(costs)
        found[f"rec_swaps_{swaps}_nats"] = Probe(
            value=float(each.mean()),
            interval=metrics.mean_interval(each.mean(0)),
            n=len(read),
            by_seed=each.mean(1).tolist(),
        )
        found[f"bleu_swaps_{swaps}"] = _likeness(rebuilt, read)
    return found


def _labels(
    train: pd.DataFrame,
    held: pd.DataFrame,
    other: pd.DataFrame,
    known: Float[ndarray, "train latent"],
    codes: Float[ndarray, "held latent"],
    aside: Float[ndarray, "other latent"],
    label: str,
    sizes: Sequence[int],
    rounds: range,
    step: Callable[[], None],
) -> dict[str, Probe]:
    """The label read from the codes; from the words; from codes whose labels are shuffled; and its commonest value.

    Which cluster of the mixture stands for which label is chosen on `other`, the other held-out split.
    """
    numbers = probes.numbered([*train[label], *held[label], *other[label]])
    learned, asked, chosen = np.split(numbers, [len(train), len(train) + len(held)])
    shuffled = {seed: np.random.default_rng(seed).permutation(learned) for seed in rounds}
    words = probes.bag_of_words(train["text"].tolist(), held["text"].tolist())
    found = {"accuracy_majority": _shares([float(np.mean(asked == np.bincount(learned).argmax()))], len(asked))}
    for size in sizes:
        kinds: dict[str, tuple[Any, Any]] = {"": (known, codes), "words_": words, "shuffled_": (known, codes)}
        for kind, (of, about) in kinds.items():
            read = [
                probes.linear_accuracy(
                    of, shuffled[seed] if kind == "shuffled_" else learned, about, asked, size=size, seed=seed
                )
                for seed in rounds
            ]
            found[f"accuracy_{kind}{size}"] = _shares(read, len(asked))
            step()
    components = len(np.unique(learned))
    matched: list[float] = []
    chance: list[float] = []
    for seed in rounds:
        clusters = probes.mixture_clusters(known, np.concatenate([codes, aside]), components=components, seed=seed)
        of, about = clusters[: len(codes)], clusters[len(codes) :]
        generator = np.random.default_rng(seed)
        for shares, scored, named in (
            (matched, asked, chosen),
            (chance, generator.permutation(asked), generator.permutation(chosen)),
        ):
            shares.append(float(np.mean(probes.cluster_labels(about, named, components=components)[of] == scored)))
    step()
    return found | {
        "accuracy_mixture": _shares(matched, len(asked)),
        "accuracy_mixture_shuffled": _shares(chance, len(asked)),
    }


def _copying(space: Space, train: Sequence[str], held: Sequence[str], seed: int) -> dict[str, Probe]:
    """Words to change to the nearest training sentence: from draws of the prior, and from held-out sentences.

    Of a draw its words are drawn, too, as in the code released with the paper: greedily, a decoder that ignores z
    would write one sentence 300 times. All are compared as the model would write them, so that its vocabulary makes
    no difference between them.
    """
    draws = space.decode(space.sample_prior(DRAWS, seed), method="sample", seed=seed)
    among = _written(space, train)
    found = {}
    for name, texts in (("copying_words", draws), ("copying_heldout_words", _written(space, held))):
        words = torch.from_numpy(probes.nearest_distances(texts, among)).double()
        mean = float(words.mean())
        found[name] = Probe(value=mean, interval=metrics.mean_interval(words), n=len(texts), by_seed=[mean])
    return found


def _interpolations(space: Space, held: pd.Series, seed: int) -> list[Interpolation]:
    """Straight lines between draws from the prior, and between samples z ~ q(z|x) of random held-out sentences."""
    count = min(PATHS, len(held) // 2)
    rows = np.random.default_rng(seed).permutation(len(held))[: 2 * count]
    texts = held.iloc[rows].tolist()
    ends = [space.sample_prior(2, seed + path) for path in range(PATHS)]
    made: list[tuple[tuple[int, int], tuple[str, str] | None]] = [((seed + n, seed + n), None) for n in range(PATHS)]
    for n in range(count):
        inputs, seeds = (texts[2 * n], texts[2 * n + 1]), (seed + 2 * n, seed + 2 * n + 1)
        alone = [space.encode([text]) for text in inputs]
        drawn = [q.rsample(torch.Generator().manual_seed(one)) for q, one in zip(alone, seeds, strict=True)]
        ends.append(torch.cat(drawn))
        made.append((seeds, inputs))
    codes = torch.cat([explore.interpolate(a, b, PATH_STEPS) for a, b in ends])
    said = decode_all(space, codes)
    return [
        Interpolation(seeds=seeds, inputs=inputs, texts=said[PATH_STEPS * n : PATH_STEPS * (n + 1)])
        for n, (seeds, inputs) in enumerate(made)
    ]


# --- What they stand on --------------------------------------------------------------------------------------------


def _codes(space: Space, texts: pd.Series, step: Callable[[], None]) -> Float[ndarray, "sentences latent"]:
    means: ndarray = space.encode(texts.tolist()).mean.numpy()
    step()
    return means


def _written(space: Space, texts: Sequence[str]) -> list[str]:
    """The texts through the model's vocabulary and back."""
    tokens = space.tokens(texts)
    pieces = np.split(tokens.flat, tokens.starts[1:-1])
    return [str(space.tokenizer.decode(piece.tolist(), skip_special_tokens=True)).strip() for piece in pieces]


def _sample(frame: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """So many random rows, in their order; all where there are no more."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(seed).permutation(len(frame))[:most])]


def _likeness(draws: Sequence[Sequence[str]], references: Sequence[str], *, words: bool = False) -> Probe:
    """The BLEU of what the seeds gave; its interval is over the sentences and over what was drawn for each of them."""
    scores, interval = metrics.bleu_over_draws(draws, references, words=words)
    return Probe(value=float(np.mean(scores)), interval=interval, n=len(references), by_seed=scores)


def _shares(shares: list[float], n: int) -> Probe:
    """An accuracy in percent: its interval is over the n held-out sentences (Wilson) and over the draws of the seeds.

    The seeds draw their examples from one pool of at most `TRAIN` sentences, of which 10,000 are half: they share many,
    and their spread is then a little too small.
    """
    mean, spread = float(np.mean(shares)), _half(shares)
    least, most = metrics.share_interval(mean * n, n)
    low, high = max(0.0, mean - np.hypot(mean - least, spread)), min(1.0, mean + np.hypot(most - mean, spread))
    percent = [100 * share for share in shares]
    return Probe(value=100 * mean, interval=(float(100 * low), float(100 * high)), n=n, by_seed=percent)


def _half(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean over seeds (Student's t); 0 of a single one."""
    from scipy.stats import t

    k = len(values)
    return float(t.ppf(0.975, k - 1) * np.std(values, ddof=1) / np.sqrt(k)) if k > 1 else 0.0


def _steps(watch: Watch | None, total: int) -> Callable[[], None]:
    """To be called once for every step that is done."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if watch:
            watch(done, total)

    return step
