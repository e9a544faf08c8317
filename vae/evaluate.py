"""Held-out sentences through a model, and the figures that they yield: `evaluate(space, data)` gives a `Report`.

    encode       q(z|x) of every sentence: KL, MI, active units
    score        -log p(x|z) under its own z, another's, one of the prior, zero: rec and what the decoder makes of z
    weigh        K draws of z: the importance-weighted NLL and the perplexities
    decode       the sentence rebuilt from the mean, and 100 draws from the prior

Random draws are made for the whole set at once from seeds of their own, so a figure depends neither on the batch size
nor on the order of batches, and asking for it does not disturb training. Nats are summed in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from vae import base, metrics
from vae.batching import Tokens, in_order
from vae.config import Phase
from vae.model import TextVAE
from vae.objectives import charged_kl
from vae.posterior import DiagonalGaussian, log_prior
from vae.report import Report
from vae.space import Space

SAMPLES = 100
"""K of the importance-weighted NLL, unless asked for another."""
PRIOR_SAMPLES = 100
"""Draws from the prior that are decoded."""
ALONE = 32
"""Sentences that are scored once more, each in a batch of its own."""

Watch = Callable[[int, int], None]
"""Is told how many sentences have been through the model, and how many will have been at the end."""


@dataclass(frozen=True)
class Pass:
    """What one pass over N sentences leaves: the codes, and nats by token and by sentence."""

    tokens: Tokens
    posterior: DiagonalGaussian  # (N, L)
    z: Float[Tensor, "sentences latent"]  # one sample a sentence
    own: Float[Tensor, " tokens"]  # -log p(x_t | x_<t, own z), in the order of `tokens.flat`
    other: Float[Tensor, " tokens"]  # under the z of another sentence
    zero: Float[Tensor, " tokens"]  # under z = 0: the decoder as a language model

    @property
    def rec(self) -> Float[Tensor, " sentences"]:
        """-log p(x | its own z), nats."""
        return by_sentence(self.own, self.tokens)

    @property
    def rec_other(self) -> Float[Tensor, " sentences"]:
        """-log p(x | z of another sentence), nats."""
        return by_sentence(self.other, self.tokens)

    @property
    def rec_zero(self) -> Float[Tensor, " sentences"]:
        """-log p(x | z = 0), nats."""
        return by_sentence(self.zero, self.tokens)


def one_pass(
    model: TextVAE, tokens: Tokens, *, seed: int = 0, batch_size: int | None = None, meter: Meter | None = None
) -> Pass:
    """Encode every sentence, draw one z each, and score each sentence under its own z, another's, and zero.

    `batch_size` sentences at once, without it as many as the device is fast with.
    """
    batch_size = batch_size or fast_batch(model)
    posterior, generator = encode(model, tokens, batch_size, meter), torch.Generator().manual_seed(seed)
    z = posterior.rsample(generator)
    other = metrics.other_sentences(len(tokens), generator)
    scored = [score(model, tokens, codes, batch_size, meter) for codes in (z, z[other], torch.zeros_like(z))]
    return Pass(tokens, posterior, z, *scored)


def fast_batch(model: TextVAE) -> int:
    """Sentences that are best scored together: what more of them need does not stay in a CPU's cache."""
    return 64 if model.projection.weight.device.type == "cpu" else 512


def figures(seen: Pass, words: int) -> dict[str, Any]:
    """The figures of one pass that are cheap enough for every check during training. `words` as in `count_words`."""
    kl_per_dim = seen.posterior.kl_per_dim()
    information = metrics.mutual_information(seen.posterior.mean, seen.posterior.logvar, seen.z)
    rec, kl, zero = _mean(seen.rec), _mean(kl_per_dim.sum(1)), _mean(seen.rec_zero)
    moments = float(metrics.marginal_kl_least(seen.posterior.mean, seen.posterior.logvar).sum())
    return {
        "sentences": len(seen.tokens),
        "rec_nats": rec,
        "kl_nats": kl,
        "neg_elbo_nats": rec + kl,
        "mi_nats": information.lower_nats,
        "mi_upper_nats": information.upper_nats,
        "mi_ceiling_nats": information.ceiling_nats,
        "marginal_kl_nats": kl - information.lower_nats,
        "marginal_kl_least_nats": max(moments, kl - zero),  # MI <= entropy of a sentence <= its cost under any fixed z
        "active_units": metrics.active_units(seen.posterior.mean).count,
        "delta_nll_nats": _mean(seen.rec_other - seen.rec),
        "delta_zero_nats": zero - rec,
        "ppl_word": metrics.ppl_word((rec + kl) * len(seen.tokens), words),
        "kl_per_dim_nats": [round(value, 6) for value in kl_per_dim.double().mean(0).tolist()],
    }


def evaluate(
    space: Space,
    data: pd.DataFrame,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    batch_size: int | None = None,
    objective: Phase | None = None,
    watch: Watch | None = None,
) -> Report:
    """Everything that is measured on a held-out split, a frame with a `text` column.

    `samples` is the largest K of the importance-weighted NLL_K = -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), a bound
    that tightens as K grows; perplexity per word is exp(sum NLL_K / sum words) with the end token counted as a word.
    `objective` is the phase whose thresholds say what KL was charged. Intervals are of 95 %, over the sentences.
    """
    if samples < 1:
        raise ValueError(f"samples={samples} must be at least 1.")
    texts = data["text"].tolist()
    if len(texts) < 2:
        raise ValueError(f"An evaluation needs at least 2 sentences, but there are {len(texts)}.")
    model, tokens, n = space.model, space.tokens(texts), len(texts)
    read = readings(space.tokenizer, texts, tokens, space.max_tokens)
    meter = Meter(watch, n * (samples + 6))

    batch_size = batch_size or fast_batch(model)
    seen = one_pass(model, tokens, seed=seed, batch_size=batch_size, meter=meter)
    draws = torch.Generator().manual_seed(seed + 3)  # seed has drawn z, seed + 1 draws its K samples
    matched = seen.z[metrics.other_sentences(n, draws, tokens.lengths)]
    codes = {"matched": matched, "prior": space.sample_prior(n, seed + 2)}
    under: dict[str, Tensor] = {
        name: by_sentence(score(model, tokens, z, batch_size, meter), tokens) for name, z in codes.items()
    }
    under["zero"] = seen.rec_zero
    rebuilt = decode_all(space, seen.posterior.mean, batch_size, meter)
    from_prior = decode_all(space, space.sample_prior(PRIOR_SAMPLES, seed), batch_size)

    words = torch.tensor([metrics.word_count(text) for text in read])
    bounds = _bounds(model, seen, words, samples=samples, seed=seed, batch_size=batch_size, meter=meter)
    kl = seen.posterior.kl_per_dim().double().sum(1)
    nats = {"rec_nats": seen.rec, "kl_nats": kl, "neg_elbo_nats": seen.rec + kl, "nll_nats": bounds.nll}
    nats |= {"delta_nll_nats": seen.rec_other - seen.rec}
    nats |= {f"delta_{name}_nats": rec - seen.rec for name, rec in under.items()}
    known = {"text": read, "decoded": rebuilt, "tokens": tokens.lengths, "words": words.numpy()}
    values = figures(seen, int(words.sum()))
    everybody = {name: values[name] for name in ("sentences", "mi_nats", "mi_upper_nats", "mi_ceiling_nats")}
    values |= {name: _mean(gap) for name, gap in nats.items() if name.startswith("delta_")}
    values["marginal_kl_least_nats"] = max(values["marginal_kl_least_nats"], values["kl_nats"] - _mean(bounds.nll))
    units = metrics.active_units(seen.posterior.mean)
    hits = sum(a == b for a, b in zip(rebuilt, read, strict=True))
    return Report(
        tokens=int(tokens.lengths.sum()),
        words=int(words.sum()),
        seed=seed,
        latent_size=space.latent_size,
        kl_charged_nats=_charged(seen.posterior, objective),
        mi_saturated=values["mi_nats"] > values["mi_ceiling_nats"] - metrics.SATURATION_NATS,
        batch_leak_nats=_batch_leak(model, seen, seed),
        exact_reconstructions=hits / n,
        bleu=metrics.bleu(rebuilt, read),
        distinct_prior=len(set(from_prior)),
        unknown_share=_unknown_share(space.tokenizer, tokens),
        variance_per_dim=_rounded(seen.posterior.mean.double().var(0, correction=1)),
        variances=_rounded(units.variances),
        nll_by_samples=bounds.by_samples,
        mi_by_sentences=[*_information_by_sentences(seen, seed), everybody],
        delta_by_position=_by_position(seen),
        intervals={name: metrics.mean_interval(each) for name, each in nats.items()}
        | {
            "ppl_word": metrics.perplexity_interval(bounds.nll, words),
            "ppl_token": metrics.perplexity_interval(bounds.nll, torch.tensor(tokens.lengths)),
            "exact_reconstructions": metrics.share_interval(hits, n),
        },
        per_sentence=pd.DataFrame(known | {name: gap.numpy() for name, gap in nats.items()}),
        **values | bounds.by_samples[-1],
    )


# --- Sentences through the model -----------------------------------------------------------------------------------


class Meter:
    """Counts the sentences that have been through the model, for whoever watches."""

    def __init__(self, watch: Watch | None, total: int) -> None:
        self.watch, self.total, self.done = watch, total, 0

    def add(self, sentences: int) -> None:
        """So many more."""
        self.done += sentences
        if self.watch:
            self.watch(self.done, self.total)


@torch.inference_mode()
def encode(model: TextVAE, tokens: Tokens, batch_size: int = 256, meter: Meter | None = None) -> DiagonalGaussian:
    """q(z|x) of every sentence, on the CPU."""
    mean, logvar = torch.empty(2, len(tokens), model.latent_size)
    for rows in in_order(tokens, batch_size):
        q = model.encode(tokens.batch(rows).to(model.projection.weight.device))
        mean[rows], logvar[rows] = q.mean.cpu(), q.logvar.cpu()
        if meter:
            meter.add(len(rows))
    return DiagonalGaussian(mean, logvar)


@torch.inference_mode()
def score(
    model: TextVAE,
    tokens: Tokens,
    z: Float[Tensor, "sentences latent"],
    batch_size: int = 256,
    meter: Meter | None = None,
) -> Float[Tensor, " tokens"]:
    """-log p(x_t | x_<t, z) of every token of every sentence, nats, in the order of `tokens.flat`, on the CPU."""
    device = model.projection.weight.device
    nats = torch.empty(int(tokens.starts[-1]))
    for rows in in_order(tokens, batch_size):
        batch = tokens.batch(rows)
        places = torch.from_numpy(tokens.starts[rows])[:, None] + torch.arange(batch.ids.shape[1])
        found = model.token_nats(z[rows].to(device), batch.to(device)).cpu()
        nats[places[batch.mask]] = found[batch.mask]
        if meter:
            meter.add(len(rows))
    return nats


def by_sentence(nats: Float[Tensor, " tokens"], tokens: Tokens) -> Float[Tensor, " sentences"]:
    """The sum over the tokens of each sentence, in double precision."""
    return torch.from_numpy(np.add.reduceat(nats.double().numpy(), tokens.starts[:-1]))


def decode_all(
    space: Space, z: Float[Tensor, "sentences latent"], batch_size: int = 256, meter: Meter | None = None
) -> list[str]:
    """The greedy sentence of every code, decoded in batches."""
    texts = []
    for part in torch.split(z, batch_size):
        texts += space.decode(part)
        if meter:
            meter.add(len(part))
    return texts


def importance_weighted(
    model: TextVAE, seen: Pass, samples: int, *, seed: int = 0, batch_size: int = 256, meter: Meter | None = None
) -> Float[Tensor, "sentences samples"]:
    """log p(x|z_k) p(z_k) / q(z_k|x) of each sentence, for K draws z_k ~ q(z|x); the first is that of the pass."""
    generator = torch.Generator().manual_seed(seed + 1)
    log_w = torch.empty(len(seen.tokens), samples, dtype=torch.float64)
    for k in range(samples):
        z = seen.posterior.rsample(generator) if k else seen.z
        rec = by_sentence(score(model, seen.tokens, z, batch_size, meter), seen.tokens) if k else seen.rec
        log_w[:, k] = log_prior(z) - seen.posterior.log_prob(z) - rec
    return log_w


# --- Figures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bounds:
    """NLL_K for growing K; `nll` is that of each sentence for the largest."""

    nll: Float[Tensor, " sentences"]
    by_samples: list[dict[str, float]]


def _bounds(
    model: TextVAE, seen: Pass, words: Tensor, *, samples: int, seed: int, batch_size: int, meter: Meter
) -> _Bounds:
    log_w = importance_weighted(model, seen, samples, seed=seed, batch_size=batch_size, meter=meter)
    powers = [10**power for power in range(len(str(samples)))]
    rows = []
    for k in sorted({*powers, samples}):
        nll, size = metrics.importance_weighted_nll(log_w[:, :k])
        total = float(nll.sum())
        rows.append(
            {
                "samples": k,
                "nll_nats": _mean(nll),
                "effective_sample_size": _mean(size),
                "ppl_word": metrics.ppl_word(total, int(words.sum())),
                "ppl_token": metrics.ppl_token(total, len(seen.own)),
            }
        )
    return _Bounds(nll, rows)


def _information_by_sentences(seen: Pass, seed: int) -> list[dict[str, float]]:
    """MI among the first 16, 32, 64 ... of the shuffled sentences: its bounds meet where there are enough for it."""
    order = torch.randperm(len(seen.tokens), generator=torch.Generator().manual_seed(seed))
    rows = []
    for size in (2**power for power in range(4, (len(order) - 1).bit_length())):
        kept = order[:size]
        found = metrics.mutual_information(seen.posterior.mean[kept], seen.posterior.logvar[kept], seen.z[kept])
        bounds = {"mi_nats": found.lower_nats, "mi_upper_nats": found.upper_nats}
        rows.append({"sentences": size, **bounds, "mi_ceiling_nats": found.ceiling_nats})
    return rows


def _by_position(seen: Pass) -> list[dict[str, float]]:
    """Own nats and delta_nll at each token position, a mean over the sentences that reach it."""
    lengths = seen.tokens.lengths
    position = np.arange(len(seen.own)) - np.repeat(seen.tokens.starts[:-1], lengths)
    own, other = seen.own.double().numpy(), seen.other.double().numpy()
    count = np.bincount(position)
    means = [np.bincount(position, nats) / count for nats in (own, other - own)]
    names = ("position", "sentences", "own_nats", "delta_nll_nats")
    return [
        dict(zip(names, (t, int(reached), float(mine), float(delta)), strict=True))
        for t, (reached, mine, delta) in enumerate(zip(count, *means, strict=True))
    ]


def _batch_leak(model: TextVAE, seen: Pass, seed: int) -> float:
    """What the neighbours in a batch change in the cost of a sentence, a mean over some that are scored alone.

    Codes that are handed to other sentences of the batch, by a reshape without a transpose for one, show here.
    """
    rows = torch.randperm(len(seen.tokens), generator=torch.Generator().manual_seed(seed))[:ALONE].tolist()
    device = model.projection.weight.device
    with torch.inference_mode():
        alone = [model.reconstruction(seen.z[[r]].to(device), seen.tokens.batch([r]).to(device)) for r in rows]
    return _mean((torch.cat(alone).cpu().double() - seen.rec[rows]).abs())


def _charged(posterior: DiagonalGaussian, objective: Phase | None) -> float | None:
    if objective is None:
        return None
    kl = posterior.kl_per_dim()
    return _mean(charged_kl(kl, **objective.charges, mean=kl.mean(0) if objective.over_batch else None))


def readings(tokenizer: Any, texts: Sequence[str], tokens: Tokens, max_tokens: int) -> list[str]:
    """The texts as far as the model reads them: a text that fills `max_tokens` ends where it was cut."""
    result = list(texts)
    for row in (tokens.lengths == max_tokens).nonzero()[0]:
        result[row] = tokenizer.decode(tokens.flat[tokens.starts[row] : tokens.starts[row + 1] - 1].tolist()).strip()
    return result


def _unknown_share(tokenizer: Any, tokens: Tokens) -> float:
    """Per cent of the tokens that are <unk>, end tokens left out; 0 of a vocabulary that has none."""
    unknown = base.unknown_token(tokenizer)
    if unknown is None:
        return 0.0
    return 100 * int((tokens.flat == unknown).sum()) / max(1, len(tokens.flat) - len(tokens))


def count_words(readings: Sequence[str]) -> int:
    """Whitespace words of all texts, and one more for the end token of each."""
    return sum(metrics.word_count(text) for text in readings)


def _rounded(values: Float[Tensor, " n"]) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def _mean(values: Float[Tensor, " n"]) -> float:
    """The mean in double precision; a figure that is no number is an error of the model, said as such."""
    mean = float(values.double().mean())
    if not math.isfinite(mean):
        raise ValueError("The model's figures are not finite: its weights have diverged; use an earlier snapshot.")
    return mean
