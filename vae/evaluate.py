"""One pass over held-out sentences, and the figures that it yields.

Random draws are made for the whole set at once from a seed of their own, so a figure depends neither on the batch
size nor on the order of batches, and asking for it does not disturb training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from vae import metrics
from vae.batching import Tokens, in_order
from vae.model import TextVAE
from vae.posterior import DiagonalGaussian, log_prior
from vae.space import Space


@dataclass(frozen=True)
class Pass:
    """What one pass over N sentences leaves: the codes and, per sentence, nats."""

    posterior: DiagonalGaussian  # (N, L)
    z: Float[Tensor, "sentences latent"]  # one sample a sentence
    rec: Float[Tensor, " sentences"]  # -log p(x | its own z)
    rec_other: Float[Tensor, " sentences"]  # -log p(x | z of another sentence)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of an evaluation, by the names of metrics.jsonl. Nats are per sentence."""

    sentences: int
    samples: int
    seed: int
    rec_nats: float
    kl_nats: float
    neg_elbo_nats: float
    nll_nats: float
    effective_sample_size: float
    mi_nats: float
    mi_upper_nats: float
    mi_ceiling_nats: float
    mi_saturated: bool
    marginal_kl_nats: float
    active_units: int
    latent_size: int
    delta_nll_nats: float
    delta_prior_nats: float
    ppl_word: float
    ppl_token: float
    exact_reconstructions: float
    kl_per_dim_nats: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@torch.inference_mode()
def one_pass(model: TextVAE, tokens: Tokens, *, seed: int = 0, batch_size: int = 256) -> Pass:
    """Encode every sentence, draw one z each, and score each sentence under its own z and under another's."""
    device = model.projection.weight.device
    batches = in_order(tokens, batch_size)
    mean, logvar = torch.empty(2, len(tokens), model.latent_size)
    for rows in batches:
        q = model.encode(tokens.batch(rows).to(device))
        mean[rows], logvar[rows] = q.mean.cpu(), q.logvar.cpu()
    posterior, generator = DiagonalGaussian(mean, logvar), torch.Generator().manual_seed(seed)
    z = posterior.rsample(generator)
    other = metrics.other_sentences(len(tokens), generator)
    rec, rec_other = torch.empty(2, len(tokens))
    for rows in batches:
        batch = tokens.batch(rows).to(device)
        rec[rows] = model.reconstruction(z[rows].to(device), batch).cpu()
        rec_other[rows] = model.reconstruction(z[other[rows]].to(device), batch).cpu()
    return Pass(posterior, z, rec, rec_other)


def figures(seen: Pass, words: int) -> dict[str, Any]:
    """The figures of one pass that are cheap enough for every check during training. `words` as in `count_words`."""
    kl_per_dim = seen.posterior.kl_per_dim()
    information = metrics.mutual_information(seen.posterior.mean, seen.posterior.logvar, seen.z)
    rec, kl = _mean(seen.rec), _mean(kl_per_dim.sum(1))
    return {
        "sentences": len(seen.rec),
        "rec_nats": rec,
        "kl_nats": kl,
        "neg_elbo_nats": rec + kl,
        "mi_nats": information.lower_nats,
        "mi_ceiling_nats": information.ceiling_nats,
        "active_units": metrics.active_units(seen.posterior.mean).count,
        "delta_nll_nats": _mean(seen.rec_other - seen.rec),
        "ppl_word": metrics.ppl_word((rec + kl) * len(seen.rec), words),
        "kl_per_dim_nats": [round(value, 6) for value in kl_per_dim.double().mean(0).tolist()],
    }


def evaluate(
    space: Space,
    data: pd.DataFrame,
    *,
    samples: int = 1,
    seed: int = 0,
    batch_size: int = 256,
    progress: bool = False,
) -> Report:
    """Everything that is measured on a held-out split, a frame with a `text` column.

    `samples` is the K of the importance-weighted NLL_K = -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), a bound that
    tightens as K grows; perplexity per word is exp(sum NLL_K / sum words) with the end token counted as a word.
    """
    if samples < 1:
        raise ValueError(f"samples={samples} must be at least 1.")
    texts = data["text"].tolist()
    if len(texts) < 2:
        raise ValueError(f"An evaluation needs at least 2 sentences, but there are {len(texts)}.")
    tokens = space.tokens(texts)
    read = readings(space.tokenizer, texts, tokens, space.max_tokens)
    words = count_words(read)
    seen = one_pass(space.model, tokens, seed=seed, batch_size=batch_size)
    nll, size = importance_weighted(space.model, tokens, seen, samples, seed, batch_size, progress)
    prior = space.sample_prior(len(texts), seed + 2)  # seed itself has drawn the noise of the posterior
    rec_prior = space.nll(texts, prior, batch_size=batch_size)
    rebuilt = decode_all(space, seen.posterior.mean, batch_size)
    information = metrics.mutual_information(seen.posterior.mean, seen.posterior.logvar, seen.z)
    values = figures(seen, words)
    return Report(
        samples=samples,
        seed=seed,
        nll_nats=_mean(nll),
        effective_sample_size=_mean(size),
        mi_upper_nats=information.upper_nats,
        mi_saturated=information.saturated,
        marginal_kl_nats=values["kl_nats"] - information.lower_nats,
        latent_size=space.latent_size,
        delta_prior_nats=_mean(rec_prior - seen.rec),
        ppl_token=metrics.ppl_token(float(nll.double().sum()), int(tokens.lengths.sum())),
        exact_reconstructions=sum(a == b for a, b in zip(rebuilt, read, strict=True)) / len(texts),
        **values | {"ppl_word": metrics.ppl_word(float(nll.double().sum()), words)},
    )


@torch.inference_mode()
def importance_weighted(
    model: TextVAE, tokens: Tokens, seen: Pass, samples: int, seed: int, batch_size: int, progress: bool = False
) -> tuple[Float[Tensor, " sentences"], Float[Tensor, " sentences"]]:
    """NLL_K of each sentence and its effective sample size; the first of the K samples is that of the pass."""
    device = model.projection.weight.device
    generator = torch.Generator().manual_seed(seed + 1)
    log_px, log_pz, log_qz = torch.empty(3, len(tokens), samples)
    for k in tqdm(range(samples), desc="importance samples", unit="sample", disable=not progress or samples == 1):
        z = seen.posterior.rsample(generator) if k else seen.z
        log_pz[:, k], log_qz[:, k] = log_prior(z), seen.posterior.log_prob(z)
        if k == 0:
            log_px[:, 0] = -seen.rec
            continue
        for rows in in_order(tokens, batch_size):
            log_px[rows, k] = -model.reconstruction(z[rows].to(device), tokens.batch(rows).to(device)).cpu()
    return metrics.importance_weighted_nll(log_px, log_pz, log_qz)


def decode_all(space: Space, z: Float[Tensor, "sentences latent"], batch_size: int = 256) -> list[str]:
    """The greedy sentence of every code, decoded in batches."""
    return [text for part in torch.split(z, batch_size) for text in space.decode(part)]


def readings(tokenizer: Any, texts: Sequence[str], tokens: Tokens, max_tokens: int) -> list[str]:
    """The texts as far as the model reads them: a text that fills `max_tokens` ends where it was cut."""
    result = list(texts)
    for row in (tokens.lengths == max_tokens).nonzero()[0]:
        result[row] = tokenizer.decode(tokens.flat[tokens.starts[row] : tokens.starts[row + 1] - 1].tolist()).strip()
    return result


def count_words(readings: Sequence[str]) -> int:
    """Whitespace words of all texts, and one more for the end token of each."""
    return sum(metrics.word_count(text) for text in readings)


def _mean(values: Float[Tensor, " n"]) -> float:
    """The mean in double precision; a figure that is no number is an error of the model, said as such."""
    mean = float(values.double().mean())
    if not math.isfinite(mean):
        raise ValueError("The model's figures are not finite: its weights have diverged; use an earlier snapshot.")
    return mean
